//! The sender's side, second half: contents are sealed under a fresh bundle key and signed for their recipients.
//!
//! A push and a handoff differ in the heading and the recipients only: a handoff seals a new manifest over the same
//! segments, some kilobytes, and touches no pack.

use rand_core::CryptoRng;
use segue_crypto::{
    BundleKey, DeviceKey, FreshBundleKey, OwnerKey, RecipientKey,
    wrap::{WrapError, wrap_for, wrap_own},
};
use segue_domain::limits::{MANIFEST_BYTES_MAX, PREVIEW_BYTES_MAX};
use segue_signed::{BundleKind, Card, Envelope, Header, Malformed, SignedEnvelope, Wrap, sha256};

use crate::contents::Contents;

/// What the sender says about a bundle: a [`Header`] without what sealing adds to it.
#[derive(Debug, Clone)]
pub struct Heading {
    /// What the bundle is for.
    pub kind: BundleKind,
    /// The handoff it belongs to, `hnd_…`; empty on a snapshot.
    pub handoff_id: String,
    /// Revision of the handoff's bundle, from 0.
    pub revision: u32,
    /// The session, `ses_…`.
    pub session_id: String,
    /// Position of the snapshot in the session's chain, from 1.
    pub seq: u64,
    /// SHA-256 of the envelope before in that chain.
    pub parent: Option<[u8; 32]>,
    /// Who seals it, `usr_…`.
    pub sender_id: String,
    /// The sender's identity key, from their own verified card.
    pub identity_key: [u8; 32],
    /// Who made the session, when it is handed on.
    pub author_id: String,
    /// The public description.
    pub card: Card,
    /// The message; empty with `--private`.
    pub message: String,
    /// Ticket id, or empty.
    pub ticket: String,
    /// Persona name, or empty.
    pub persona: String,
    /// `kind:ref_id` each.
    pub attachments: Vec<String>,
    /// Now, unix milliseconds.
    pub created_at: u64,
    /// When the handoff ends, unix milliseconds; 0 on a snapshot.
    pub not_after: u64,
    /// Head of the key directory last seen.
    pub directory_head: Option<[u8; 32]>,
}

impl Heading {
    fn into_header(self, bundle_id: [u8; 16], device_key: [u8; 32], recipients: &[RecipientKey]) -> Header {
        Header {
            bundle_id,
            kind: self.kind,
            handoff_id: self.handoff_id,
            revision: self.revision,
            session_id: self.session_id,
            seq: self.seq,
            parent: self.parent,
            sender_id: self.sender_id,
            identity_key: self.identity_key,
            device_key,
            author_id: self.author_id,
            recipients: recipients.iter().map(RecipientKey::recipient).collect(),
            card: self.card,
            message: self.message,
            ticket: self.ticket,
            persona: self.persona,
            attachments: self.attachments,
            created_at: self.created_at,
            not_after: self.not_after,
            directory_head: self.directory_head,
        }
    }
}

/// Whose own-wrap is made beside the recipients' wraps.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Their owner key.
    pub key: &'a OwnerKey,
    /// Their id, `usr_…`.
    pub user_id: &'a str,
    /// Epoch of the key.
    pub epoch: u32,
}

/// Why contents were not sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The preview is longer than [`PREVIEW_BYTES_MAX`] when sealed.
    #[error("the preview is longer than {PREVIEW_BYTES_MAX} bytes")]
    PreviewLength,
    /// The manifest is longer than [`MANIFEST_BYTES_MAX`] when sealed.
    #[error("the manifest is longer than {MANIFEST_BYTES_MAX} bytes: too many files")]
    ManifestLength,
    /// The heading holds what every receiver would refuse, an over-long message for example.
    #[error(transparent)]
    Heading(#[from] Malformed),
    /// The key of a recipient.
    #[error("cannot lock the bundle for {id}: {source}")]
    Wrap {
        /// Whose key.
        id: String,
        /// What is wrong with it.
        source: WrapError,
    },
}

/// Everything that is sent, and the key that it opens with.
#[derive(Debug)]
pub struct SealedBundle {
    /// The signed envelope.
    pub envelope: SignedEnvelope,
    /// The sealed manifest.
    pub sealed_manifest: Vec<u8>,
    /// The sealed preview, when there is one.
    pub sealed_preview: Option<Vec<u8>>,
    /// One wrap for each recipient in their order, then the owner's.
    pub wraps: Vec<Wrap>,
    /// The bundle key: a secret.
    pub bundle_key: BundleKey,
}

/// Seals `contents` under a bundle key and a bundle id drawn here, and signs for it as `device`.
///
/// `preview` is the plain JSON of the summary. `owner` adds an own-wrap, without which a snapshot cannot be opened again.
pub fn seal_bundle(
    rng: &mut dyn CryptoRng,
    contents: &Contents,
    heading: Heading,
    device: &DeviceKey,
    preview: Option<&[u8]>,
    recipients: &[RecipientKey],
    owner: Option<Owner<'_>>,
) -> Result<SealedBundle, SealError> {
    let fresh = FreshBundleKey::generate(rng);
    let header = heading.into_header(fresh.bundle_id(), device.public(), recipients);
    let header_hash = sha256(&header.encode());
    let manifest = std::mem::take(&mut *contents.manifest().encode());
    let (key, bodies) = fresh.seal(&header_hash, manifest, preview.map(<[u8]>::to_vec));
    let manifest_len = u32::try_from(bodies.manifest.len()).map_err(|_| SealError::ManifestLength)?;
    if manifest_len > MANIFEST_BYTES_MAX {
        return Err(SealError::ManifestLength);
    }
    if bodies.preview.as_ref().is_some_and(|preview| preview.len() > PREVIEW_BYTES_MAX) {
        return Err(SealError::PreviewLength);
    }
    let identity_key = header.identity_key;
    let mut wraps = wrap_all(rng, &key, &identity_key, recipients)?;
    wraps.extend(owner.map(|owner| wrap_own(&key, &identity_key, owner.key, owner.user_id, owner.epoch)));
    let envelope = device.sign_envelope(Envelope {
        header,
        manifest_hash: sha256(&bodies.manifest),
        manifest_len,
        preview_hash: bodies.preview.as_deref().map(sha256),
        packs: contents.packs().to_vec(),
        commit: key.commit(),
        claim_check: key.claim_check(),
    });
    // Nothing leaves that the other side would refuse: the parser is where the limits of a header stand.
    SignedEnvelope::parse(envelope.as_bytes())?;
    Ok(SealedBundle {
        envelope,
        sealed_manifest: bodies.manifest,
        sealed_preview: bodies.preview,
        wraps,
        bundle_key: key,
    })
}

fn wrap_all(
    rng: &mut dyn CryptoRng,
    key: &BundleKey,
    identity_key: &[u8; 32],
    recipients: &[RecipientKey],
) -> Result<Vec<Wrap>, SealError> {
    recipients
        .iter()
        .map(|recipient| {
            wrap_for(rng, key, identity_key, recipient)
                .map_err(|source| SealError::Wrap { id: recipient.id.clone(), source })
        })
        .collect()
}
