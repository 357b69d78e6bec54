//! The secret of a claim link: a handoff for somebody who has no key yet (SPEC T19, `docs/protocol.md` §3, Claim link).
//!
//! * Key(name) = HKDF-SHA256(salt "", ikm s, info `lv_cat("segue/invite/1", name)`, 32), names `id`, `encryption`, `mac`.
//! * The invite's id is the first 16 bytes of Key("id"); Key("encryption") is an X25519 private key that the bundle key is
//!   locked for, with kind `invite` and epoch 1.
//! * proof = HMAC-SHA256(Key("mac"), `lv_cat("segue/invite-proof/1", bundle_id16, H(key card))`): who claimed with the link
//!   shows the sender which key card is theirs, and the server cannot put another in its place.

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand_core::CryptoRng;
use segue_signed::{KeyCard, WrapKind, lv::lv_cat};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{derive::derive, encryption::EncryptionKey, secret::redacted, wrap::RecipientKey};

/// Bytes of the secret.
pub const INVITE_SECRET_BYTES: usize = 16;
/// Epoch of an invite's key: it has one key for ever.
const EPOCH: u32 = 1;

/// s: 16 random bytes, in the link's fragment and on the sender's device.
#[derive(Clone)]
pub struct InviteSecret(Zeroizing<[u8; INVITE_SECRET_BYTES]>);

redacted!(InviteSecret);

impl InviteSecret {
    /// Draws a fresh one.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; INVITE_SECRET_BYTES]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Reads one back from a link or from storage.
    pub fn from_bytes(bytes: [u8; INVITE_SECRET_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes: for a link and a key store, and for nothing else.
    pub fn expose(&self) -> &[u8; INVITE_SECRET_BYTES] {
        &self.0
    }

    /// The id that stands in the envelope and in the link's path.
    pub fn id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id.copy_from_slice(&self.key("id")[..16]);
        id
    }

    /// The key that opens the wrap.
    pub fn encryption(&self) -> EncryptionKey {
        EncryptionKey::from_bytes(*self.key("encryption"))
    }

    /// The recipient that a sender seals for; `id` is [`Self::id`] as text.
    pub fn recipient(&self, id: String) -> RecipientKey {
        RecipientKey { kind: WrapKind::Invite, id, public_key: self.encryption().public(), epoch: EPOCH }
    }

    /// What the claimer publishes about their key card.
    pub fn proof(&self, bundle_id: &[u8; 16], card: &KeyCard) -> [u8; 32] {
        self.mac(bundle_id, card).finalize().into_bytes().into()
    }

    /// Whether a published proof is about this card, compared in constant time.
    pub fn proves(&self, proof: &[u8], bundle_id: &[u8; 16], card: &KeyCard) -> bool {
        self.mac(bundle_id, card).verify_slice(proof).is_ok()
    }

    fn mac(&self, bundle_id: &[u8; 16], card: &KeyCard) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(self.key("mac").as_slice()).expect("HMAC takes keys of any length");
        mac.update(&lv_cat(&[b"segue/invite-proof/1", bundle_id, &card.hash()]));
        mac
    }

    fn key(&self, name: &str) -> Zeroizing<[u8; 32]> {
        derive(&[], self.0.as_slice(), &lv_cat(&[b"segue/invite/1", name.as_bytes()]))
    }
}
