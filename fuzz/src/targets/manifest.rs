//! Manifests: what is accepted is written back byte for byte, names plain places only, and adds up.
//!
//! Few changed manifests pass the hash and the sums. So each input is also tried with these put right, as a hostile sender
//! would.

use std::path::{Component, Path};

use segue_bundle::{Contents, Manifest, SegmentEntry};
use segue_signed::{
    Malformed, PackEntry,
    lv::{Reader, Writer},
    sha256,
};

use super::Target;
use crate::corpus;

/// What a bundle says is in it.
pub(super) struct Manifests;

/// A manifest's length is a multiple of this.
const STEP_BYTES: usize = 4096;

impl Target for Manifests {
    fn name(&self) -> &'static str {
        "manifest"
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        corpus::vectors("manifest.json", &["bytes"])
    }

    fn dictionary(&self) -> &'static [&'static [u8]] {
        &[
            b"\x10segue/manifest/1",
            b"../",
            b"/",
            b"\\",
            b":",
            b"NUL",
            b".",
            b" ",
            b"\xcc\x88",
            b"\xe2\x84\xaa",
            b"\xc4\xb0",
            b"A",
            b"a",
            b"\x01\x00",
            b"\x01\x01",
            b"\x01\x02",
            b"\x04\x00\x00\x00\x01",
        ]
    }

    /// Records, entries, and each path four times while twins are looked for: a record holds some 300 bytes for each 8.
    fn memory_max(&self, input_len: usize) -> u64 {
        256 * 1024 + 128 * input_len as u64
    }

    fn run(&self, input: &[u8]) -> String {
        let raw = check(input);
        match repaired(input) {
            Ok(bytes) => format!("{raw}; {}", check(&bytes)),
            Err(error) => format!("{raw}; not to be repaired: {error}"),
        }
    }
}

fn check(bytes: &[u8]) -> String {
    let manifest = match Manifest::parse(bytes) {
        Ok(manifest) => manifest,
        // Without the path that some errors quote.
        Err(error) => return error.to_string().split('"').next().unwrap_or_default().to_owned(),
    };
    assert!(manifest.encode().as_slice() == bytes, "the manifest is written otherwise than it was read");
    let mut total = 0;
    for (file, segments) in manifest.files_with_segments() {
        let plain = Path::new(&file.path).components().all(|part| matches!(part, Component::Normal(_)));
        assert!(plain, "{:?} leaves its place", file.path);
        let size: u64 = segments.iter().map(|segment| u64::from(segment.plain_len)).sum();
        assert_eq!(size, file.size, "a size that does not add up");
        total += size;
    }
    assert_eq!(manifest.total(), total, "a total that does not add up");
    let pack = PackEntry { id: [0; 16], sha256: [0; 32], len: 64 * 1024 * 1024 };
    match Contents::new(manifest, vec![pack]) {
        Ok(contents) => {
            let inside = |entry: &SegmentEntry| entry.offset + u64::from(entry.sealed_len) <= pack.len;
            assert!(contents.manifest().segments().iter().all(inside), "a segment outside its pack");
            "accepted with its packs".to_owned()
        }
        Err(error) => format!("accepted, {error}"),
    }
}

/// The same files and segments with sizes, total, content hash and padding that fit.
fn repaired(input: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut reader = Reader::new(input);
    let label = reader.bytes("label")?;
    let (files, segments) = (reader.bytes("files")?, reader.bytes("segments")?);
    let mut hashes = segments.chunks_exact(SegmentEntry::BYTES);
    let (mut list, mut total) = (Reader::new(files), 0_u64);
    let (mut records, mut content) = (Writer::default(), Writer::labelled("segue/content/1"));
    while !list.remaining().is_empty() {
        let mut record = Reader::new(list.bytes("record")?);
        let (path, mode) = (record.bytes("path")?, record.bytes("mode")?);
        let (_, count) = (record.bytes("size")?, record.u32("count")?);
        let own: Vec<&[u8]> = hashes.by_ref().take(count as usize).collect();
        let size = own.iter().map(|entry| plain_len(entry)).sum::<u64>();
        total = total.saturating_add(size);
        let mut record = Writer::default().bytes(path).bytes(mode).u64(size).u32(count).finish();
        records.bytes(&record);
        for entry in own {
            record.extend_from_slice(&entry[..32]);
        }
        content.bytes(&record);
    }
    let mut bytes = Writer::default()
        .bytes(label)
        .bytes(&records.finish())
        .bytes(segments)
        .u64(total)
        .bytes(&sha256(&content.finish()))
        .finish();
    bytes.resize(bytes.len().next_multiple_of(STEP_BYTES), 0);
    Ok(bytes)
}

/// hash 32, key 32, pack index 4, offset 8, sealed length 4, then the plain length.
fn plain_len(entry: &[u8]) -> u64 {
    entry.get(80..84).and_then(|bytes| bytes.try_into().ok()).map_or(0, |bytes| u64::from(u32::from_be_bytes(bytes)))
}
