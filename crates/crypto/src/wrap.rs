//! Wraps: a bundle key locked for one recipient (`docs/protocol.md` §Bundles).
//!
//! * info = `lv_cat("segue/wrap/1", suite u8, bundle_id16, IK, kind, id, key_fp32, epoch u32)`; IK is the sender's.
//! * `user`, `team`, `invite`: HPKE base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305,
//!   that info, aad commit32, plaintext BK.
//! * `own`: AES-256-GCM(HKDF-SHA256(salt commit32, ikm OWK, that info, 32), 0^12, aad commit32, BK). Its id is the
//!   holder's user id and its key_fp is 32 zero bytes, since OWK has no public half. The commit is the salt so that a
//!   sender who uses one bundle id for two bundle keys cannot make a holder seal twice under one key and nonce.

use hpke::{
    OpModeR, OpModeS, Serializable as _, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::X25519HkdfSha256,
    single_shot_open, single_shot_seal_with_rng,
};
use rand_core::CryptoRng;
use segue_signed::{
    Envelope, Recipient, SUITE, Wrap, WrapKind, keycard::key_fingerprint, lv::Writer, sig::strong_x25519,
    wrap::OWN_KEY_FP,
};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    bundle_key::BundleKey,
    derive::derive,
    encryption::EncryptionKey,
    owner::OwnerKey,
    sealing::{open_with, seal},
};

/// One recipient with the public key the bundle key is locked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientKey {
    /// Person, team or invite.
    pub kind: WrapKind,
    /// Their id.
    pub id: String,
    /// Their X25519 public key, from a verified key card or roster.
    pub public_key: [u8; 32],
    /// Epoch of that key.
    pub epoch: u32,
}

impl RecipientKey {
    /// The entry that stands in the header.
    pub fn recipient(&self) -> Recipient {
        Recipient { kind: self.kind, id: self.id.clone(), key_fp: key_fingerprint(&self.public_key), epoch: self.epoch }
    }
}

/// The bundle that a wrap belongs to: what the wrap is bound to, from a verified envelope.
#[derive(Debug, Clone, Copy)]
pub struct BundleRef<'a> {
    /// Its id.
    pub bundle_id: &'a [u8; 16],
    /// The sender's identity key.
    pub identity_key: &'a [u8; 32],
    /// The envelope's commit.
    pub commit: &'a [u8; 32],
}

impl<'a> BundleRef<'a> {
    /// The bundle of `envelope`, which the caller has verified.
    pub fn of(envelope: &'a Envelope) -> Self {
        Self {
            bundle_id: &envelope.header.bundle_id,
            identity_key: &envelope.header.identity_key,
            commit: &envelope.commit,
        }
    }

    fn info(&self, kind: WrapKind, id: &str, key_fp: &[u8; 32], epoch: u32) -> Vec<u8> {
        Writer::labelled("segue/wrap/1")
            .u8(SUITE)
            .bytes(self.bundle_id)
            .bytes(self.identity_key)
            .text(kind.as_str())
            .text(id)
            .bytes(key_fp)
            .u32(epoch)
            .finish()
    }
}

/// Why a bundle key was not locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// The recipient's key is of small order: everybody could open the wrap.
    #[error("the recipient's key is weak")]
    WeakKey,
    /// An own-wrap is made with [`wrap_own`].
    #[error("an own-wrap has no public key")]
    Own,
}

/// Why a wrap gave no bundle key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// The wrap names another key: made before the last change of keys, or for someone else.
    #[error("the wrap was made for another key")]
    OtherKey,
    /// It does not open: changed, or moved from another bundle or recipient.
    #[error("the wrap does not open: changed, or made for another bundle or recipient")]
    Unopened,
    /// It opens to a key that the envelope does not commit to.
    #[error("the wrap holds another key than the one the sender signed for")]
    Commit,
}

/// Locks `key` for `recipient`, in the name of the sender with `identity_key`.
pub fn wrap_for(
    rng: &mut dyn CryptoRng,
    key: &BundleKey,
    identity_key: &[u8; 32],
    recipient: &RecipientKey,
) -> Result<Wrap, WrapError> {
    let commit = key.commit();
    let bundle = BundleRef { bundle_id: key.bundle_id(), identity_key, commit: &commit };
    lock(rng, bundle, recipient, key.expose())
}

/// Locks `plain`, which is the key that `bundle` commits to unless a test lies.
fn lock(
    rng: &mut dyn CryptoRng,
    bundle: BundleRef<'_>,
    recipient: &RecipientKey,
    plain: &[u8; 32],
) -> Result<Wrap, WrapError> {
    if recipient.kind == WrapKind::Own {
        return Err(WrapError::Own);
    }
    strong_x25519(&recipient.public_key).map_err(|_| WrapError::WeakKey)?;
    let public = hpke::Deserializable::from_bytes(&recipient.public_key).map_err(|_| WrapError::WeakKey)?;
    let Recipient { kind, id, key_fp, epoch } = recipient.recipient();
    let (enc, ct) = single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        &bundle.info(kind, &id, &key_fp, epoch),
        plain,
        bundle.commit,
        &mut &mut *rng,
    )
    .map_err(|_| WrapError::WeakKey)?;
    let ct = ct.as_slice().try_into().expect("32 bytes and a tag are 48");
    Ok(Wrap { kind, id, key_fp, epoch, enc: Some(enc.to_bytes().into()), ct })
}

/// Unlocks a wrap for a person, a team or an invite, and checks the commit.
pub fn unwrap(key: &EncryptionKey, bundle: BundleRef<'_>, wrap: &Wrap) -> Result<BundleKey, UnwrapError> {
    let enc = wrap.enc.as_ref().ok_or(UnwrapError::OtherKey)?;
    if wrap.kind == WrapKind::Own || wrap.key_fp != key.fingerprint() {
        return Err(UnwrapError::OtherKey);
    }
    let enc = hpke::Deserializable::from_bytes(enc).map_err(|_| UnwrapError::Unopened)?;
    let plain = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &key.private(),
        &enc,
        &bundle.info(wrap.kind, &wrap.id, &wrap.key_fp, wrap.epoch),
        &wrap.ct,
        bundle.commit,
    )
    .map_err(|_| UnwrapError::Unopened)?;
    committed(bundle, plain)
}

/// Locks `key` for its own holder `user_id` (`usr_…`) under their owner key of `epoch`.
pub fn wrap_own(key: &BundleKey, identity_key: &[u8; 32], owner: &OwnerKey, user_id: &str, epoch: u32) -> Wrap {
    let commit = key.commit();
    let bundle = BundleRef { bundle_id: key.bundle_id(), identity_key, commit: &commit };
    let lock = own_lock(owner, bundle, user_id, epoch);
    let sealed = seal(&lock, &commit, key.expose().to_vec());
    Wrap {
        kind: WrapKind::Own,
        id: user_id.to_owned(),
        key_fp: OWN_KEY_FP,
        epoch,
        enc: None,
        ct: sealed.as_slice().try_into().expect("32 bytes and a tag are 48"),
    }
}

/// Unlocks an own-wrap, and checks the commit.
pub fn unwrap_own(owner: &OwnerKey, bundle: BundleRef<'_>, wrap: &Wrap) -> Result<BundleKey, UnwrapError> {
    if wrap.kind != WrapKind::Own || wrap.key_fp != OWN_KEY_FP {
        return Err(UnwrapError::OtherKey);
    }
    let lock = own_lock(owner, bundle, &wrap.id, wrap.epoch);
    let plain = open_with(&lock, bundle.commit, wrap.ct.to_vec()).map_err(|_| UnwrapError::Unopened)?;
    committed(bundle, plain)
}

fn own_lock(owner: &OwnerKey, bundle: BundleRef<'_>, user_id: &str, epoch: u32) -> Zeroizing<[u8; 32]> {
    let info = bundle.info(WrapKind::Own, user_id, &OWN_KEY_FP, epoch);
    derive(bundle.commit, owner.expose(), &info)
}

/// The bundle key in `plain`, when it is the one the envelope commits to.
fn committed(bundle: BundleRef<'_>, mut plain: Vec<u8>) -> Result<BundleKey, UnwrapError> {
    let bytes = plain.as_slice().try_into().map_err(|_| UnwrapError::Unopened);
    plain.zeroize();
    let key = BundleKey::unwrapped(*bundle.bundle_id, bytes?);
    if key.matches(bundle.commit) { Ok(key) } else { Err(UnwrapError::Commit) }
}

#[cfg(test)]
#[path = "wrap_tests.rs"]
mod tests;
