//! DK, the device key: signs everything day to day.

use ed25519_dalek::{Signer as _, SigningKey};
use hpke::kem::X25519HkdfSha256;
use rand_core::CryptoRng;
use segue_signed::{Envelope, Roster, Signature, SignedEnvelope, SignedRoster, sig::signed_bytes};
use zeroize::Zeroizing;

use crate::secret::redacted;

/// A device's Ed25519 key. It never leaves the device.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

redacted!(DeviceKey);

impl DeviceKey {
    /// Draws a fresh one.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads one back from its 32-byte seed (RFC 8032 §5.1.5).
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed: for the device's key store and for nothing else.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public key, as it stands in a card and in an envelope.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// `Sig(content)` under `label` (`docs/protocol.md` §Encoding).
    pub fn sign(&self, label: &str, content: &[u8]) -> Signature {
        self.0.sign(&signed_bytes(label, content)).to_bytes()
    }

    /// The X25519 private key that belongs to the image of the public key (see [`mod@crate::root_wrap`]).
    pub(crate) fn agreement(&self) -> <X25519HkdfSha256 as hpke::Kem>::PrivateKey {
        let scalar = Zeroizing::new(self.0.to_scalar_bytes());
        hpke::Deserializable::from_bytes(scalar.as_slice()).expect("any 32 bytes are an X25519 private key")
    }

    /// Signs an envelope. It verifies only when the header names this key.
    pub fn sign_envelope(&self, envelope: Envelope) -> SignedEnvelope {
        let signature = self.sign(Envelope::SIGNATURE_LABEL, &envelope.encode());
        SignedEnvelope::new(envelope, signature)
    }

    /// Signs a roster as a device of `signer_id` (`usr_…`).
    pub fn sign_roster(&self, roster: Roster, signer_id: &str) -> SignedRoster {
        let device_key = self.public();
        let bytes = SignedRoster::to_sign(&roster, signer_id, &device_key);
        let signature = self.sign(SignedRoster::SIGNATURE_LABEL, &bytes);
        SignedRoster { roster, signer_id: signer_id.to_owned(), device_key, signature }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use segue_signed::{Unverified, sig::verify};

    #[test]
    fn a_signature_verifies_under_its_label_only() {
        let key = DeviceKey::from_bytes(&[3; 32]);
        let signature = key.sign("envelope", b"content");
        assert_eq!(verify(&key.public(), "envelope", b"content", &signature), Ok(()));
        assert_eq!(verify(&key.public(), "pair-dst", b"content", &signature), Err(Unverified::Signature));
    }
}
