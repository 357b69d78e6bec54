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
    codec::{Codec, Compression, DecodeError, Encoder, decode},
    manifest::SegmentEntry,
};

/// Length of the prefix that a segment was compressed with. Codec 2 alone has one, and no codec 2 is read yet.
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
    pub(crate) bytes: Vec<u8>,
}

fn aad(codec: Codec, plain_len: u32, prefix_len: u32) -> Vec<u8> {
    Writer::labelled("segue/seg/1").u8(codec.number()).u32(plain_len).u32(prefix_len).finish()
}

/// Hashes, codes and seals `plain`, which is at most one segment long.
pub(crate) fn seal_segment(
    rng: &mut dyn CryptoRng,
    encoder: &mut Encoder,
    plain: Vec<u8>,
    compression: Compression,
) -> io::Result<SealedSegment> {
    let plain_len = u32::try_from(plain.len()).expect("a segment is at most 4 MiB");
    let sha256 = sha256(&plain);
    let (codec, bytes) = encoder.encode(plain, compression)?;
    let (key, bytes) = seal_once(rng, &aad(codec, plain_len, NO_PREFIX), bytes);
    Ok(SealedSegment { sha256, key, plain_len, codec, bytes })
}

/// Opens, decodes and checks the sealed bytes of `entry`.
pub fn open_segment(entry: &SegmentEntry, sealed: Vec<u8>) -> Result<Vec<u8>, SegmentError> {
    let encoded = open(&entry.key, &aad(entry.codec, entry.plain_len, entry.prefix_len), sealed)?;
    let plain = decode(entry.codec, encoded, entry.plain_len as usize)?;
    if sha256(&plain) == entry.sha256 { Ok(plain) } else { Err(SegmentError::Hash) }
}
