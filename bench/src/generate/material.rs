//! Source text to make sessions of: files of this machine, each changed by a seed; or made-up code where there are none.

use std::fs;
use std::path::{Path, PathBuf};

use super::random::{Random, mix};
use super::text;

/// A file of a project is rarely longer; so much is kept of one, in bytes.
const FILE_MAX: usize = 24 * 1024;
/// Shorter ones are mostly empty `__init__.py`.
const FILE_MIN: u64 = 1024;
/// More are not needed to fill the largest session with text that is not its neighbour's.
const FILES_MAX: usize = 6_000;
/// How many words of a hundred are other words in the changed file.
const OTHER_WORDS_PERCENT: u64 = 14;

/// The files to take text from.
pub(super) struct Material {
    files: Vec<PathBuf>,
}

impl Material {
    /// Python's library and the sources that cargo has fetched, sorted, as far as they are there.
    pub(super) fn of_this_machine() -> Self {
        let mut files = Vec::new();
        collect(Path::new("/usr/lib/python3"), &mut files);
        for minor in 9..20 {
            collect(&PathBuf::from(format!("/usr/lib/python3.{minor}")), &mut files);
        }
        if let Some(home) = std::env::home_dir() {
            collect(&home.join(".cargo/registry/src"), &mut files);
        }
        files.truncate(FILES_MAX);
        Self { files }
    }

    /// No files: all text is made up.
    pub(super) fn none() -> Self {
        Self { files: Vec::new() }
    }

    /// The text of some file, changed; the same for the same state of `random`.
    pub(super) fn file(&self, random: &mut Random) -> (String, String) {
        let seed = random.next();
        if !self.files.is_empty() {
            let path = &self.files[random.below(self.files.len())];
            if let Ok(found) = fs::read_to_string(path) {
                let extension = path.extension().and_then(|name| name.to_str()).unwrap_or("txt");
                return (format!("src/{}.{extension}", text::identifier(seed)), changed(clip(&found), seed));
            }
        }
        let made = text::source(random, FILE_MAX / 2);
        (format!("src/{}.py", text::identifier(seed)), changed(&made, seed))
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    for path in paths {
        if files.len() >= FILES_MAX {
            return;
        }
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let is_source = path.extension().is_some_and(|name| name == "py" || name == "rs");
        if meta.is_dir() {
            collect(&path, files);
        } else if meta.is_file() && is_source && meta.len() >= FILE_MIN {
            files.push(path);
        }
    }
}

/// The beginning, up to a whole line.
fn clip(found: &str) -> &str {
    let mut end = found.len().min(FILE_MAX);
    while !found.is_char_boundary(end) {
        end -= 1;
    }
    found[..end].rfind('\n').map_or("", |end| &found[..=end])
}

/// The text with some of its words exchanged, a word always for the same other one.
pub(super) fn changed(original: &str, seed: u64) -> String {
    let mut out = String::with_capacity(original.len() + original.len() / 16);
    let mut rest = original;
    while let Some(start) = rest.find(|symbol: char| symbol.is_ascii_alphabetic()) {
        let (before, word) = rest.split_at(start);
        let end = word.find(|symbol: char| !symbol.is_ascii_alphanumeric()).unwrap_or(word.len());
        out.push_str(before);
        let hash = word[..end].bytes().fold(seed, |hash, byte| mix(hash ^ u64::from(byte)));
        if end > 4 && hash % 100 < OTHER_WORDS_PERCENT {
            out.push_str(&text::identifier(hash));
        } else {
            out.push_str(&word[..end]);
        }
        rest = &word[end..];
    }
    out.push_str(rest);
    out
}
