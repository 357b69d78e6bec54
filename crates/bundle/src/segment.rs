//! One segment: cut from a file, hashed, coded and sealed from the same memory; and back.
//!
//! Sealed segment = AES-256-GCM(random key32, 0^12, aad `lv_cat("segue/seg/1", codec u8, plain_len u32, prefix_len u32)`,
//! coded bytes).

use std::io;

use rand_core::CryptoRng;
use segue_crypto::{
    SegmentKey,
    sealing::{Unopened, open, seal_once},
};
use segue_signed::{lv::Writer, sha256};

use crate::{
    codec::{Codec, Compression, DecodeError, Effort, decode, encode},
    manifest::SegmentEntry,
};

/// Length of the prefix of a segment that has none: of every codec but 2.
pub const NO_PREFIX: u32 = 0;

/// Why a sealed segment gave no bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// It does not open with its key in its place.
    #[error(transparent)]
    Unopened(#[from] Unopened),
    /// It opens and does not decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It decodes to other bytes than the manifest names.
    #[error("the segment holds other bytes than the manifest names")]
    Hash,
}

/// A segment on its way into a pack.
#[derive(Debug)]
pub(crate) struct SealedSegment {
    pub(crate) sha256: [u8; 32],
    pub(crate) key: SegmentKey,
    pub(crate) plain_len: u32,
    pub(crate) codec: Codec,
    pub(crate) prefix_len: u32,
    pub(crate) bytes: Vec<u8>,
}

fn aad(codec: Codec, plain_len: u32, prefix_len: u32) -> Vec<u8> {
    Writer::labelled("segue/seg/1").u8(codec.number()).u32(plain_len).u32(prefix_len).finish()
}

/// Hashes, codes and seals `plain`, which is at most one segment long. `prefix` is the bytes before it in its file that the
/// reader will have verified then; empty where none are to be used.
pub(crate) fn seal_segment(
    rng: &mut dyn CryptoRng,
    plain: Vec<u8>,
    prefix: &[u8],
    compression: Compression,
    effort: Effort,
) -> io::Result<SealedSegment> {
    let plain_len = u32::try_from(plain.len()).expect("a segment is at most 4 MiB");
    let sha256 = sha256(&plain);
    let (codec, bytes) = encode(plain, prefix, compression, effort)?;
    let prefix_len = match codec {
        Codec::ZstdPrefix => u32::try_from(prefix.len()).expect("a prefix is at most 4 MiB"),
        Codec::Stored | Codec::Zstd | Codec::Gzip => NO_PREFIX,
    };
    let (key, bytes) = seal_once(rng, &aad(codec, plain_len, prefix_len), bytes);
    Ok(SealedSegment { sha256, key, plain_len, codec, prefix_len, bytes })
}

/// Opens, decodes and checks the sealed bytes of `entry`. `before` is what was verified of its file so far, or the end of
/// it: at least the entry's `prefix_len` bytes.
pub fn open_segment(entry: &SegmentEntry, sealed: Vec<u8>, before: &[u8]) -> Result<Vec<u8>, SegmentError> {
    let encoded = open(&entry.key, &aad(entry.codec, entry.plain_len, entry.prefix_len), sealed)?;
    let start = before.len().checked_sub(entry.prefix_len as usize).ok_or(DecodeError::Prefix)?;
    let plain = decode(entry.codec, encoded, entry.plain_len as usize, &before[start..])?;
    if sha256(&plain) == entry.sha256 { Ok(plain) } else { Err(SegmentError::Hash) }
}
