//! H: what a bundle says about itself in the clear (`docs/protocol.md` §Bundles). The server derives its columns from
//! these signed bytes and from nothing else.

use crate::{
    Malformed, SUITE,
    card::Card,
    keycard::ID_MAX,
    lv::{Reader, Writer},
    wrap::WrapKind,
};

/// Most recipients of one bundle.
pub const RECIPIENTS_MAX: usize = 64;
/// Longest message, in bytes: 2 000 characters (SPEC T2) of at most four bytes.
pub const MESSAGE_BYTES_MAX: usize = 8_000;
/// Most attachments (SPEC T2).
pub const ATTACHMENTS_MAX: usize = 50;
/// Longest attachment reference, in bytes.
pub const ATTACHMENT_BYTES_MAX: usize = 320;
/// Longest ticket id or persona name, in bytes.
pub const PROVENANCE_BYTES_MAX: usize = 256;
/// Longest card, in bytes.
pub const CARD_BYTES_MAX: usize = 4_096;

/// What a bundle is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleKind {
    /// The owner's own copy, made by a push.
    Snapshot,
    /// Given to someone else.
    Handoff,
    /// Given to a device.
    Device,
}

impl BundleKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Handoff => "handoff",
            Self::Device => "device",
        }
    }

    fn parse(text: &str) -> Result<Self, Malformed> {
        match text {
            "snapshot" => Ok(Self::Snapshot),
            "handoff" => Ok(Self::Handoff),
            "device" => Ok(Self::Device),
            _ => Err(Malformed::Unknown("bundle kind")),
        }
    }
}

/// One recipient: who, and under which of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Person, team or invite.
    pub kind: WrapKind,
    /// Their id.
    pub id: String,
    /// Fingerprint of their key.
    pub key_fp: [u8; 32],
    /// Epoch of that key.
    pub epoch: u32,
}

impl Recipient {
    fn encode(&self) -> Vec<u8> {
        Writer::default().text(self.kind.as_str()).text(&self.id).bytes(&self.key_fp).u32(self.epoch).finish()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let recipient = Self {
            kind: WrapKind::parse(reader.text("recipient kind", 16)?)?,
            id: reader.text("recipient id", ID_MAX)?.to_owned(),
            key_fp: reader.array("recipient key")?,
            epoch: reader.u32("recipient epoch")?,
        };
        reader.finish("recipient")?;
        Ok(recipient)
    }
}

/// The header of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Fresh random id.
    pub bundle_id: [u8; 16],
    /// What it is for.
    pub kind: BundleKind,
    /// The handoff it belongs to, `hnd_…`; empty on a snapshot.
    pub handoff_id: String,
    /// Revision of the handoff's bundle, from 0.
    pub revision: u32,
    /// The session, `ses_…`, as its sender knows it.
    pub session_id: String,
    /// Position of the snapshot in the session's chain, from 1; a handoff repeats the snapshot's.
    pub seq: u64,
    /// SHA-256 of the envelope before in that chain.
    pub parent: Option<[u8; 32]>,
    /// Who sealed it, `usr_…`.
    pub sender_id: String,
    /// The sender's identity key.
    pub identity_key: [u8; 32],
    /// The device key that signed it.
    pub device_key: [u8; 32],
    /// Who made the session, when it is handed on.
    pub author_id: String,
    /// For whom the bundle key was wrapped.
    pub recipients: Vec<Recipient>,
    /// The public description.
    pub card: Card,
    /// The sender's message; empty with `--private`.
    pub message: String,
    /// Ticket id, or empty.
    pub ticket: String,
    /// Persona name, or empty.
    pub persona: String,
    /// `kind:ref_id` each.
    pub attachments: Vec<String>,
    /// When it was sealed, unix milliseconds.
    pub created_at: u64,
    /// When the handoff ends, unix milliseconds; 0 on a snapshot.
    pub not_after: u64,
    /// Head of the key directory the sender last saw; absent while the server keeps none.
    pub directory_head: Option<[u8; 32]>,
}

impl Header {
    const LABEL: &'static str = "segue/bundle/1";

    /// Whether it is for somebody who had not joined when it was signed (SPEC T19).
    pub fn is_for_an_invite(&self) -> bool {
        self.recipients.iter().any(|recipient| recipient.kind == WrapKind::Invite)
    }

    /// The header as bytes.
    pub fn encode(&self) -> Vec<u8> {
        Writer::labelled(Self::LABEL)
            .u8(SUITE)
            .bytes(&self.bundle_id)
            .text(self.kind.as_str())
            .text(&self.handoff_id)
            .u32(self.revision)
            .text(&self.session_id)
            .u64(self.seq)
            .optional(self.parent.as_ref().map(<[u8; 32]>::as_slice))
            .text(&self.sender_id)
            .bytes(&self.identity_key)
            .bytes(&self.device_key)
            .text(&self.author_id)
            .list(&self.recipients, Recipient::encode)
            .bytes(&self.card.encode())
            .text(&self.message)
            .text(&self.ticket)
            .text(&self.persona)
            .list(&self.attachments, |attachment| attachment.as_bytes().to_vec())
            .u64(self.created_at)
            .u64(self.not_after)
            .optional(self.directory_head.as_ref().map(<[u8; 32]>::as_slice))
            .finish()
    }

    /// Reads a header.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        reader.label(Self::LABEL)?;
        if reader.u8("suite")? != SUITE {
            return Err(Malformed::Unknown("suite"));
        }
        let header = Self {
            bundle_id: reader.array("bundle id")?,
            kind: BundleKind::parse(reader.text("bundle kind", 16)?)?,
            handoff_id: reader.text("handoff id", ID_MAX)?.to_owned(),
            revision: reader.u32("revision")?,
            session_id: reader.text("session id", ID_MAX)?.to_owned(),
            seq: reader.u64("seq")?,
            parent: reader.optional_array("parent")?,
            sender_id: reader.text("sender id", ID_MAX)?.to_owned(),
            identity_key: reader.array("identity key")?,
            device_key: reader.array("device key")?,
            author_id: reader.text("author id", ID_MAX)?.to_owned(),
            recipients: reader.list("recipients", RECIPIENTS_MAX, Recipient::parse)?,
            card: parse_card(reader.bytes("card")?)?,
            message: reader.text("message", MESSAGE_BYTES_MAX)?.to_owned(),
            ticket: reader.text("ticket", PROVENANCE_BYTES_MAX)?.to_owned(),
            persona: reader.text("persona", PROVENANCE_BYTES_MAX)?.to_owned(),
            attachments: reader.list("attachments", ATTACHMENTS_MAX, parse_attachment)?,
            created_at: reader.u64("created")?,
            not_after: reader.u64("not after")?,
            directory_head: reader.optional_array("directory head")?,
        };
        reader.finish("header")?;
        header.check_kind()
    }

    /// A snapshot belongs to no handoff and has no recipient; a handoff has both.
    fn check_kind(self) -> Result<Self, Malformed> {
        let addressed = !self.handoff_id.is_empty() && !self.recipients.is_empty() && self.not_after > 0;
        let unaddressed = self.handoff_id.is_empty() && self.recipients.is_empty() && self.not_after == 0;
        let fits = match self.kind {
            BundleKind::Handoff => addressed,
            BundleKind::Snapshot => unaddressed,
            BundleKind::Device => true,
        };
        if !fits {
            return Err(Malformed::Field("bundle kind"));
        }
        self.check_recipients()
    }

    /// Nobody is named twice, and nobody receives what is their own: that is what an own-wrap is for.
    fn check_recipients(self) -> Result<Self, Malformed> {
        let mut named: Vec<_> = self.recipients.iter().map(|one| (one.kind.as_str(), one.id.as_str())).collect();
        named.sort_unstable();
        let all = named.len();
        named.dedup();
        let own = self.recipients.iter().any(|one| one.kind == WrapKind::Own);
        if own || named.len() < all { Err(Malformed::Field("recipients")) } else { Ok(self) }
    }
}

fn parse_card(bytes: &[u8]) -> Result<Card, Malformed> {
    if bytes.len() > CARD_BYTES_MAX { Err(Malformed::Field("card")) } else { Card::parse(bytes) }
}

fn parse_attachment(bytes: &[u8]) -> Result<String, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::Field("attachment"))?;
    if text.len() > ATTACHMENT_BYTES_MAX { Err(Malformed::Field("attachment")) } else { Ok(text.to_owned()) }
}
