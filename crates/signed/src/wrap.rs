//! A wrap: a bundle key locked for one recipient. Here it is opaque: only its address can be read.

use crate::{
    Malformed,
    keycard::ID_MAX,
    lv::{Reader, Writer},
};

/// The key fingerprint in an own-wrap: the owner key is symmetric, and the epoch already names it.
pub const OWN_KEY_FP: [u8; 32] = [0; 32];

/// Whom a wrap or an envelope is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrapKind {
    /// A person's encryption key.
    User,
    /// A team's key of one epoch.
    Team,
    /// The key in an invite link's fragment.
    Invite,
    /// The bundle's own holder: a symmetric wrap.
    Own,
}

impl WrapKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Team => "team",
            Self::Invite => "invite",
            Self::Own => "own",
        }
    }

    /// Reads the word on the wire.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        match text {
            "user" => Ok(Self::User),
            "team" => Ok(Self::Team),
            "invite" => Ok(Self::Invite),
            "own" => Ok(Self::Own),
            _ => Err(Malformed::Unknown("recipient kind")),
        }
    }
}

/// `lv_cat(kind, id, key_fp, epoch, enc32|"", ct48)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrap {
    /// Whom it is for.
    pub kind: WrapKind,
    /// The recipient's id.
    pub id: String,
    /// Fingerprint of the key it is locked for.
    pub key_fp: [u8; 32],
    /// Epoch of that key.
    pub epoch: u32,
    /// HPKE's encapsulated key; absent for [`WrapKind::Own`].
    pub enc: Option<[u8; 32]>,
    /// The bundle key, sealed: 32 bytes and a tag.
    pub ct: [u8; 48],
}

impl Wrap {
    /// The wrap as bytes.
    pub fn encode(&self) -> Vec<u8> {
        Writer::default()
            .text(self.kind.as_str())
            .text(&self.id)
            .bytes(&self.key_fp)
            .u32(self.epoch)
            .optional(self.enc.as_ref().map(<[u8; 32]>::as_slice))
            .bytes(&self.ct)
            .finish()
    }

    /// Reads a wrap.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let wrap = Self {
            kind: WrapKind::parse(reader.text("wrap kind", 16)?)?,
            id: reader.text("wrap id", ID_MAX)?.to_owned(),
            key_fp: reader.array("wrap key")?,
            epoch: reader.u32("wrap epoch")?,
            enc: reader.optional_array("wrap enc")?,
            ct: reader.array("wrap ciphertext")?,
        };
        reader.finish("wrap")?;
        if wrap.enc.is_none() == (wrap.kind == WrapKind::Own) { Ok(wrap) } else { Err(Malformed::Field("wrap enc")) }
    }
}
