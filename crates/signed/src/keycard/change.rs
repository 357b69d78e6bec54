//! What a key card changes against the one before it: server and clients read it off the two cards, and nothing else says it
//! (`docs/protocol.md` §2, Devices).

use std::collections::HashSet;

use super::{Device, DeviceKind, KeyCard};
use crate::Unverified;

/// What the next card of a chain may do: one of these, and nothing beside it. Devices that were revoked before may be left out, so
/// that a card is never full of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardChange {
    /// This active full device came; all keys stay.
    Added(Device),
    /// These devices were revoked, and all keys are those of the next epoch.
    Renewed(Vec<Device>),
}

impl CardChange {
    /// What `next` changes against `before`, which it continues (see [`super::SignedKeyCard::verify`]).
    ///
    /// # Errors
    /// [`Unverified::Chain`] when it is neither of the two.
    pub fn between(before: &KeyCard, next: &KeyCard) -> Result<Self, Unverified> {
        let devices = Devices::compare(before, next).ok_or(Unverified::Chain)?;
        let same_keys = (next.epoch, next.identity_key, next.encryption_key)
            == (before.epoch, before.identity_key, before.encryption_key)
            && (next.keyring_version, next.keyring_hash) == (before.keyring_version, before.keyring_hash);
        let new_keys = Some(next.epoch) == before.epoch.checked_add(1)
            && next.identity_key != before.identity_key
            && next.encryption_key != before.encryption_key
            && Some(next.keyring_version) == before.keyring_version.checked_add(1)
            && next.keyring_hash.is_some();
        match (devices.added.as_slice(), devices.revoked.as_slice()) {
            ([device], []) if same_keys && device.is_active_full() => Ok(Self::Added((*device).clone())),
            ([], [_, ..]) if new_keys && next.devices.iter().any(Device::is_active_full) => {
                Ok(Self::Renewed(devices.revoked.into_iter().cloned().collect()))
            }
            _ => Err(Unverified::Chain),
        }
    }
}

impl Device {
    /// Whether it holds the user root and was not revoked.
    pub fn is_active_full(&self) -> bool {
        self.kind == DeviceKind::Full && self.revoked_at.is_none()
    }
}

/// The devices of two cards, compared.
struct Devices<'a> {
    added: Vec<&'a Device>,
    revoked: Vec<&'a Device>,
}

impl<'a> Devices<'a> {
    /// `None` when a device is there twice, became another, came back, or is gone without having been revoked before.
    fn compare(before: &KeyCard, next: &'a KeyCard) -> Option<Self> {
        let (mut ids, mut keys) = (HashSet::new(), HashSet::new());
        let (mut added, mut revoked) = (Vec::new(), Vec::new());
        for device in &next.devices {
            if !ids.insert(device.id.as_str()) || !keys.insert(device.key) {
                return None;
            }
            match before.devices.iter().find(|known| known.id == device.id || known.key == device.key) {
                None => added.push(device),
                Some(known) if known == device => {}
                Some(known) if known.revoked_at.is_none() => {
                    let same = Device { revoked_at: device.revoked_at, ..known.clone() } == *device;
                    if !same {
                        return None;
                    }
                    revoked.push(device);
                }
                Some(_) => return None,
            }
        }
        let gone = before.devices.iter().filter(|known| !ids.contains(known.id.as_str()));
        gone.into_iter().all(|known| known.revoked_at.is_some()).then_some(Self { added, revoked })
    }
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
