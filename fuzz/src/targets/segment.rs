//! Segments: the coded bytes are hostile and the seal is right, as from a hostile sender. What comes out is compared with
//! what zstd's and gzip's streaming readers make of the same bytes, where they take them.
//!
//! An input is a codec number, a byte whose 16-fold is the length of the prefix, the plain length it claims in two bytes times
//! 64 and one more, and coded bytes.

use std::io::{self, Read, Write as _};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use segue_bundle::SegmentEntry;
use segue_bundle::codec::Codec;
use segue_bundle::segment::{SegmentError, open_segment};
use segue_crypto::sealing::seal_once;
use segue_signed::{lv::Writer, sha256};

use super::Target;
use crate::corpus;

/// Sealed segments around coded bytes.
pub(super) struct Segments;

/// What stands before every segment here, as often as it takes.
const BEFORE: &[u8] = b"{\"role\":\"user\",\"text\":\"hello\"}\n";
/// A length of the prefix is told in this step, in bytes.
const PREFIX_STEP: usize = 16;

/// The most that a segment holds, in bytes.
const SEGMENT_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Target for Segments {
    fn name(&self) -> &'static str {
        "segment"
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        let text = b"{\"role\":\"user\",\"text\":\"hello\"}\n".repeat(40);
        let zeros = vec![0; SEGMENT_BYTES_MAX];
        let mut inputs = Vec::new();
        for plain in [&b"a"[..], &text, &zeros] {
            for level in [-1, 3, 19] {
                inputs.push(case(1, 0, plain.len(), &zstd::bulk::compress(plain, level).expect("zstd compresses")));
            }
            inputs.push(case(1, 0, plain.len(), &streamed(plain)));
            inputs.push(case(3, 0, plain.len(), &member(plain)));
        }
        for steps in [1, 60, 255] {
            inputs.push(case(2, steps, text.len(), &prefixed(&text, &before(steps))));
        }
        inputs.push(case(0, 0, text.len(), &text));
        inputs.extend(corpus::vectors("segment.json", &["encoded"]).iter().map(|packed| case(1, 0, 248, packed)));
        inputs
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[
            b"\x28\xb5\x2f\xfd",
            b"\x50\x2a\x4d\x18\x02\x00\x00\x00\x07\x07",
            b"\x37\xa4\x30\xec",
            b"\x1f\x8b\x08\x00",
            b"\x1f\x8b\x08\x1f",
            b"\x00\x58",
            b"\x00\xff",
            b"\x20",
            b"\xa0\xff\xff\x3f\x00",
            b"\xe0\xff\xff\xff\xff\xff\xff\xff\xff",
        ]
    }

    /// What is decoded, and what the reference decodes into a vector that doubles; coded bytes some times. Not in it: what
    /// zstd's C code holds, at most its window of 8 MiB.
    fn memory_max(&self, input_len: usize) -> u64 {
        4 * SEGMENT_BYTES_MAX as u64 + 1024 * 1024 + 8 * input_len as u64
    }

    fn run(&self, input: &[u8]) -> String {
        let Some((&[number, steps, high, low, rest], packed)) = input.split_first_chunk::<5>() else {
            return "too short".to_owned();
        };
        let Some(codec) = Codec::from_number(number) else { return "unknown codec".to_owned() };
        let plain_len = (usize::from(u16::from_be_bytes([high, low])) * 64 + usize::from(rest)).min(SEGMENT_BYTES_MAX);
        let before = if codec == Codec::ZstdPrefix { before(steps) } else { Vec::new() };
        let (mut entry, sealed) = seal(codec, plain_len, before.len(), packed);
        match open_segment(&entry, sealed.clone(), &before) {
            Ok(_) => panic!("a segment whose hash is of nothing was accepted"),
            Err(SegmentError::Hash) => {
                // zstd in one shot takes some blocks that its streaming reader refuses; the hash decides then.
                let Ok(plain) = decoded(codec, packed, &before) else {
                    return format!("codec {number}: in one shot only");
                };
                assert_eq!(plain.len(), plain_len, "another length than the manifest's");
                entry.sha256 = sha256(&plain);
                let opened = open_segment(&entry, sealed, &before).expect("the hash is right now");
                assert!(opened == plain, "other bytes than the streaming reader's");
                format!("codec {number} accepted")
            }
            Err(error) => format!("codec {number}: {error}"),
        }
    }
}

fn before(steps: u8) -> Vec<u8> {
    BEFORE.iter().copied().cycle().take(usize::from(steps) * PREFIX_STEP).collect()
}

fn seal(codec: Codec, plain_len: usize, prefix_len: usize, packed: &[u8]) -> (SegmentEntry, Vec<u8>) {
    let short = |len: usize| u32::try_from(len).expect("a segment is at most 4 MiB");
    let (plain_len, prefix_len) = (short(plain_len), short(prefix_len));
    let aad = Writer::labelled("segue/seg/1").u8(codec.number()).u32(plain_len).u32(prefix_len).finish();
    let (key, sealed) = seal_once(&mut ChaCha20Rng::seed_from_u64(1), &aad, packed.to_vec());
    let sealed_len = short(sealed.len());
    let entry =
        SegmentEntry { sha256: [0; 32], key, pack_index: 0, offset: 0, sealed_len, plain_len, codec, prefix_len };
    (entry, sealed)
}

/// What other readers make of the coded bytes, at most a little more than a segment.
fn decoded(codec: Codec, packed: &[u8], before: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let mut reader: Box<dyn Read> = match codec {
        Codec::Stored => Box::new(packed),
        Codec::Gzip => Box::new(flate2::read::GzDecoder::new(packed)),
        Codec::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        Codec::ZstdPrefix => Box::new(zstd::stream::read::Decoder::with_ref_prefix(packed, before)?),
    };
    reader.by_ref().take(SEGMENT_BYTES_MAX as u64 + 1).read_to_end(&mut plain)?;
    Ok(plain)
}

fn case(codec: u8, steps: u8, plain_len: usize, packed: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(plain_len / 64).unwrap_or(u16::MAX).to_be_bytes();
    let rest = u8::try_from(plain_len - 64 * usize::from(u16::from_be_bytes([high, low]))).unwrap_or(64);
    [&[codec, steps, high, low, rest], packed].concat()
}

fn prefixed(plain: &[u8], before: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::with_ref_prefix(Vec::new(), 3, before).expect("zstd compresses");
    encoder.write_all(plain).expect("a vector takes it");
    encoder.finish().expect("a vector takes it")
}

/// A frame that does not announce its length.
fn streamed(plain: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(plain, 3).expect("zstd compresses")
}

fn member(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).expect("a vector takes it");
    encoder.finish().expect("a vector takes it")
}
