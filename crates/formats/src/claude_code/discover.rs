//! Finding sessions: every folder below `projects`, every file in it named for a session.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::layout::{is_session_id, projects_dir, session_of};
use super::peek::Peek;
use crate::{DiscoverError, Env, Found};

/// The most sessions listed; the newest win.
const MAX_FOUND: usize = 5_000;
/// The most files looked at. People who keep everything have some ten thousand.
const MAX_SEEN: usize = 200_000;

/// A file that may be a session: where, when it changed in ms since 1970, and how long it is.
pub(super) type Candidate = (PathBuf, i64, u64);

/// All sessions, newest first. Each is looked at when its turn comes.
pub(super) fn discover(env: &Env) -> Result<impl Iterator<Item = Found> + use<>, DiscoverError> {
    let mut candidates = candidates(env, "")?;
    candidates.truncate(MAX_FOUND);
    let mut peek = Peek::default();
    Ok(candidates.into_iter().filter_map(move |candidate| peek.look(&candidate)))
}

/// The sessions whose id begins so, newest first.
pub(super) fn find_beginning(env: &Env, beginning: &str) -> Result<Vec<Found>, DiscoverError> {
    let mut candidates = candidates(env, beginning)?;
    candidates.truncate(MAX_FOUND);
    let mut peek = Peek::default();
    Ok(candidates.iter().filter_map(|candidate| peek.look(candidate)).collect())
}

/// All files that may be a session with such an id, newest first.
fn candidates(env: &Env, beginning: &str) -> Result<Vec<Candidate>, DiscoverError> {
    let mut candidates = Vec::new();
    for folder in read_dir(&projects_dir(env))? {
        if candidates.len() >= MAX_SEEN {
            break;
        }
        for path in read_dir(&folder)? {
            if session_of(&path).is_some_and(|id| id.starts_with(beginning)) {
                candidates.extend(stat(&path));
            }
        }
    }
    candidates.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    Ok(candidates)
}

/// The session of that id; the newest, if several folders have one.
pub(super) fn find(env: &Env, native_id: &str) -> Result<Option<Found>, DiscoverError> {
    if !is_session_id(native_id) {
        return Ok(None);
    }
    let file = format!("{native_id}.jsonl");
    let folders = read_dir(&projects_dir(env))?;
    let newest = folders.iter().filter_map(|folder| stat(&folder.join(&file))).max_by_key(|(_, modified, _)| *modified);
    Ok(newest.and_then(|candidate| Peek::default().look(&candidate)))
}

/// Entries of a folder, sorted; none if it does not exist.
pub(super) fn read_dir(folder: &Path) -> Result<Vec<PathBuf>, DiscoverError> {
    let failed = |source| DiscoverError { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    let paths: Result<Vec<_>, _> = entries.take(MAX_SEEN).map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// Time of change in ms and length of a regular file that is not empty.
fn stat(path: &Path) -> Option<Candidate> {
    let meta = fs::symlink_metadata(path).ok().filter(|meta| meta.is_file() && meta.len() > 0)?;
    let modified = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((path.to_owned(), i64::try_from(modified.as_millis()).ok()?, meta.len()))
}
