//! A roster with who signed it.

use super::{Roster, RosterRefused, identity_fingerprint};
use crate::{
    DeviceKind, Malformed, Signature, SignedKeyCard, Unverified,
    keycard::ID_MAX,
    lv::{Reader, Writer},
    sig::verify,
};

/// `roster ‖ lv_cat(signer_id, DK) ‖ Sig(DK, "roster", roster ‖ lv_cat(signer_id, DK))`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRoster {
    /// What is signed.
    pub roster: Roster,
    /// Whose device signed, `usr_…`.
    pub signer_id: String,
    /// The device's public key.
    pub device_key: [u8; 32],
    /// By that device.
    pub signature: Signature,
}

/// What a signature says of the person whose key card it was compared with.
pub(super) struct Signer {
    /// Of the card's identity key.
    pub(super) identity_fp: [u8; 32],
    /// Whether the device was not revoked.
    pub(super) active: bool,
}

impl SignedRoster {
    /// The label under which a device signs a roster.
    pub const SIGNATURE_LABEL: &'static str = "roster";

    /// The bytes that `device_key`, a device of `signer_id`, signs under [`Self::SIGNATURE_LABEL`].
    pub fn to_sign(roster: &Roster, signer_id: &str, device_key: &[u8; 32]) -> Vec<u8> {
        let mut bytes = roster.encode();
        bytes.extend(Writer::default().text(signer_id).bytes(device_key).finish());
        bytes
    }

    /// The roster, its signer and the signature as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Self::to_sign(&self.roster, &self.signer_id, &self.device_key);
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads a roster and its signature. Believe nothing of it before a [`super::Chain`] has taken it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let roster = Roster::read(&mut reader)?;
        let signer_id = reader.text("roster signer", ID_MAX)?.to_owned();
        let device_key = reader.array("roster device")?;
        let signature = reader.remaining().try_into().map_err(|_| Malformed::Field("roster signature"))?;
        Ok(Self { roster, signer_id, device_key, signature })
    }

    /// That a full device of the person of `card` signed this, whether or not it was revoked since.
    pub(super) fn signer(&self, card: &SignedKeyCard) -> Result<Signer, RosterRefused> {
        let card = card.verify_alone()?;
        if card.user_id != self.signer_id {
            return Err(Unverified::Identity.into());
        }
        let listed = card.devices.iter().find(|device| device.key == self.device_key);
        let device = listed.filter(|device| device.kind == DeviceKind::Full).ok_or(Unverified::Device)?;
        let signed = Self::to_sign(&self.roster, &self.signer_id, &self.device_key);
        verify(&self.device_key, Self::SIGNATURE_LABEL, &signed, &self.signature)?;
        let identity_fp = identity_fingerprint(&card.identity_key);
        Ok(Signer { identity_fp, active: device.revoked_at.is_none() })
    }
}
