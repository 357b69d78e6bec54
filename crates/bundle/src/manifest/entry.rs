//! A file's record and a segment's entry.

use segue_crypto::{SegmentKey, sealing::TAG_BYTES};
use segue_domain::limits::SEGMENT_BYTES_MAX;
use segue_signed::{
    Malformed,
    lv::{Reader, Writer},
};

use super::ManifestError;
use crate::{codec::Codec, segment::NO_PREFIX};

/// What may be done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileMode {
    /// 0: read and written.
    Plain,
    /// 1: also run.
    Executable,
}

impl FileMode {
    fn number(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Executable => 1,
        }
    }

    fn from_number(number: u8) -> Result<Self, ManifestError> {
        match number {
            0 => Ok(Self::Plain),
            1 => Ok(Self::Executable),
            other => Err(ManifestError::Mode(other)),
        }
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// Relative, with `/` ([`crate::path`]).
    pub path: String,
    /// What may be done with it.
    pub mode: FileMode,
    /// Plain size in bytes.
    pub size: u64,
    /// How many segments it has; none when it is empty.
    pub segments: u32,
}

impl FileRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        Writer::default().text(&self.path).u8(self.mode.number()).u64(self.size).u32(self.segments).finish()
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut reader = Reader::new(bytes);
        let record = Self {
            path: reader.text("file path", usize::MAX)?.to_owned(),
            mode: FileMode::from_number(reader.u8("file mode")?)?,
            size: reader.u64("file size")?,
            segments: reader.u32("file segments")?,
        };
        reader.finish("file record")?;
        Ok(record)
    }
}

/// Where a segment lies, and how it opens.
#[derive(Debug, Clone)]
pub struct SegmentEntry {
    /// SHA-256 of the plain bytes.
    pub sha256: [u8; 32],
    /// What it is sealed with.
    pub key: SegmentKey,
    /// Which of the envelope's packs it lies in.
    pub pack_index: u32,
    /// Where in the pack it starts, in bytes.
    pub offset: u64,
    /// Its sealed length in bytes, tag included.
    pub sealed_len: u32,
    /// Its plain length in bytes, from 1 to [`SEGMENT_BYTES_MAX`].
    pub plain_len: u32,
    /// How it is coded.
    pub codec: Codec,
    /// How many of the bytes before it in its file were used as prefix: 0 for every codec but 2.
    pub prefix_len: u32,
}

impl SegmentEntry {
    /// Bytes of one entry.
    pub const BYTES: usize = 89;

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.sha256);
        bytes.extend_from_slice(self.key.expose());
        bytes.extend_from_slice(&self.pack_index.to_be_bytes());
        bytes.extend_from_slice(&self.offset.to_be_bytes());
        bytes.extend_from_slice(&self.sealed_len.to_be_bytes());
        bytes.extend_from_slice(&self.plain_len.to_be_bytes());
        bytes.push(self.codec.number());
        bytes.extend_from_slice(&self.prefix_len.to_be_bytes());
    }

    pub(super) fn parse(bytes: &[u8; Self::BYTES]) -> Result<Self, ManifestError> {
        let mut rest = bytes.as_slice();
        let entry = Self {
            sha256: take(&mut rest)?,
            key: SegmentKey::from_bytes(take(&mut rest)?),
            pack_index: u32::from_be_bytes(take(&mut rest)?),
            offset: u64::from_be_bytes(take(&mut rest)?),
            sealed_len: u32::from_be_bytes(take(&mut rest)?),
            plain_len: u32::from_be_bytes(take(&mut rest)?),
            codec: {
                let [number] = take(&mut rest)?;
                Codec::from_number(number).ok_or(ManifestError::Codec(number))?
            },
            prefix_len: u32::from_be_bytes(take(&mut rest)?),
        };
        Ok(entry)
    }

    /// Checks what an entry says about itself. Coded bytes are never longer than plain ones: stored would be chosen.
    pub(super) fn check(&self) -> Result<(), ManifestError> {
        let coded_len = (self.sealed_len as usize).checked_sub(TAG_BYTES).ok_or(ManifestError::SegmentLength)?;
        let plain_len = self.plain_len as usize;
        let possible = match self.codec {
            Codec::Stored => coded_len == plain_len,
            Codec::Zstd | Codec::ZstdPrefix | Codec::Gzip => coded_len > 0 && coded_len < plain_len,
        };
        if self.plain_len == 0 || self.plain_len > SEGMENT_BYTES_MAX || !possible {
            return Err(ManifestError::SegmentLength);
        }
        let prefixed = self.prefix_len != NO_PREFIX;
        if prefixed == (self.codec == Codec::ZstdPrefix) { Ok(()) } else { Err(ManifestError::Prefix) }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], ManifestError> {
    let (head, tail) = rest.split_first_chunk().ok_or(Malformed::Field("segments"))?;
    *rest = tail;
    Ok(*head)
}
