//! A team's key locked for one member (`docs/protocol.md` §2, Teams). Here it is opaque: only its address can be read.

use crate::{
    Malformed,
    keycard::ID_MAX,
    lv::{Reader, Writer},
};

/// `lv_cat(user_id, key_fp32, key_epoch u32, enc32, ct48)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamKeyWrap {
    /// The member, `usr_…`.
    pub user_id: String,
    /// `key_fp` of the member's encryption key.
    pub key_fp: [u8; 32],
    /// Epoch of the member's keys.
    pub key_epoch: u32,
    /// HPKE's encapsulated key.
    pub enc: [u8; 32],
    /// The team key, sealed: 32 bytes and a tag.
    pub ct: [u8; 48],
}

impl TeamKeyWrap {
    /// The wrap as bytes.
    pub fn encode(&self) -> Vec<u8> {
        Writer::default()
            .text(&self.user_id)
            .bytes(&self.key_fp)
            .u32(self.key_epoch)
            .bytes(&self.enc)
            .bytes(&self.ct)
            .finish()
    }

    /// Reads a wrap.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let wrap = Self {
            user_id: reader.text("team key user", ID_MAX)?.to_owned(),
            key_fp: reader.array("team key wrap")?,
            key_epoch: reader.u32("team key epoch")?,
            enc: reader.array("team key enc")?,
            ct: reader.array("team key ciphertext")?,
        };
        reader.finish("team key wrap")?;
        Ok(wrap)
    }
}
