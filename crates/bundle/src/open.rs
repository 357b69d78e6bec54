//! The receiver's side, in the protocol's order: each step takes what only the step before gives.
//!
//! lv → suite → device in the card (a holder's own-wrap stands for that) → (pin: the caller's) → signature → I am a recipient → id, expiry, rollback → wrap →
//! commit → (claim) → manifest hash → AEAD → sums within limits → [`mod@crate::unpack`].

use rand_core::CryptoRng;
use segue_crypto::{
    BundleKey, EncryptionKey, RecipientKey,
    sealing::Unopened,
    wrap::{BundleRef, UnwrapError, WrapError, unwrap, unwrap_own, wrap_for, wrap_own},
};
use segue_domain::limits::{MANIFEST_BYTES_MAX, PREVIEW_BYTES_MAX};
use segue_signed::{
    BundleKind, Envelope, Header, KeyCard, Malformed, SignedEnvelope, Unverified, Wrap, WrapKind, sha256,
};
use zeroize::Zeroizing;

use crate::{
    contents::{Contents, ContentsError},
    manifest::{Manifest, ManifestError},
    seal::Owner,
};

/// As whom a bundle is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader<'a> {
    /// As one of its recipients.
    Recipient {
        /// Person, team or invite.
        kind: WrapKind,
        /// Their id.
        id: &'a str,
    },
    /// As somebody who joined after the bundle was sealed for an invite: the sender locked its key for them later.
    LateJoiner,
    /// As its holder, with an own-wrap: the one who made it, or who claimed it.
    Holder,
}

/// What the caller asked the server for. Anything else that comes back is refused.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// What the bundle is for.
    pub kind: BundleKind,
    /// The handoff, `hnd_…`; empty for a snapshot.
    pub handoff_id: &'a str,
    /// The session, when the caller knows it.
    pub session_id: Option<&'a str>,
    /// As whom.
    pub reader: Reader<'a>,
    /// Now in unix milliseconds, compared with the handoff's end; `None` after the claim.
    pub now: Option<u64>,
    /// The highest position in the session's chain seen so far, or 0.
    pub seq_min: u64,
    /// The highest revision of the handoff seen so far, or 0.
    pub revision_min: u32,
}

/// Why an envelope is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It is no envelope.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is not signed by an active device of the sender.
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// The caller is not among its recipients.
    #[error("the bundle is not for you")]
    NotARecipient,
    /// It is a bundle of another kind.
    #[error("the bundle is for something else than was asked for")]
    Kind,
    /// It belongs to another handoff.
    #[error("the bundle belongs to another handoff")]
    Handoff,
    /// It belongs to another session.
    #[error("the bundle belongs to another session")]
    Session,
    /// The handoff is over.
    #[error("the handoff has expired")]
    Expired,
    /// A newer one was seen before.
    #[error("the server sent an older version than before")]
    RolledBack,
}

/// Reads an envelope and verifies it. The caller has verified `sender` and compared it with its pin.
pub fn verify_envelope(
    bytes: &[u8],
    sender: &KeyCard,
    expected: &Expected<'_>,
) -> Result<VerifiedEnvelope, VerifyError> {
    let signed = SignedEnvelope::parse(bytes)?;
    let verified = match expected.reader {
        Reader::Holder => signed.verify_held(&sender.user_id),
        Reader::Recipient { .. } | Reader::LateJoiner => signed.verify_earlier(sender),
    };
    let header = &verified?.header;
    if let Reader::Recipient { kind, id } = expected.reader
        && !header.recipients.iter().any(|recipient| recipient.kind == kind && recipient.id == id)
    {
        return Err(VerifyError::NotARecipient);
    }
    if expected.reader == Reader::LateJoiner && !header.is_for_an_invite() {
        return Err(VerifyError::NotARecipient);
    }
    if header.kind != expected.kind {
        return Err(VerifyError::Kind);
    }
    if header.handoff_id != expected.handoff_id {
        return Err(VerifyError::Handoff);
    }
    if expected.session_id.is_some_and(|id| id != header.session_id) {
        return Err(VerifyError::Session);
    }
    if expected.now.is_some_and(|now| header.not_after > 0 && now >= header.not_after) {
        return Err(VerifyError::Expired);
    }
    if header.seq < expected.seq_min || header.revision < expected.revision_min {
        return Err(VerifyError::RolledBack);
    }
    Ok(VerifiedEnvelope { signed })
}

/// An envelope that passed [`verify_envelope`].
#[derive(Debug, Clone)]
pub struct VerifiedEnvelope {
    signed: SignedEnvelope,
}

/// Why a wrap does not open a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// The envelope does not list whom the wrap is for.
    #[error("the wrap is for someone whom the sender did not name")]
    NotListed,
    /// See [`UnwrapError`].
    #[error(transparent)]
    Unwrap(#[from] UnwrapError),
}

impl VerifiedEnvelope {
    /// What was verified.
    pub fn envelope(&self) -> &Envelope {
        &self.signed.envelope
    }

    /// What the sender says about the bundle.
    pub fn header(&self) -> &Header {
        &self.signed.envelope.header
    }

    /// SHA-256 of the envelope's bytes: what the next snapshot names as its parent.
    pub fn hash(&self) -> [u8; 32] {
        self.signed.hash()
    }

    /// Opens a recipient's wrap with their key.
    pub fn unwrap(self, key: &EncryptionKey, wrap: &Wrap) -> Result<OpenedBundle, UnlockError> {
        let listed = self.header().recipients.iter().any(|recipient| {
            recipient.kind == wrap.kind
                && recipient.id == wrap.id
                && recipient.key_fp == wrap.key_fp
                && recipient.epoch == wrap.epoch
        });
        if !listed {
            return Err(UnlockError::NotListed);
        }
        let key = unwrap(key, BundleRef::of(self.envelope()), wrap)?;
        Ok(OpenedBundle::new(self, key))
    }

    /// Opens the wrap that a sender made for `user_id`, who joined after the bundle was sealed for an invite. Who else could
    /// have made it is who has the invite: nobody is deceived who trusts the sender with whom they invite.
    pub fn unwrap_late(self, key: &EncryptionKey, user_id: &str, wrap: &Wrap) -> Result<OpenedBundle, UnlockError> {
        if wrap.kind != WrapKind::User || wrap.id != user_id || !self.header().is_for_an_invite() {
            return Err(UnlockError::NotListed);
        }
        let key = unwrap(key, BundleRef::of(self.envelope()), wrap)?;
        Ok(OpenedBundle::new(self, key))
    }

    /// Opens the holder's own-wrap. It must name `owner`.
    pub fn unwrap_own(self, owner: Owner<'_>, wrap: &Wrap) -> Result<OpenedBundle, UnlockError> {
        if wrap.id != owner.user_id || wrap.epoch != owner.epoch {
            return Err(UnlockError::NotListed);
        }
        let key = unwrap_own(owner.key, BundleRef::of(self.envelope()), wrap)?;
        Ok(OpenedBundle::new(self, key))
    }
}

/// Why a sealed manifest or preview is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The envelope names no preview.
    #[error("the bundle has no preview")]
    NoPreview,
    /// Its length is not the signed one, or above the limit.
    #[error("the sealed manifest has another length than the sender signed for")]
    Length,
    /// The preview is longer than [`PREVIEW_BYTES_MAX`].
    #[error("the sealed preview is longer than {PREVIEW_BYTES_MAX} bytes")]
    PreviewLength,
    /// Its hash is not the signed one.
    #[error("the sealed bytes are not those that the sender signed for")]
    Hash,
    /// It does not open.
    #[error(transparent)]
    Unopened(#[from] Unopened),
    /// It opens to no acceptable manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest and the envelope's packs do not fit together.
    #[error(transparent)]
    Contents(#[from] ContentsError),
}

/// A bundle whose key was unlocked and matches the commit.
#[derive(Debug)]
pub struct OpenedBundle {
    verified: VerifiedEnvelope,
    header_hash: [u8; 32],
    key: BundleKey,
}

impl OpenedBundle {
    fn new(verified: VerifiedEnvelope, key: BundleKey) -> Self {
        let header_hash = sha256(&verified.header().encode());
        Self { verified, header_hash, key }
    }

    /// The verified envelope.
    pub fn verified(&self) -> &VerifiedEnvelope {
        &self.verified
    }

    /// What proves to the server that the claimer can open the bundle.
    pub fn claim_proof(&self) -> Zeroizing<[u8; 32]> {
        self.key.claim_proof()
    }

    /// The own-wrap that a claimer stores, after which the handoff's wraps are deleted.
    pub fn own_wrap(&self, owner: Owner<'_>) -> Wrap {
        wrap_own(&self.key, &self.verified.header().identity_key, owner.key, owner.user_id, owner.epoch)
    }

    /// Locks the bundle's key for one more: who joined after it was sealed for an invite (SPEC T19).
    pub fn wrap_for(&self, rng: &mut dyn CryptoRng, recipient: &RecipientKey) -> Result<Wrap, WrapError> {
        wrap_for(rng, &self.key, &self.verified.header().identity_key, recipient)
    }

    /// Opens the preview: plain JSON, written by the sender and as hostile as any text.
    pub fn open_preview(&self, sealed: Vec<u8>) -> Result<Vec<u8>, OpenError> {
        let hash = self.verified.envelope().preview_hash.ok_or(OpenError::NoPreview)?;
        if sealed.len() > PREVIEW_BYTES_MAX {
            return Err(OpenError::PreviewLength);
        }
        if sha256(&sealed) != hash {
            return Err(OpenError::Hash);
        }
        Ok(self.key.open_preview(&self.header_hash, sealed)?)
    }

    /// Opens the manifest and puts it together with the envelope's packs.
    pub fn open_manifest(&self, sealed: Vec<u8>) -> Result<Contents, OpenError> {
        let envelope = self.verified.envelope();
        if sealed.len() != envelope.manifest_len as usize || envelope.manifest_len > MANIFEST_BYTES_MAX {
            return Err(OpenError::Length);
        }
        if sha256(&sealed) != envelope.manifest_hash {
            return Err(OpenError::Hash);
        }
        let plain = self.key.open_manifest(&self.header_hash, sealed)?;
        Ok(Contents::new(Manifest::parse(&plain)?, envelope.packs.clone())?)
    }
}
