//! How a segment's plain bytes are coded before they are sealed.
//!
//! A decoder takes exactly one zstd frame or gzip member, writes into a buffer of exactly the length the manifest gives,
//! and refuses the rest: a bomb costs no more memory than an honest segment.

use std::io::{self, Read as _, Write as _};

use crate::zstd_frame::{FrameError, check_frame};

/// zstd's own default: level 3 compresses sessions 5 to 8 times faster than a disk writes them.
const ZSTD_LEVEL: i32 = 3;

/// How the bytes of one segment are coded; its number stands in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// 0: as they are.
    Stored,
    /// 1: one zstd frame (RFC 8878).
    Zstd,
    /// 3: one gzip member (RFC 1952), which a browser reads without a library.
    Gzip,
}

impl Codec {
    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::Stored => 0,
            Self::Zstd => 1,
            Self::Gzip => 3,
        }
    }

    /// Reads the number on the wire.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Stored),
            1 => Some(Self::Zstd),
            3 => Some(Self::Gzip),
            _ => None,
        }
    }
}

/// Which compression a file's segments may use. Each falls back to stored where that is smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// For everything that only Segue reads.
    Zstd,
    /// For `view.jsonl`, which browsers read.
    Gzip,
}

/// Why coded bytes are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not one plain zstd frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The bytes are not what the codec makes.
    #[error("the compressed bytes are damaged")]
    Damaged,
    /// They decode to more or fewer bytes than the manifest says.
    #[error("the segment decodes to another length than the manifest says")]
    Length,
    /// Bytes follow the one frame or member.
    #[error("bytes follow the compressed segment")]
    Trailing,
}

/// A reused compressor.
pub(crate) struct Encoder {
    zstd: zstd::bulk::Compressor<'static>,
}

impl Encoder {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Compressor::new(ZSTD_LEVEL)? })
    }

    /// The smaller of compressed and stored.
    pub(crate) fn encode(&mut self, plain: Vec<u8>, compression: Compression) -> io::Result<(Codec, Vec<u8>)> {
        let (codec, encoded) = match compression {
            Compression::Zstd => (Codec::Zstd, self.zstd.compress(&plain)?),
            Compression::Gzip => (Codec::Gzip, gzip(&plain)?),
        };
        Ok(if encoded.len() < plain.len() { (codec, encoded) } else { (Codec::Stored, plain) })
    }
}

/// One member without name or time, so that equal bytes give equal members.
fn gzip(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain)?;
    encoder.finish()
}

/// Decodes to exactly `plain_len` bytes.
pub(crate) fn decode(codec: Codec, encoded: Vec<u8>, plain_len: usize) -> Result<Vec<u8>, DecodeError> {
    match codec {
        Codec::Stored if encoded.len() == plain_len => Ok(encoded),
        Codec::Stored => Err(DecodeError::Length),
        Codec::Zstd => decode_zstd(&encoded, plain_len),
        Codec::Gzip => decode_gzip(&encoded, plain_len),
    }
}

fn decode_zstd(encoded: &[u8], plain_len: usize) -> Result<Vec<u8>, DecodeError> {
    check_frame(encoded, plain_len)?;
    let frame = zstd::zstd_safe::find_frame_compressed_size(encoded).map_err(|_| DecodeError::Damaged)?;
    if frame != encoded.len() {
        return Err(DecodeError::Trailing);
    }
    let mut plain = vec![0; plain_len];
    // Into a slice and not a vector: the decoder must see the exact room, not the vector's capacity.
    let written = zstd::bulk::decompress_to_buffer(encoded, plain.as_mut_slice()).map_err(|_| DecodeError::Damaged)?;
    if written == plain_len { Ok(plain) } else { Err(DecodeError::Length) }
}

fn decode_gzip(encoded: &[u8], plain_len: usize) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = flate2::bufread::GzDecoder::new(encoded);
    let mut plain = vec![0; plain_len];
    decoder.read_exact(&mut plain).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => DecodeError::Length,
        _ => DecodeError::Damaged,
    })?;
    // The end of the member, where its checksum is compared, is only seen by reading on.
    match decoder.read(&mut [0]) {
        Ok(0) if decoder.get_ref().is_empty() => Ok(plain),
        Ok(0) => Err(DecodeError::Trailing),
        Ok(_) => Err(DecodeError::Length),
        Err(_) => Err(DecodeError::Damaged),
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
