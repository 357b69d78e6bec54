//! The people of the vectors: fixed roots, fixed devices.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use segue_crypto::{DeviceKey, EpochKeys, UserRoot};
use segue_signed::{Device, DeviceKind, KeyCard};

/// Unix milliseconds of everything in the vectors.
pub(crate) const NOW: u64 = 1_790_000_000_000;
pub(crate) const ANN: &str = "usr_0000000000000000000000000a";
pub(crate) const BEN: &str = "usr_0000000000000000000000000b";

/// ChaCha20 with a 32-byte seed of `seed`: what `rand_chacha` draws is not part of the protocol.
pub(crate) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

/// 00 01 02 … from `start`.
pub(crate) fn counting(start: u8) -> [u8; 32] {
    std::array::from_fn(|index| start + u8::try_from(index).unwrap())
}

pub(crate) fn ann() -> (EpochKeys, DeviceKey) {
    (UserRoot::from_bytes(counting(0x00)).epoch(1), DeviceKey::from_bytes(&counting(0x40)))
}

pub(crate) fn ben() -> (EpochKeys, DeviceKey) {
    (UserRoot::from_bytes(counting(0x20)).epoch(1), DeviceKey::from_bytes(&counting(0x60)))
}

/// The first card of a person with one full device and one revoked agent.
pub(crate) fn card(user_id: &str, keys: &EpochKeys, device: &DeviceKey) -> KeyCard {
    let entry = |id: &str, key: [u8; 32], kind, revoked_at| Device {
        id: id.into(),
        key,
        kind,
        added_at: NOW - 1000,
        revoked_at,
    };
    KeyCard {
        user_id: user_id.into(),
        seq: 1,
        previous: None,
        identity_key: keys.identity.public(),
        encryption_key: keys.encryption.public(),
        epoch: keys.epoch,
        devices: vec![
            entry("dev_0000000000000000000000000a", device.public(), DeviceKind::Full, None),
            entry(
                "dev_0000000000000000000000000c",
                DeviceKey::from_bytes(&[0xc0; 32]).public(),
                DeviceKind::Agent,
                Some(NOW - 500),
            ),
        ],
        keyring_version: 0,
        keyring_hash: None,
        created_at: NOW,
    }
}
