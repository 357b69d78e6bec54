//! IK, the identity key: signs key cards and nothing else.

use ed25519_dalek::{Signer as _, SigningKey};
use segue_signed::{KeyCard, Signature, SignedKeyCard, sig::signed_bytes};

use crate::secret::redacted;

/// A person's Ed25519 identity key of one epoch.
#[derive(Clone)]
pub struct IdentityKey(SigningKey);

redacted!(IdentityKey);

impl IdentityKey {
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public key, as it stands in a card.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a card. It verifies only when the card names this key.
    pub fn sign_card(&self, card: KeyCard) -> SignedKeyCard {
        let signature = self.signature(&card);
        SignedKeyCard { card, signature, old_signature: None }
    }

    /// Signs the card of the next epoch with this, the old key: the change then is a continuation, not a reset.
    pub fn endorse(&self, next: SignedKeyCard) -> SignedKeyCard {
        SignedKeyCard { old_signature: Some(self.signature(&next.card)), ..next }
    }

    fn signature(&self, card: &KeyCard) -> Signature {
        self.0.sign(&signed_bytes(KeyCard::SIGNATURE_LABEL, &card.encode())).to_bytes()
    }
}
