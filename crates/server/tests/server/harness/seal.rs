//! Bundles as a client would make them, but sealed with nothing: random bytes, which the server cannot tell from others.

use std::sync::atomic::{AtomicU64, Ordering};

use ed25519_dalek::Signer as _;
use reqwest::RequestBuilder;
use segue_domain::{BundleId, PackId};
use segue_server::app::Random;
use segue_signed::{
    BundleKind, Card, Envelope, Header, InlinePack, KeyCard, PackEntry, Parcel, Recipient, SignedEnvelope, Wrap,
    WrapKind, parcel, sha256, sig, wrap::OWN_KEY_FP,
};

use super::{Person, person::Payload};

static DRAWN: AtomicU64 = AtomicU64::new(0);

/// Bytes that are drawn once: a hash of a counter.
pub(crate) fn draw<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

fn fill(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(32) {
        let number = DRAWN.fetch_add(1, Ordering::SeqCst);
        chunk.copy_from_slice(&sha256(&number.to_be_bytes())[..chunk.len()]);
    }
}

/// The server's randomness in tests.
pub(crate) fn seeded() -> Random {
    Box::new(|bytes| {
        fill(bytes);
        Ok(())
    })
}

/// A pack of random bytes.
#[derive(Clone)]
pub(crate) struct TestPack {
    pub(crate) entry: PackEntry,
    pub(crate) bytes: Vec<u8>,
}

impl TestPack {
    pub(crate) fn new(len: usize) -> Self {
        let mut bytes = vec![0; len];
        fill(&mut bytes);
        Self { entry: PackEntry { id: draw(), sha256: sha256(&bytes), len: len as u64 }, bytes }
    }

    pub(crate) fn id(&self) -> PackId {
        PackId::from_bytes(self.entry.id)
    }
}

/// A parcel, as it is sent.
pub(crate) struct Sealed(pub(crate) Vec<u8>);

impl Payload for Sealed {
    fn onto(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("content-type", parcel::MEDIA_TYPE).body(self.0.clone())
    }
}

/// A bundle that was made and not sent yet. Its header may be changed before [`Draft::sign`].
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) envelope: Envelope,
    pub(crate) manifest: Vec<u8>,
    pub(crate) preview: Vec<u8>,
    pub(crate) wraps: Vec<Wrap>,
    pub(crate) claim: [u8; 32],
}

impl Draft {
    /// The first snapshot of a new session.
    pub(crate) fn snapshot(sender: &Person, session_id: &str, packs: &[&TestPack]) -> Self {
        let (manifest, preview, claim) = (draw::<200>().to_vec(), draw::<100>().to_vec(), draw::<32>());
        let header = Header {
            bundle_id: draw(),
            kind: BundleKind::Snapshot,
            handoff_id: String::new(),
            revision: 0,
            session_id: session_id.to_owned(),
            seq: 1,
            parent: None,
            sender_id: sender.user_id.clone(),
            identity_key: sender.card().identity_key,
            device_key: sender.device_key.verifying_key().to_bytes(),
            author_id: sender.user_id.clone(),
            recipients: Vec::new(),
            card: Card { tool: "claude-code".to_owned(), title: "fix the parser".to_owned(), ..Card::default() },
            message: String::new(),
            ticket: String::new(),
            persona: String::new(),
            attachments: Vec::new(),
            created_at: super::BEGIN.as_wire(),
            not_after: 0,
            directory_head: None,
        };
        let envelope = Envelope {
            header,
            manifest_hash: sha256(&manifest),
            manifest_len: 200,
            preview_hash: Some(sha256(&preview)),
            packs: packs.iter().map(|pack| pack.entry).collect(),
            commit: draw(),
            claim_check: sha256(&claim),
        };
        let wraps = vec![wrap(WrapKind::Own, sender.card())];
        Self { envelope, manifest, preview, wraps, claim }
    }

    /// The snapshot that continues one that was sent.
    pub(crate) fn next(sender: &Person, before: &SignedEnvelope, packs: &[&TestPack]) -> Self {
        let mut draft = Self::snapshot(sender, &before.envelope.header.session_id, packs);
        draft.envelope.header.seq = before.envelope.header.seq + 1;
        draft.envelope.header.parent = Some(before.hash());
        draft
    }

    /// A handoff of the same packs for the holders of `cards`.
    pub(crate) fn handoff(
        sender: &Person,
        snapshot: &SignedEnvelope,
        handoff_id: &str,
        not_after: i64,
        cards: &[&KeyCard],
    ) -> Self {
        let mut draft = Self::snapshot(sender, &snapshot.envelope.header.session_id, &[]);
        draft.envelope.packs.clone_from(&snapshot.envelope.packs);
        let header = &mut draft.envelope.header;
        header.kind = BundleKind::Handoff;
        handoff_id.clone_into(&mut header.handoff_id);
        header.not_after = not_after.unsigned_abs();
        header.seq = snapshot.envelope.header.seq;
        header.parent = snapshot.envelope.header.parent;
        "can you take it from here?".clone_into(&mut header.message);
        header.recipients = cards.iter().map(|card| recipient(card)).collect();
        draft.wraps = cards.iter().map(|card| wrap(WrapKind::User, card)).collect();
        draft
    }

    pub(crate) fn bundle_id(&self) -> BundleId {
        BundleId::from_bytes(self.envelope.header.bundle_id)
    }

    /// Signs, as it is now.
    pub(crate) fn sign(&self, sender: &Person) -> SignedEnvelope {
        let bytes = sig::signed_bytes(Envelope::SIGNATURE_LABEL, &self.envelope.encode());
        SignedEnvelope::new(self.envelope.clone(), sender.device_key.sign(&bytes).to_bytes())
    }

    /// The request for what was signed.
    pub(crate) fn body(&self, signed: &SignedEnvelope) -> Sealed {
        self.body_with(signed.as_bytes(), &[])
    }

    /// The request with packs inside it.
    pub(crate) fn body_with(&self, envelope: &[u8], packs: &[&TestPack]) -> Sealed {
        let packs = packs.iter().map(|pack| InlinePack { id: pack.entry.id, bytes: &pack.bytes }).collect();
        let (manifest, preview) = (self.manifest.as_slice(), Some(self.preview.as_slice()));
        Sealed(Parcel { envelope, manifest, preview, wraps: self.wraps.clone(), packs }.encode())
    }
}

/// Somebody's current address in an envelope.
pub(crate) fn recipient(card: &KeyCard) -> Recipient {
    let (id, key_fp, epoch) = (card.user_id.clone(), card.encryption_key_fingerprint(), card.epoch);
    Recipient { kind: WrapKind::User, id, key_fp, epoch }
}

/// A wrap of random bytes for somebody's current key.
pub(crate) fn wrap(kind: WrapKind, card: &KeyCard) -> Wrap {
    Wrap {
        kind,
        id: card.user_id.clone(),
        key_fp: if kind == WrapKind::Own { OWN_KEY_FP } else { card.encryption_key_fingerprint() },
        epoch: card.epoch,
        enc: (kind != WrapKind::Own).then(draw),
        ct: draw(),
    }
}
