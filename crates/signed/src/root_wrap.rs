//! The next user root, locked for one device that stays (`docs/protocol.md` §2, Devices). Here it is opaque: who it is for, to
//! which key card it belongs, and which device made it can be read.

use crate::{
    Malformed, Signature, Unverified,
    keycard::{ID_MAX, KeyCard},
    lv::{Reader, Writer},
    sig::verify,
};

/// `lv_cat("segue/rootwrap/1", user_id, epoch u32, H(card)32, device_id, DK32, enc32, ct48, signer's DK32) ‖ Sig(signer's DK)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootWrap {
    /// Whose root, `usr_…`.
    pub user_id: String,
    /// The epoch that begins.
    pub epoch: u32,
    /// SHA-256 of the card that begins it.
    pub card_hash: [u8; 32],
    /// For which device, `dev_…`.
    pub device_id: String,
    /// Its public key.
    pub device_key: [u8; 32],
    /// HPKE's encapsulated key.
    pub enc: [u8; 32],
    /// The root, sealed: 32 bytes and a tag.
    pub ct: [u8; 48],
    /// Public key of the device that made it.
    pub signer_key: [u8; 32],
    /// By that device.
    pub signature: Signature,
}

impl RootWrap {
    const LABEL: &'static str = "segue/rootwrap/1";
    /// The label under which a device signs one.
    pub const SIGNATURE_LABEL: &'static str = "rootwrap";

    /// What is signed.
    pub fn to_sign(&self) -> Vec<u8> {
        Writer::labelled(Self::LABEL)
            .text(&self.user_id)
            .u32(self.epoch)
            .bytes(&self.card_hash)
            .text(&self.device_id)
            .bytes(&self.device_key)
            .bytes(&self.enc)
            .bytes(&self.ct)
            .bytes(&self.signer_key)
            .finish()
    }

    /// The wrap as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.to_sign();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads a wrap. Believe nothing of it before [`Self::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (body, signature) = bytes.split_last_chunk::<64>().ok_or(Malformed::Field("root wrap signature"))?;
        let mut reader = Reader::new(body);
        reader.label(Self::LABEL)?;
        let wrap = Self {
            user_id: reader.text("root wrap user", ID_MAX)?.to_owned(),
            epoch: reader.u32("root wrap epoch")?,
            card_hash: reader.array("root wrap card")?,
            device_id: reader.text("root wrap device", ID_MAX)?.to_owned(),
            device_key: reader.array("root wrap device key")?,
            enc: reader.array("root wrap enc")?,
            ct: reader.array("root wrap ciphertext")?,
            signer_key: reader.array("root wrap signer")?,
            signature: *signature,
        };
        reader.finish("root wrap")?;
        Ok(wrap)
    }

    /// Verifies that it belongs to `next`, is for an active full device of it, and was made by a full device that was active in
    /// `before`; says which. The caller has verified both cards.
    ///
    /// # Errors
    /// [`Unverified::Identity`] when it belongs to another card; [`Unverified::Device`] when one of the two devices is not what it
    /// should be; [`Unverified::Signature`].
    pub fn verify<'a>(&self, before: &'a KeyCard, next: &KeyCard) -> Result<&'a crate::Device, Unverified> {
        if (self.user_id.as_str(), self.epoch, self.card_hash) != (next.user_id.as_str(), next.epoch, next.hash()) {
            return Err(Unverified::Identity);
        }
        let device = next.active_device(&self.device_key).filter(|device| device.is_active_full());
        device.filter(|device| device.id == self.device_id).ok_or(Unverified::Device)?;
        let signer = before.active_device(&self.signer_key).filter(|device| device.is_active_full());
        let signer = signer.ok_or(Unverified::Device)?;
        verify(&self.signer_key, Self::SIGNATURE_LABEL, &self.to_sign(), &self.signature)?;
        Ok(signer)
    }
}
