//! How a segment's plain bytes are coded before they are sealed.
//!
//! A decoder takes exactly one zstd frame or gzip member, writes into a buffer of exactly the length the manifest gives,
//! and refuses the rest: a bomb costs no more memory than an honest segment.

use std::io::{self, Read as _, Write as _};

use segue_domain::limits::PREFIX_BYTES_MAX;
use zstd::zstd_safe::{self, CCtx, CParameter, DCtx, DParameter};

use crate::zstd_frame::{FrameError, WINDOW_LOG_MAX, check_frame};

/// Where the network waits for sealing: level 2 takes two thirds of level 3's time for 4 % more bytes (measured, as all of
/// these, on synthetic sessions).
const ZSTD_LEVEL_FAST: i32 = 2;
/// Where sealing waits for the network: 13 % fewer bytes than level 2 for five times the time. Higher levels hold more than 10 MB
/// for each thread, and cost too much where it is not the network but a busy machine that does not get the bytes away.
const ZSTD_LEVEL_THOROUGH: i32 = 6;
/// For what is appended, which is little: 11 % fewer bytes than level 3.
const ZSTD_LEVEL_APPENDED: i32 = 9;
/// For much that is appended: 21 % fewer bytes than level 3 for a second a megabyte.
const ZSTD_LEVEL_MUCH: i32 = 18;
/// What counts as much, in bytes.
const MUCH_BYTES: usize = 256 * 1024;
/// What counts as a line or two, in bytes, and what before it is looked through.
const SMALL_BYTES: usize = 16 * 1024;
const SMALL_PREFIX_BYTES: usize = 256 * 1024;
/// gzip's fastest level that still looks for matches: view files are compressed while a person waits.
const GZIP_LEVEL: u32 = 3;

/// How the bytes of one segment are coded; its number stands in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// 0: as they are.
    Stored,
    /// 1: one zstd frame (RFC 8878).
    Zstd,
    /// 2: one zstd frame, compressed with the bytes before the segment as prefix: an appended line costs what is new in it.
    ZstdPrefix,
    /// 3: one gzip member (RFC 1952), which a browser reads without a library.
    Gzip,
}

impl Codec {
    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::Stored => 0,
            Self::Zstd => 1,
            Self::ZstdPrefix => 2,
            Self::Gzip => 3,
        }
    }

    /// Reads the number on the wire.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Stored),
            1 => Some(Self::Zstd),
            2 => Some(Self::ZstdPrefix),
            3 => Some(Self::Gzip),
            _ => None,
        }
    }
}

/// Which compression a file's segments may use. Each falls back to stored where that is smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// For everything that only Segue reads: zstd, and what is appended later is compressed with the bytes before it.
    Zstd,
    /// zstd without prefixes. A prefix lets one who sees exact sizes learn how well a new text fits an old one
    /// (`docs/threat-model.md`); this costs more bytes and tells less.
    ZstdAlone,
    /// For `view.jsonl`, which browsers read.
    Gzip,
}

/// How hard to look for what repeats, which makes no difference to who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Somebody waits for the bytes.
    Fast,
    /// Bytes cost more than time.
    Thorough,
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
    /// The bytes before the segment are not as many as it was compressed with.
    #[error("the segment needs bytes before it that are not there")]
    Prefix,
}

/// The smaller of compressed and stored; an empty `prefix` is none.
pub(crate) fn encode(
    plain: Vec<u8>,
    prefix: &[u8],
    compression: Compression,
    effort: Effort,
) -> io::Result<(Codec, Vec<u8>)> {
    let level = match effort {
        Effort::Fast => ZSTD_LEVEL_FAST,
        Effort::Thorough => ZSTD_LEVEL_THOROUGH,
    };
    let (codec, encoded) = match compression {
        Compression::Zstd if !prefix.is_empty() => (Codec::ZstdPrefix, compress_after(prefix, &plain)?),
        Compression::Zstd | Compression::ZstdAlone => (Codec::Zstd, zstd::bulk::compress(&plain, level)?),
        Compression::Gzip => (Codec::Gzip, gzip(&plain)?),
    };
    Ok(if encoded.len() < plain.len() { (codec, encoded) } else { (Codec::Stored, plain) })
}

/// How many bytes before `plain_len` new ones are worth looking through: for a line the last few, as the time that a prefix
/// takes depends on its length.
pub(crate) fn prefix_worth(plain_len: usize) -> usize {
    match plain_len {
        0..SMALL_BYTES => SMALL_PREFIX_BYTES,
        SMALL_BYTES..MUCH_BYTES => SMALL_PREFIX_BYTES * 4,
        _ => PREFIX_BYTES_MAX as usize,
    }
}

/// One frame that refers to the bytes of `prefix`.
fn compress_after(prefix: &[u8], plain: &[u8]) -> io::Result<Vec<u8>> {
    let failed = |code| io::Error::other(zstd_safe::get_error_name(code));
    let mut context = CCtx::create();
    // The window has to reach back over both.
    let reach = (prefix.len() + plain.len()).next_power_of_two().ilog2().clamp(10, WINDOW_LOG_MAX);
    let level = if plain.len() < MUCH_BYTES { ZSTD_LEVEL_APPENDED } else { ZSTD_LEVEL_MUCH };
    for parameter in [CParameter::CompressionLevel(level), CParameter::WindowLog(reach)] {
        context.set_parameter(parameter).map_err(failed)?;
    }
    context.ref_prefix(prefix).map_err(failed)?;
    let mut encoded = Vec::with_capacity(zstd_safe::compress_bound(plain.len()));
    context.compress2(&mut encoded, plain).map_err(failed)?;
    Ok(encoded)
}

/// One member without name or time, so that equal bytes give equal members.
fn gzip(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL));
    encoder.write_all(plain)?;
    encoder.finish()
}

/// Decodes to exactly `plain_len` bytes. `prefix` is what the segment was compressed with: empty for all but codec 2.
pub(crate) fn decode(codec: Codec, encoded: Vec<u8>, plain_len: usize, prefix: &[u8]) -> Result<Vec<u8>, DecodeError> {
    match codec {
        Codec::Stored if encoded.len() == plain_len => Ok(encoded),
        Codec::Stored => Err(DecodeError::Length),
        Codec::Zstd | Codec::ZstdPrefix => decode_zstd(&encoded, plain_len, prefix),
        Codec::Gzip => decode_gzip(&encoded, plain_len),
    }
}

fn decode_zstd(encoded: &[u8], plain_len: usize, prefix: &[u8]) -> Result<Vec<u8>, DecodeError> {
    check_frame(encoded, plain_len)?;
    let frame = zstd_safe::find_frame_compressed_size(encoded).map_err(|_| DecodeError::Damaged)?;
    if frame != encoded.len() {
        return Err(DecodeError::Trailing);
    }
    let mut context = DCtx::create();
    let window = context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX));
    window.and_then(|_| context.ref_prefix(prefix)).map_err(|_| DecodeError::Damaged)?;
    let mut plain = vec![0; plain_len];
    // Into a slice and not a vector: the decoder must see the exact room, not the vector's capacity.
    let written = context.decompress(plain.as_mut_slice(), encoded).map_err(|_| DecodeError::Damaged)?;
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
