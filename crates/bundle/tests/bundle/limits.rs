//! The bounds of a bundle: at the bound it is made and read, one above it the error names the bound.

use segue_bundle::{
    Contents, FileMode, FileRecord, Manifest, SealError, SegmentEntry, codec::Codec, contents::ContentsError,
    open::OpenError, seal_bundle,
};
use segue_crypto::{SegmentKey, sealing::TAG_BYTES};
use segue_domain::limits::{
    BUNDLE_FILES_MAX, BUNDLE_PATH_BYTES_MAX, BUNDLE_SEGMENTS_MAX, MANIFEST_BYTES_MAX, PACK_BYTES_MAX,
    PREVIEW_BYTES_MAX, SEGMENT_BYTES_MAX, SESSION_BYTES_MAX,
};
use segue_signed::{BundleKind, PackEntry, envelope::PACKS_MAX};

use crate::world::{Store, ann, ben, draft_files, files, receive, rng, verify};

fn segment(pack_index: usize, plain_len: u32) -> SegmentEntry {
    SegmentEntry {
        sha256: [1; 32],
        key: SegmentKey::from_bytes([2; 32]),
        pack_index: u32::try_from(pack_index).unwrap(),
        offset: 0,
        sealed_len: plain_len + 16,
        plain_len,
        codec: Codec::Stored,
        prefix_len: 0,
    }
}

/// One file of so many segments of a length.
fn one_file(count: usize, plain_len: u32) -> Result<Manifest, String> {
    let record = FileRecord {
        path: "a".into(),
        mode: FileMode::Plain,
        size: count as u64 * u64::from(plain_len),
        segments: u32::try_from(count).unwrap(),
    };
    Manifest::new(vec![record], vec![segment(0, plain_len); count]).map_err(|error| error.to_string())
}

#[test]
fn of_a_manifest() {
    let record =
        |at: usize, len: usize| FileRecord { path: format!("{at:0len$}"), mode: FileMode::Plain, size: 0, segments: 0 };
    let empty = |count: usize| {
        let records = (0..count).map(|at| record(at, 8)).collect();
        Manifest::new(records, Vec::new()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(empty(BUNDLE_FILES_MAX), Ok(()));
    assert_eq!(
        empty(BUNDLE_FILES_MAX + 1),
        Err("the bundle holds more than 10000 files: the sender has to leave some out".into())
    );
    assert!(one_file(BUNDLE_SEGMENTS_MAX, 1).is_ok());
    assert_eq!(
        one_file(BUNDLE_SEGMENTS_MAX + 1, 1).unwrap_err(),
        "the bundle holds more than 65536 segments: the sender has to go on in a new session"
    );
    let full = usize::try_from(SESSION_BYTES_MAX / u64::from(SEGMENT_BYTES_MAX)).unwrap();
    assert_eq!(one_file(full, SEGMENT_BYTES_MAX).unwrap().total(), SESSION_BYTES_MAX);
    let mut segments = vec![segment(0, SEGMENT_BYTES_MAX); full];
    segments.push(segment(0, 1));
    let a_byte_more =
        FileRecord { size: SESSION_BYTES_MAX + 1, segments: u32::try_from(full + 1).unwrap(), ..record(0, 8) };
    let error = Manifest::new(vec![a_byte_more], segments).unwrap_err().to_string();
    assert_eq!(error, "the bundle is larger than 4294967296 bytes: the sender has to go on in a new session");
    assert!(one_file(1, SEGMENT_BYTES_MAX + 1).is_err());
}

#[test]
fn the_largest_manifest_fits_its_limit() {
    let mut records: Vec<_> = (0..BUNDLE_FILES_MAX)
        .map(|at| FileRecord {
            path: format!("{at:0BUNDLE_PATH_BYTES_MAX$}"),
            mode: FileMode::Plain,
            size: 0,
            segments: 0,
        })
        .collect();
    records[0].segments = u32::try_from(BUNDLE_SEGMENTS_MAX).unwrap();
    records[0].size = BUNDLE_SEGMENTS_MAX as u64;
    let manifest = Manifest::new(records, vec![segment(0, 1); BUNDLE_SEGMENTS_MAX]).unwrap();
    let sealed = manifest.encode().len() + TAG_BYTES;
    assert!(sealed <= MANIFEST_BYTES_MAX as usize, "{sealed}");
}

#[test]
fn a_sealed_manifest_over_its_limit_is_refused_by_its_length() {
    let contents = draft_files(1, &files(&[("a", b"hello")]), None, &mut Store::default()).unwrap().contents;
    let sealed = crate::world::hand_over(1, &contents);
    let mut envelope = sealed.envelope.envelope.clone();
    envelope.manifest_len = MANIFEST_BYTES_MAX + 1;
    let signed = ann().device.sign_envelope(envelope);
    let opened = verify(signed.as_bytes()).unwrap().unwrap(&ben().keys.encryption, &sealed.wraps[0]).unwrap();
    assert_eq!(opened.open_manifest(vec![0; MANIFEST_BYTES_MAX as usize + 1]).unwrap_err(), OpenError::Length);
}

#[test]
fn of_packs() {
    let manifest = |count: usize| {
        let record = FileRecord {
            path: "a".into(),
            mode: FileMode::Plain,
            size: count as u64,
            segments: u32::try_from(count).unwrap(),
        };
        Manifest::new(vec![record], (0..count).map(|at| segment(at, 1)).collect()).unwrap()
    };
    let pack = |at: usize, len| PackEntry { id: (at as u128).to_be_bytes(), sha256: [0; 32], len };
    let packs = |count: usize| (0..count).map(|at| pack(at, 1024)).collect();
    assert!(Contents::new(manifest(PACKS_MAX), packs(PACKS_MAX)).is_ok());
    let refused = Contents::new(manifest(PACKS_MAX + 1), packs(PACKS_MAX + 1)).unwrap_err();
    assert_eq!(refused, ContentsError::TooManyPacks);
    assert_eq!(refused.to_string(), "the bundle lies in more than 4096 packs: the sender has to push it as a new one");
    assert!(Contents::new(manifest(1), vec![pack(0, PACK_BYTES_MAX)]).is_ok());
    let refused = Contents::new(manifest(1), vec![pack(0, PACK_BYTES_MAX + 1)]).unwrap_err();
    assert_eq!(refused.to_string(), "a pack is longer than 67108864 bytes");
}

#[test]
fn of_a_preview() {
    let contents = draft_files(1, &files(&[("a", b"hello")]), None, &mut Store::default()).unwrap().contents;
    let seal = |preview: &[u8]| {
        let heading = ann().heading(BundleKind::Handoff);
        seal_bundle(&mut rng(1), &contents, heading, &ann().device, Some(preview), &[ben().recipient()], None)
    };
    let longest = vec![b'x'; PREVIEW_BYTES_MAX - TAG_BYTES];
    let sealed = seal(&longest).unwrap();
    assert_eq!(sealed.sealed_preview.as_ref().map(Vec::len), Some(PREVIEW_BYTES_MAX));
    assert_eq!(receive(&sealed).open_preview(sealed.sealed_preview.clone().unwrap()).unwrap(), longest);
    let refused = seal(&[&longest[..], b"x"].concat()).unwrap_err();
    assert_eq!(refused, SealError::PreviewLength);
    assert_eq!(refused.to_string(), "the preview is longer than 8192 bytes");
}
