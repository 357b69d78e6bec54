//! Sizes and numbers that a manifest claims and that are not there.

use segue_bundle::{Manifest, manifest::ManifestError, path::PathError};
use segue_signed::{Malformed, lv::Writer};

use crate::meter::{SEGMENT, measure};

/// A manifest of these fields, padded.
fn manifest(files: &[u8], segments: &[u8], total: u64) -> Vec<u8> {
    let mut bytes =
        Writer::labelled("segue/manifest/1").bytes(files).bytes(segments).u64(total).bytes(&[0; 32]).finish();
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    bytes
}

fn record(path: &str, size: u64, segments: u32) -> Vec<u8> {
    Writer::default().text(path).u8(0).u64(size).u32(segments).finish()
}

fn list(records: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = Writer::default();
    for record in records {
        writer.bytes(record);
    }
    writer.finish()
}

fn refusal(bytes: &[u8]) -> (ManifestError, usize) {
    measure(|| Manifest::parse(bytes).unwrap_err())
}

#[test]
fn impossible_sizes_are_refused_before_anything_is_made() {
    for (size, segments, expected) in [
        (1 << 63, 1, ManifestError::Malformed(Malformed::Field("file size"))),
        (u64::MAX, u32::MAX, ManifestError::Malformed(Malformed::Field("file size"))),
        ((1 << 53) - 1, u32::MAX, ManifestError::Segments),
        ((1 << 53) - 1, 0, ManifestError::Size("a".into())),
    ] {
        let (error, held) = refusal(&manifest(&list(&[record("a", size, segments)]), &[], 0));
        assert_eq!(error, expected);
        assert!(held < 64 * 1024, "{held}");
    }
    let (error, held) = refusal(&manifest(&list(&[record("a", 0, 0)]), &[], 1 << 63));
    assert_eq!(error, ManifestError::Malformed(Malformed::Field("total")));
    assert!(held < 64 * 1024, "{held}");
}

#[test]
fn a_length_of_four_gibibytes_that_is_not_there_is_refused() {
    let mut bytes = Writer::labelled("segue/manifest/1").finish();
    bytes.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    bytes.resize(4096, 0);
    let (error, held) = refusal(&bytes);
    assert_eq!(error, ManifestError::Malformed(Malformed::Field("files")));
    assert!(held < 64 * 1024, "{held}");
}

#[test]
fn ten_million_files_do_not_fit_a_manifest_and_what_fits_is_refused() {
    // 12 MiB is the most that an envelope may announce: some 660 000 records of the shortest kind.
    let many = vec![record("a", 0, 0); 660_000];
    let bytes = manifest(&list(&many), &[], 0);
    assert!(bytes.len() > 11 * 1024 * 1024, "{}", bytes.len());
    let (error, held) = refusal(&bytes);
    assert_eq!(error, ManifestError::TooManyFiles);
    assert_eq!(error.to_string(), "the bundle holds more than 10000 files: the sender has to leave some out");
    assert!(held < SEGMENT, "{held}");
}

#[test]
fn a_name_as_long_as_a_manifest_is_refused() {
    for len in [513, 64 * 1024, 11 * 1024 * 1024] {
        let bytes = manifest(&list(&[record(&"a".repeat(len), 0, 0)]), &[], 0);
        let (error, held) = refusal(&bytes);
        assert!(matches!(error, ManifestError::Path(PathError::Length(_))), "{len}");
        assert!(error.to_string().len() < 200, "{error}");
        assert!(held < 3 * len + 64 * 1024, "{len}: {held}");
    }
}
