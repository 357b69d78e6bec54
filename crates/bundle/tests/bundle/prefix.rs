//! Segments that are compressed with what stands before them: what a hostile sender or server may try with the prefix.

use crate::world::{Store, draft_files, files, rng, unpack_files};
use segue_bundle::{
    Contents, Manifest, SegmentEntry, UnpackError,
    codec::{Codec, DecodeError},
    reader::ReadError,
    segment::{SegmentError, open_segment},
};
use segue_crypto::sealing::{open, seal_once};
use segue_signed::lv::Writer;

/// A file of a first segment and one that is compressed with it, and the sealed bytes of the second.
fn grown() -> (Contents, Store, Vec<u8>) {
    let mut store = Store::default();
    let before = b"the text before, which is long enough to be referred to\n".repeat(4);
    let after = [&before[..], b"the text before, which is long enough to be referred to, again\n"].concat();
    let first = draft_files(1, &files(&[("a", &before)]), None, &mut store).unwrap();
    let contents = draft_files(2, &files(&[("a", &after)]), Some(&first.contents), &mut store).unwrap().contents;
    let entry = &contents.manifest().segments()[1];
    assert_eq!((entry.codec, entry.prefix_len as usize), (Codec::ZstdPrefix, before.len()));
    let sealed = store.source(&contents).0[entry.pack_index as usize][..entry.sealed_len as usize].to_vec();
    (contents, store, sealed)
}

#[test]
fn a_wrong_prefix_is_refused() {
    let (contents, store, sealed) = grown();
    let entry = &contents.manifest().segments()[1];
    let before = unpack_files(&contents, &store.source(&contents)).unwrap()["a"].clone();
    let before = &before[..entry.prefix_len as usize];
    let open = |entry: &SegmentEntry, before: &[u8]| open_segment(entry, sealed.clone(), before);
    assert!(open(entry, before).is_ok());
    assert!(open(entry, &[b"more before", before].concat()).is_ok(), "only the end counts");
    assert_eq!(open(entry, &before[1..]), Err(SegmentError::Decode(DecodeError::Prefix)), "too few bytes");
    let mut other = before.to_vec();
    let last = other.len() - 10;
    other[last] ^= 1;
    assert_eq!(open(entry, &other), Err(SegmentError::Hash), "other bytes");
    let shorter = SegmentEntry { prefix_len: entry.prefix_len - 1, ..entry.clone() };
    assert!(matches!(open(&shorter, before), Err(SegmentError::Unopened(_))), "the length is bound to the segment");
    let alone = SegmentEntry { prefix_len: 0, codec: Codec::Zstd, ..entry.clone() };
    assert!(matches!(open(&alone, before), Err(SegmentError::Unopened(_))), "and so is the codec");
}

#[test]
fn a_prefix_comes_from_the_same_file() {
    // The manifest of a hostile sender puts the second segment behind a first one of the same length in another file.
    let (contents, mut store, _) = grown();
    let segments = contents.manifest().segments();
    let length = segments[0].plain_len as usize;
    let other = draft_files(3, &files(&[("b", &vec![b'x'; length])]), None, &mut store).unwrap().contents;
    let stranger = SegmentEntry { pack_index: 2, ..other.manifest().segments()[0].clone() };
    let (record, _) = contents.manifest().file("a").unwrap();
    let manifest = Manifest::new(vec![record.clone()], vec![stranger, segments[1].clone()]).unwrap();
    let used: Vec<_> = [contents.packs(), other.packs()].concat();
    let manifest = Manifest::new(
        manifest.files().to_vec(),
        manifest.segments().iter().map(|s| SegmentEntry { pack_index: s.pack_index - 1, ..s.clone() }).collect(),
    )
    .unwrap();
    let mixed = Contents::new(manifest, used[1..].to_vec()).unwrap();
    let error = unpack_files(&mixed, &store.source(&mixed)).unwrap_err();
    let UnpackError::Read { path, source: ReadError::Segment { number: 1, source } } = error else { panic!("{error}") };
    assert_eq!((path.as_str(), source), ("a", SegmentError::Hash));
}

#[test]
fn a_segment_reaches_no_further_back_than_it_says() {
    // A hostile sender names a shorter prefix than the frame refers to: its chain would be longer than it looks.
    let (contents, store, sealed) = grown();
    let entry = &contents.manifest().segments()[1];
    let aad = |prefix_len| Writer::labelled("segue/seg/1").u8(2).u32(entry.plain_len).u32(prefix_len).finish();
    let coded = open(&entry.key, &aad(entry.prefix_len), sealed).unwrap();
    let (key, sealed) = seal_once(&mut rng(3), &aad(10), coded);
    let lying = SegmentEntry { key, prefix_len: 10, ..entry.clone() };
    let file = unpack_files(&contents, &store.source(&contents)).unwrap()["a"].clone();
    let opened = open_segment(&lying, sealed, &file[..entry.prefix_len as usize]);
    assert_eq!(opened, Err(SegmentError::Decode(DecodeError::Damaged)));
}
