//! Little that becomes much.

use std::io::{self, Cursor, Write as _};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use segue_bundle::{
    Contents, FileMode, FileRecord, Manifest, PackSource, ReadSeek, SegmentEntry,
    codec::{Codec, DecodeError},
    segment::{SegmentError, open_segment},
    unpack,
};
use segue_crypto::sealing::seal_once;
use segue_signed::{PackEntry, lv::Writer, sha256};

use crate::meter::{SEGMENT, measure};

const GIB: usize = 1 << 30;

/// A segment of `packed`, sealed as a hostile sender does, that claims 4 MiB of zeros.
fn sealed(codec: Codec, packed: Vec<u8>) -> (SegmentEntry, Vec<u8>) {
    let plain_len = u32::try_from(SEGMENT).unwrap();
    let aad = Writer::labelled("segue/seg/1").u8(codec.number()).u32(plain_len).u32(0).finish();
    let (key, bytes) = seal_once(&mut ChaCha20Rng::seed_from_u64(1), &aad, packed);
    let entry = SegmentEntry {
        sha256: sha256(&vec![0; SEGMENT]),
        key,
        pack_index: 0,
        offset: 0,
        sealed_len: u32::try_from(bytes.len()).unwrap(),
        plain_len,
        codec,
        prefix_len: 0,
    };
    (entry, bytes)
}

/// A frame of `len` zeros that does not announce its length.
fn zstd_bomb(len: usize) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    let piece = vec![0; SEGMENT];
    (0..len / SEGMENT).for_each(|_| encoder.write_all(&piece).unwrap());
    encoder.finish().unwrap()
}

fn gzip_bomb(len: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let piece = vec![0; SEGMENT];
    (0..len / SEGMENT).for_each(|_| encoder.write_all(&piece).unwrap());
    encoder.finish().unwrap()
}

#[test]
fn four_mib_of_147_bytes_are_a_segment_and_cost_one() {
    let packed = zstd::bulk::compress(&vec![0; SEGMENT], 3).unwrap();
    assert!(packed.len() <= 160, "{}", packed.len());
    let (entry, bytes) = sealed(Codec::Zstd, packed);
    let (plain, held) = measure(|| open_segment(&entry, bytes, &[]).unwrap());
    assert_eq!(plain.len(), SEGMENT);
    assert!(held < SEGMENT + SEGMENT / 4, "{held}");
}

#[test]
fn a_gibibyte_in_32_kib_is_refused_and_costs_a_segment() {
    for (codec, bomb, most) in [(Codec::Zstd, zstd_bomb(GIB), 33 * 1024), (Codec::Gzip, gzip_bomb(GIB / 16), 70 * 1024)]
    {
        assert!(bomb.len() < most, "{codec:?}: {}", bomb.len());
        let (entry, bytes) = sealed(codec, bomb);
        let (refused, held) = measure(|| open_segment(&entry, bytes, &[]).unwrap_err());
        let expected = if codec == Codec::Gzip { DecodeError::Length } else { DecodeError::Damaged };
        assert_eq!(refused, SegmentError::Decode(expected), "{codec:?}");
        assert!(held < SEGMENT + SEGMENT / 4, "{codec:?}: {held}");
    }
}

/// One pack of the same sealed segment again and again.
struct Repeated(Vec<u8>);

impl PackSource for Repeated {
    fn open(&self, _index: usize) -> io::Result<Box<dyn ReadSeek>> {
        Ok(Box::new(Cursor::new(self.0.clone())))
    }
}

#[test]
fn a_session_of_many_times_its_pack_is_written_in_constant_memory() {
    let packed = zstd::bulk::compress(&vec![0; SEGMENT], 3).unwrap();
    let (entry, bytes) = sealed(Codec::Zstd, packed);
    let held: Vec<usize> = [12_u32, 36]
        .into_iter()
        .map(|count| {
            let record = FileRecord {
                path: "a".into(),
                mode: FileMode::Plain,
                size: u64::from(count) * SEGMENT as u64,
                segments: count,
            };
            let segments = vec![entry.clone(); count as usize];
            let manifest = Manifest::new(vec![record], segments).unwrap();
            let pack = PackEntry { id: [1; 16], sha256: sha256(&bytes), len: bytes.len() as u64 };
            let contents = Contents::new(manifest, vec![pack]).unwrap();
            let home = tempfile::tempdir().unwrap();
            let dest = home.path().join("session");
            let mut rng = ChaCha20Rng::seed_from_u64(1);
            let (unpacked, held) = measure(|| unpack(&mut rng, &contents, &Repeated(bytes.clone()), &dest));
            unpacked.unwrap();
            assert_eq!(std::fs::metadata(dest.join("a")).unwrap().len(), u64::from(count) * SEGMENT as u64);
            held
        })
        .collect();
    // Up to four threads work, each on one segment; some wait to be written, and the last of the file are kept.
    assert!(held.iter().all(|held| *held < 12 * SEGMENT), "{held:?}");
    assert!(held[1] < held[0] + 4 * SEGMENT, "three times as much holds no more: {held:?}");
}
