//! Paths inside a bundle: what every file system can hold, and nothing that leaves the place it is unpacked to.

use std::collections::BTreeSet;

use segue_domain::limits::BUNDLE_PATH_BYTES_MAX;
use unicode_normalization::UnicodeNormalization as _;

/// Names that Windows gives to devices, whatever the extension (Microsoft, "Naming Files, Paths, and Namespaces").
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// The same with a digit after them.
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// So much of a path that is too long is told, in bytes.
const QUOTED_BYTES_MAX: usize = 80;

/// Why a path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Longer than [`BUNDLE_PATH_BYTES_MAX`], or empty; its beginning.
    #[error("the path that begins {0:?} is empty or longer than {BUNDLE_PATH_BYTES_MAX} bytes: rename the file")]
    Length(String),
    /// It starts at the root, leaves its place, or has an empty component.
    #[error("the path {0:?} is not a plain relative path")]
    NotRelative(String),
    /// NUL, another control character, a backslash or a colon.
    #[error("the path {0:?} has a control character, a backslash or a colon: rename the file")]
    Character(String),
    /// A component that Windows cannot hold: a device, or a dot or blank at its end.
    #[error("the path {0:?} has a name that Windows cannot hold: rename the file")]
    Name(String),
    /// Twice the same path.
    #[error("the path {0:?} appears twice")]
    Duplicate(String),
    /// Two paths that some file systems take for one: they differ in case or Unicode normalisation only.
    #[error("the path {0:?} differs from another in case or accents only: rename one of them")]
    Twin(String),
    /// A path that is a file and a folder.
    #[error("the path {0:?} is both a file and a folder")]
    FileAndFolder(String),
}

/// Checks one path.
pub fn check_path(path: &str) -> Result<(), PathError> {
    let refused = |error: fn(String) -> PathError| Err(error(path.to_owned()));
    if path.is_empty() || path.len() > BUNDLE_PATH_BYTES_MAX {
        // A hostile one may be as long as a manifest.
        return Err(PathError::Length(path[..path.floor_char_boundary(QUOTED_BYTES_MAX)].to_owned()));
    }
    if path.chars().any(|symbol| symbol.is_control() || symbol == '\\' || symbol == ':') {
        return refused(PathError::Character);
    }
    for component in path.split('/') {
        if matches!(component, "" | "." | "..") {
            return refused(PathError::NotRelative);
        }
        if component.ends_with(['.', ' ']) || is_device(component) {
            return refused(PathError::Name);
        }
    }
    Ok(())
}

/// Checks every path, and that no two of them fall together on a file system that folds case or normalises.
pub fn check_paths<'a>(paths: impl IntoIterator<Item = &'a str>) -> Result<(), PathError> {
    let (mut seen, mut folded, mut all) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for path in paths {
        check_path(path)?;
        if !seen.insert(path) {
            return Err(PathError::Duplicate(path.to_owned()));
        }
        let fold = fold(path);
        if !folded.insert(fold.clone()) {
            return Err(PathError::Twin(path.to_owned()));
        }
        all.push((path, fold));
    }
    for (path, fold) in &all {
        for (end, _) in fold.match_indices('/') {
            if folded.contains(&fold[..end]) {
                return Err(PathError::FileAndFolder((*path).to_owned()));
            }
        }
    }
    Ok(())
}

/// What a file system that folds case and normalises might see: NFC(lower(upper(NFD(path)))), Unicode's default mappings.
fn fold(path: &str) -> String {
    path.nfd().collect::<String>().to_uppercase().to_lowercase().nfc().collect()
}

fn is_device(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or(component).trim_end_matches(' ').to_lowercase();
    if DEVICES.contains(&stem.as_str()) {
        return true;
    }
    NUMBERED_DEVICES.iter().filter_map(|device| stem.strip_prefix(device)).any(|rest| {
        let mut digits = rest.chars();
        matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_relative_paths_pass() {
        for path in ["a", "native/2.1/a b.jsonl", "-home-x/…/ü.txt", "com.txt", "console", "com10", "a..b", ".hidden"]
        {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        assert_eq!(check_path(&"a".repeat(BUNDLE_PATH_BYTES_MAX)), Ok(()));
    }

    #[test]
    fn what_leaves_its_place_is_refused() {
        for path in ["/a", "a//b", "a/", "./a", "a/./b", "../a", "a/../b", "a/..", "."] {
            assert!(matches!(check_path(path), Err(PathError::NotRelative(_))), "{path}");
        }
        for path in ["C:/a", "a\\b", "a\0b", "a\nb", "a:stream", "\u{85}"] {
            assert!(matches!(check_path(path), Err(PathError::Character(_))), "{path}");
        }
        assert!(matches!(check_path(""), Err(PathError::Length(_))));
        assert!(matches!(check_path(&"a".repeat(BUNDLE_PATH_BYTES_MAX + 1)), Err(PathError::Length(_))));
    }

    #[test]
    fn what_windows_cannot_hold_is_refused() {
        for path in ["nul", "a/NUL.txt", "Con", "com1", "LPT9.log", "aux .c", "COM¹", "CONIN$", "a./b", "a /b", "a."] {
            assert!(matches!(check_path(path), Err(PathError::Name(_))), "{path}");
        }
    }

    #[test]
    fn twins_are_refused() {
        assert!(matches!(check_paths(["a", "b", "a"]), Err(PathError::Duplicate(_))));
        for (one, other) in
            [("a/B", "A/b"), ("ü", "u\u{308}"), ("straße", "STRASSE"), ("Σας", "ΣΑΣ"), ("K", "\u{212a}")]
        {
            assert!(matches!(check_paths([one, other]), Err(PathError::Twin(_))), "{one} {other}");
        }
        for paths in [["a", "a/b"], ["a/b", "a"], ["A", "a/b"]] {
            assert!(matches!(check_paths(paths), Err(PathError::FileAndFolder(_))), "{paths:?}");
        }
        assert_eq!(check_paths(["a/b", "a/c", "ab"]), Ok(()));
    }

    proptest! {
        #[test]
        fn a_path_that_passes_stays_below_its_root(path in "[a./ A:\\\\]{0,12}") {
            if check_path(&path).is_ok() {
                let plain = std::path::Path::new(&path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
                prop_assert!(plain);
            }
        }
    }
}
