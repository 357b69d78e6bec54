//! Paths that a hostile sender may sign for. Each is refused by its own error, and none reaches the disk.

use segue_bundle::{FileMode, FileRecord, Manifest, manifest::ManifestError, path::PathError};

fn refusal(paths: &[&str]) -> PathError {
    let record = |path: &&str| FileRecord { path: (*path).to_owned(), mode: FileMode::Plain, size: 0, segments: 0 };
    match Manifest::new(paths.iter().map(record).collect(), Vec::new()).unwrap_err() {
        ManifestError::Path(error) => error,
        other => panic!("{paths:?}: {other}"),
    }
}

#[test]
fn what_leaves_its_place_is_not_relative() {
    for path in ["../../.ssh/authorized_keys", "/etc/x", "a/../../b", "a/..", "./a", "a//b", "a/", "//server/share/x"] {
        assert_eq!(refusal(&[path]), PathError::NotRelative(path.into()));
    }
}

#[test]
fn what_another_system_reads_otherwise_has_a_wrong_character() {
    for path in
        ["C:\\x", "C:x", "\\\\?\\C:\\x", "\\\\server\\share", "a\\..\\b", "file:ads", "a\0b", "a\u{1b}[2J", "a\u{9b}"]
    {
        assert_eq!(refusal(&[path]), PathError::Character(path.into()));
    }
}

#[test]
fn what_windows_would_rename_or_open_as_a_device_has_a_wrong_name() {
    for path in ["CON", "con.txt", "a/NUL", "LPT1.log", "COM\u{b9}", "trailing.", "trailing ", "a./b", "a /b", "... "] {
        assert_eq!(refusal(&[path]), PathError::Name(path.into()));
    }
}

#[test]
fn twins_on_any_disk_are_refused() {
    for (one, other) in [(".git/config", ".GIT/config"), ("\u{e9}", "e\u{301}"), ("\u{212b}", "\u{e5}"), ("ﬁ", "FI")]
    {
        assert_eq!(refusal(&[one, other]), PathError::Twin(other.into()), "{one}");
    }
    assert_eq!(refusal(&["a", "a"]), PathError::Duplicate("a".into()));
    assert_eq!(refusal(&[".git", ".GIT/config"]), PathError::FileAndFolder(".GIT/config".into()));
}

#[test]
fn a_name_of_512_bytes_passes_and_one_more_is_told_what_to_do() {
    let record = |len| FileRecord { path: "a".repeat(len), mode: FileMode::Plain, size: 0, segments: 0 };
    assert!(Manifest::new(vec![record(512)], Vec::new()).is_ok());
    for len in [513, 64 * 1024] {
        let error = Manifest::new(vec![record(len)], Vec::new()).unwrap_err();
        assert!(matches!(error, ManifestError::Path(PathError::Length(_))), "{len}");
        assert!(error.to_string().ends_with("is empty or longer than 512 bytes: rename the file"), "{error}");
    }
    assert_eq!(refusal(&[""]), PathError::Length(String::new()));
}
