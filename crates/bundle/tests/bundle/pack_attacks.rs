//! What may be tried with packs and with the place they are unpacked to.

use std::{fs, sync::Arc};

use segue_bundle::{
    Contents, Manifest, SegmentEntry, UnpackError, contents::ContentsError, reader::ReadError, segment::SegmentError,
    unpack,
};
use segue_signed::{PackEntry, sha256};

use crate::world::{Shelf, Store, draft_files, files, rng, unpack_files};

fn session() -> (Contents, Store) {
    let mut store = Store::default();
    let session = files(&[("a", b"first file"), ("b", b"other file"), ("view.jsonl", &b"{}\n".repeat(100))]);
    (draft_files(1, &session, None, &mut store).unwrap().contents, store)
}

/// The same contents with other segment entries, as a sender who lies about them would sign for.
fn with_segments(contents: &Contents, change: impl Fn(&mut Vec<SegmentEntry>)) -> Contents {
    let mut segments = contents.manifest().segments().to_vec();
    change(&mut segments);
    let manifest = Manifest::new(contents.manifest().files().to_vec(), segments).unwrap();
    Contents::new(manifest, contents.packs().to_vec()).unwrap()
}

fn segment_refusal(contents: &Contents, packs: &Shelf) -> (String, SegmentError) {
    match unpack_files(contents, packs).unwrap_err() {
        UnpackError::Read { path, source: ReadError::Segment { source, .. } } => (path, source),
        other => panic!("{other}"),
    }
}

#[test]
fn a_pack_with_any_byte_flipped_is_refused() {
    let (contents, store) = session();
    let len = store.source(&contents).0[0].len();
    for index in (0..len).step_by(7).chain([len - 1]) {
        let mut packs = store.source(&contents);
        let mut bytes = packs.0[0].to_vec();
        bytes[index] ^= 0x40;
        packs.0[0] = bytes.into();
        let error = unpack_files(&contents, &packs).unwrap_err();
        assert!(matches!(error, UnpackError::PackHash { index: 0 }), "byte {index}: {error}");
    }
}

#[test]
fn a_pack_that_was_cut_or_grew_is_refused() {
    let (contents, store) = session();
    let pack = store.source(&contents).0[0].to_vec();
    for other in [&pack[..pack.len() - 1], &[&pack[..], b"x"].concat(), b""] {
        let error = unpack_files(&contents, &Shelf(vec![Arc::from(other)])).unwrap_err();
        assert!(matches!(error, UnpackError::PackLength { index: 0 }), "{error}");
    }
}

#[test]
fn segments_swapped_between_files_do_not_open() {
    let (contents, store) = session();
    let swapped = with_segments(&contents, |segments| {
        let (first, second) = (segments[0].offset, segments[1].offset);
        segments[0].offset = second;
        segments[1].offset = first;
    });
    let (path, error) = segment_refusal(&swapped, &store.source(&contents));
    assert_eq!((path.as_str(), error), ("a", SegmentError::Unopened(segue_crypto::sealing::Unopened)));
}

#[test]
fn a_segment_with_other_bytes_than_named_is_refused() {
    let (contents, store) = session();
    let lied = with_segments(&contents, |segments| segments[1].sha256 = [7; 32]);
    let (path, error) = segment_refusal(&lied, &store.source(&contents));
    assert_eq!((path.as_str(), error), ("b", SegmentError::Hash));
}

#[test]
fn a_pack_changed_by_the_sender_itself_is_refused_where_it_was_changed() {
    let (contents, store) = session();
    let mut packs = store.source(&contents);
    let mut bytes = packs.0[0].to_vec();
    bytes[usize::try_from(contents.manifest().segments()[1].offset).unwrap()] ^= 1;
    let entry = PackEntry { sha256: sha256(&bytes), ..contents.packs()[0] };
    packs.0[0] = bytes.into();
    let signed_for = Contents::new(contents.manifest().clone(), vec![entry]).unwrap();
    assert_eq!(segment_refusal(&signed_for, &packs).0, "b");
}

#[test]
fn segments_outside_their_packs_are_refused() {
    let (contents, _) = session();
    let manifest = contents.manifest();
    let pack = contents.packs()[0];
    assert_eq!(Contents::new(manifest.clone(), vec![]).unwrap_err(), ContentsError::PackIndex);
    let short = PackEntry { len: 20, ..pack };
    assert_eq!(Contents::new(manifest.clone(), vec![short]).unwrap_err(), ContentsError::Outside);
    let long = PackEntry { len: 64 * 1024 * 1024 + 1, ..pack };
    assert_eq!(Contents::new(manifest.clone(), vec![long]).unwrap_err(), ContentsError::PackLength);
    assert_eq!(Contents::new(manifest.clone(), vec![pack; 2]).unwrap_err(), ContentsError::UnusedPack);
    assert_eq!(Contents::new(manifest.clone(), vec![pack; 4097]).unwrap_err(), ContentsError::TooManyPacks);
    let mut segments = manifest.segments().to_vec();
    segments[0].offset = u64::MAX;
    let wrapped = Manifest::new(manifest.files().to_vec(), segments).unwrap();
    assert_eq!(Contents::new(wrapped, vec![pack]).unwrap_err(), ContentsError::Outside);
}

#[cfg(unix)]
#[test]
fn a_name_that_the_disk_cannot_hold_leaves_nothing_behind() {
    let mut store = Store::default();
    let long = "x".repeat(300);
    let session = files(&[("a", b"fits"), (&long, b"does not")]);
    let contents = draft_files(1, &session, None, &mut store).unwrap().contents;
    let error = unpack_files(&contents, &store.source(&contents)).unwrap_err();
    assert!(matches!(error, UnpackError::Write { path, .. } if path == long));
}

#[test]
fn a_pack_that_cannot_be_read_leaves_nothing_behind() {
    struct Broken;
    impl segue_bundle::PackSource for Broken {
        fn open(&self, _index: usize) -> std::io::Result<Box<dyn segue_bundle::ReadSeek>> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }
    let (contents, _) = session();
    let error = unpack_files(&contents, &Broken).unwrap_err();
    assert!(matches!(error, UnpackError::Pack { index: 0, .. }), "{error}");
}

#[test]
fn what_lies_at_the_destination_stays() {
    let (contents, store) = session();
    let home = tempfile::tempdir().unwrap();
    let dest = home.path().join("session");
    fs::write(&dest, "mine").unwrap();
    let error = unpack(&mut rng(1), &contents, &store.source(&contents), &dest).unwrap_err();
    assert!(matches!(error, UnpackError::DestinationExists));
    assert_eq!(fs::read_to_string(&dest).unwrap(), "mine");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_link_at_the_destination_is_not_followed() {
    let (contents, store) = session();
    let home = tempfile::tempdir().unwrap();
    let (dest, elsewhere) = (home.path().join("session"), home.path().join("elsewhere"));
    std::os::unix::fs::symlink(&elsewhere, &dest).unwrap();
    let error = unpack(&mut rng(1), &contents, &store.source(&contents), &dest).unwrap_err();
    assert!(matches!(error, UnpackError::DestinationExists));
    assert!(!elsewhere.exists());
}

#[test]
fn a_destination_without_a_parent_or_a_name_is_refused() {
    let (contents, store) = session();
    let home = tempfile::tempdir().unwrap();
    for dest in [home.path().join("missing/session"), home.path().join("missing/..")] {
        let error = unpack(&mut rng(1), &contents, &store.source(&contents), &dest).unwrap_err();
        assert!(matches!(error, UnpackError::Staging(_)), "{error}");
    }
}
