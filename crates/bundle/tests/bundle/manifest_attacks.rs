//! What a hostile sender may put into a manifest. Each is refused by name before a pack is read.

use segue_bundle::{Manifest, manifest::ManifestError, path::PathError};
use segue_signed::{
    Malformed,
    lv::{Writer, lv_cat},
    sha256,
};

/// A manifest as a hostile sender writes it: everything is free.
struct Hostile {
    files: Vec<(&'static str, u8, u64, u32)>,
    segments: Vec<u8>,
    total: u64,
    content: Option<[u8; 32]>,
    padding: Vec<u8>,
}

/// One stored segment of `plain_len` bytes.
fn segment(plain_len: u32) -> Vec<u8> {
    entry(plain_len + 16, plain_len, 0, 0)
}

fn entry(sealed_len: u32, plain_len: u32, codec: u8, prefix_len: u32) -> Vec<u8> {
    let mut bytes = vec![7; 64];
    bytes.extend_from_slice(&0_u32.to_be_bytes());
    bytes.extend_from_slice(&0_u64.to_be_bytes());
    bytes.extend_from_slice(&sealed_len.to_be_bytes());
    bytes.extend_from_slice(&plain_len.to_be_bytes());
    bytes.push(codec);
    bytes.extend_from_slice(&prefix_len.to_be_bytes());
    bytes
}

impl Default for Hostile {
    /// One honest file of five bytes.
    fn default() -> Self {
        Self { files: vec![("a", 0, 5, 1)], segments: segment(5), total: 5, content: None, padding: Vec::new() }
    }
}

impl Hostile {
    fn encode(&self) -> Vec<u8> {
        let record = |&(path, mode, size, count): &(&str, u8, u64, u32)| {
            Writer::default().text(path).u8(mode).u64(size).u32(count).finish()
        };
        let mut content = Writer::labelled("segue/content/1");
        let mut hashes = self.segments.chunks(89).map(|segment| segment[..32.min(segment.len())].to_vec());
        for file in &self.files {
            let own: Vec<_> = hashes.by_ref().take(file.3 as usize).flatten().collect();
            content.bytes(&[record(file), own].concat());
        }
        let content = self.content.unwrap_or_else(|| sha256(&content.finish()));
        let mut bytes = Writer::labelled("segue/manifest/1")
            .list(&self.files, record)
            .bytes(&self.segments)
            .u64(self.total)
            .bytes(&content)
            .finish();
        bytes.extend_from_slice(&self.padding);
        bytes.resize(bytes.len().next_multiple_of(4096), 0);
        bytes
    }

    fn refusal(&self) -> ManifestError {
        Manifest::parse(&self.encode()).unwrap_err()
    }
}

/// Manifests for the vector file, each with the reason why every client refuses it.
pub(crate) fn hostile_manifests() -> Vec<(&'static str, Vec<u8>)> {
    let base = Hostile::default;
    let path = |path| Hostile { files: vec![(path, 0, 5, 1)], ..base() };
    let twins = |one, other| Hostile {
        files: vec![(one, 0, 5, 1), (other, 0, 5, 1)],
        segments: segment(5).repeat(2),
        total: 10,
        ..base()
    };
    let hostile = [
        ("a path that leaves its place", path("../a")),
        ("an absolute path", path("/a")),
        ("a backslash", path("a\\b")),
        ("a colon", path("c:a")),
        ("a device name", path("native/NUL.txt")),
        ("a blank at the end of a name", path("a /b")),
        ("a duplicate", twins("a", "a")),
        ("twins by case", twins("b/A", "B/a")),
        ("twins by normalisation", twins("\u{fc}", "u\u{308}")),
        ("a file that is a folder", twins("a", "a/b")),
        ("a size that is not the sum", Hostile { files: vec![("a", 0, 6, 1)], total: 6, ..base() }),
        ("a total that is not the sum", Hostile { total: 6, ..base() }),
        ("another content hash", Hostile { content: Some([0; 32]), ..base() }),
        ("a segment too many", Hostile { segments: segment(5).repeat(2), ..base() }),
        ("an unknown mode", Hostile { files: vec![("a", 2, 5, 1)], ..base() }),
        ("an unknown codec", Hostile { segments: entry(20, 5, 4, 0), ..base() }),
        ("a prefix without codec 2", Hostile { segments: entry(21, 5, 0, 1), ..base() }),
        ("compressed and not shorter", Hostile { segments: entry(21, 5, 1, 0), ..base() }),
        ("padding that is not zero", Hostile { padding: vec![1], ..base() }),
        ("padding by more than a step", Hostile { padding: vec![0; 4096], ..base() }),
        ("no file", Hostile { files: Vec::new(), segments: Vec::new(), total: 0, ..base() }),
    ];
    hostile.iter().map(|(why, hostile)| (*why, hostile.encode())).collect()
}

#[test]
fn what_the_vectors_refuse_is_refused() {
    for (why, bytes) in hostile_manifests() {
        assert!(Manifest::parse(&bytes).is_err(), "{why}");
    }
}

#[test]
fn the_honest_one_is_read_and_written_back_the_same() {
    let bytes = Hostile::default().encode();
    assert_eq!(Manifest::parse(&bytes).unwrap().encode().as_slice(), bytes);
}

#[test]
fn a_path_that_leaves_its_place_is_refused() {
    for path in ["../a", "/etc/passwd", "a/../../b", "C:\\a", "a\0", "nul", "", "a/", "a\u{202e}\n"] {
        let hostile = Hostile { files: vec![(path, 0, 5, 1)], ..Hostile::default() };
        assert!(matches!(hostile.refusal(), ManifestError::Path(_)), "{path:?}");
    }
}

#[test]
fn twins_are_refused() {
    let twins = |one, other| Hostile {
        files: vec![(one, 0, 5, 1), (other, 0, 5, 1)],
        segments: [segment(5), segment(5)].concat(),
        total: 10,
        ..Hostile::default()
    };
    assert!(matches!(twins("a", "a").refusal(), ManifestError::Path(PathError::Duplicate(_))));
    assert!(matches!(twins("a", "A").refusal(), ManifestError::Path(PathError::Twin(_))));
    assert!(matches!(twins("a", "a/b").refusal(), ManifestError::Path(PathError::FileAndFolder(_))));
}

#[test]
fn sums_that_do_not_add_up_are_refused() {
    let base = Hostile::default;
    let size = Hostile { files: vec![("a", 0, 6, 1)], total: 6, ..base() };
    assert_eq!(size.refusal(), ManifestError::Size("a".into()));
    assert_eq!(Hostile { total: 6, ..base() }.refusal(), ManifestError::Total);
    assert_eq!(Hostile { content: Some([0; 32]), ..base() }.refusal(), ManifestError::Content);
    assert_eq!(Hostile { segments: segment(5).repeat(2), ..base() }.refusal(), ManifestError::Segments);
    assert_eq!(Hostile { segments: Vec::new(), ..base() }.refusal(), ManifestError::Segments);
    let many = Hostile { files: vec![("a", 0, 5, u32::MAX)], ..base() };
    assert_eq!(many.refusal(), ManifestError::Segments);
    let none = Hostile { files: Vec::new(), segments: Vec::new(), total: 0, ..base() };
    assert_eq!(none.refusal(), ManifestError::Empty);
}

#[test]
fn impossible_segments_are_refused() {
    let refusal = |segments| Hostile { segments, ..Hostile::default() }.refusal();
    assert_eq!(refusal(entry(20, 5, 2, 0)), ManifestError::Prefix, "the codec with a prefix has none");
    assert_eq!(refusal(entry(20, 5, 2, 1)), ManifestError::Prefix, "there is nothing before the first segment");
    assert_eq!(refusal(entry(20, 5, 1, 1)), ManifestError::Prefix);
    assert_eq!(refusal(entry(21, 5, 2, 1)), ManifestError::SegmentLength, "compressed and not shorter");
    assert_eq!(refusal(entry(21, 5, 9, 0)), ManifestError::Codec(9));
    assert_eq!(refusal(entry(21, 5, 0, 1)), ManifestError::Prefix);
    assert_eq!(refusal(entry(16, 0, 0, 0)), ManifestError::SegmentLength, "empty");
    assert_eq!(refusal(entry(22, 5, 0, 0)), ManifestError::SegmentLength, "stored and longer");
    assert_eq!(refusal(entry(21, 5, 1, 0)), ManifestError::SegmentLength, "compressed and not shorter");
    assert_eq!(refusal(entry(16, 5, 1, 0)), ManifestError::SegmentLength, "compressed to nothing");
    assert_eq!(refusal(entry(3, 5, 1, 0)), ManifestError::SegmentLength, "shorter than a tag");
    let over = 4 * 1024 * 1024 + 1;
    assert_eq!(refusal(entry(over + 16, over, 0, 0)), ManifestError::SegmentLength);
    let torn = segment(5)[1..].to_vec();
    assert_eq!(refusal(torn), ManifestError::Malformed(Malformed::Field("segments")));
}

#[test]
fn more_than_the_limits_is_refused() {
    let names: Vec<&'static str> = (0..10_001).map(|index| &*index.to_string().leak()).collect();
    let files = names.iter().map(|&name| (name, 0, 0, 0)).collect();
    let hostile = Hostile { files, segments: Vec::new(), total: 0, ..Hostile::default() };
    assert_eq!(hostile.refusal(), ManifestError::TooManyFiles);
    let crowded = Hostile { segments: segment(5).repeat(65_537), ..Hostile::default() };
    assert_eq!(crowded.refusal(), ManifestError::TooManySegments);
    let full = 4 * 1024 * 1024_u32;
    let huge = Hostile {
        files: vec![("a", 0, u64::from(full) * 1025, 1025)],
        segments: segment(full).repeat(1025),
        total: u64::from(full) * 1025,
        ..Hostile::default()
    };
    assert_eq!(huge.refusal(), ManifestError::TooLarge);
}

#[test]
fn an_unknown_mode_is_refused() {
    let link = Hostile { files: vec![("a", 2, 5, 1)], ..Hostile::default() };
    assert_eq!(link.refusal(), ManifestError::Mode(2), "there are no links");
}

#[test]
fn padding_is_zero_and_no_longer_than_a_step() {
    assert_eq!(Hostile { padding: vec![1], ..Hostile::default() }.refusal(), ManifestError::Padding);
    assert_eq!(Hostile { padding: vec![0; 4096], ..Hostile::default() }.refusal(), ManifestError::Padding);
    let mut bytes = Hostile::default().encode();
    *bytes.last_mut().unwrap() = 1;
    assert_eq!(Manifest::parse(&bytes).unwrap_err(), ManifestError::Padding);
    bytes.pop();
    assert_eq!(Manifest::parse(&bytes).unwrap_err(), ManifestError::Padding);
}

#[test]
fn another_structure_is_no_manifest() {
    let mut other = lv_cat(&[b"segue/manifest/2"]);
    other.resize(4096, 0);
    assert_eq!(Manifest::parse(&other).unwrap_err(), ManifestError::Malformed(Malformed::Unknown("segue/manifest/1")));
    assert!(Manifest::parse(&[]).is_err());
}

#[test]
fn every_flipped_byte_is_refused_or_changes_a_secret_only() {
    let bytes = Hostile::default().encode();
    let honest = Manifest::parse(&bytes).unwrap();
    for index in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[index] ^= 1;
        // A key, a pack index and an offset stand for themselves: the segment will not open, or lies outside its pack.
        if let Ok(manifest) = Manifest::parse(&flipped) {
            assert_eq!(manifest.content_hash(), honest.content_hash(), "byte {index}");
        }
    }
}
