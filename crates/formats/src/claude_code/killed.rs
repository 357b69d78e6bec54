//! What an install that was killed left behind, taken away by the next one.
//!
//! Installs take turns, so a temporary name that is there when one begins is nobody's any more. The parts of a session are
//! put in place one after the other, the transcript last; a mark beside them names the session for as long, so that parts
//! without a transcript are known to be an install's, and not what the tool or a person keeps of a session.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use super::discover::read_dir;
use super::layout::{config_dir, is_session_id, projects_dir};
use super::place::{PREFIX, make_dirs, sync_dir};
use crate::Env;

/// The right to install into this tool, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: Option<File>,
}

/// Waits until no other install is under way, and takes away what killed ones left.
pub(super) fn take_turn(env: &Env) -> io::Result<Turn> {
    let projects = projects_dir(env);
    make_dirs(&projects)?;
    let lock = File::open(&projects).and_then(|folder| folder.lock().map(|()| folder)).ok();
    // Where a folder cannot be locked (some network disks), nobody can tell what is still in use.
    if lock.is_some() {
        sweep(env)?;
    }
    Ok(Turn { _lock: lock })
}

/// Marks that parts of a session are being put in place, which were not there before.
pub(super) fn mark(project: &Path, id: &str) -> io::Result<NamedTempFile> {
    let mark = Builder::new().prefix(&format!("{PREFIX}{id}.")).tempfile_in(project)?;
    sync_dir(mark.path())?;
    Ok(mark)
}

/// The session that a mark names.
fn marked(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)?.split_once('.').map(|(id, _)| id).filter(|id| is_session_id(id))
}

fn sweep(env: &Env) -> io::Result<()> {
    let list = |folder: &Path| read_dir(folder).map_err(|error| error.source);
    let tasks = config_dir(env).join("tasks");
    for folder in list(&projects_dir(env))?.iter().chain([&tasks, &config_dir(env).join("todos")]) {
        for left in list(folder)? {
            let Some(name) = left.file_name().and_then(|name| name.to_str()).filter(|name| name.starts_with(PREFIX))
            else {
                continue;
            };
            if let Some(id) = marked(name)
                && fs::symlink_metadata(folder.join(format!("{id}.jsonl"))).is_err()
            {
                remove(&folder.join(id))?;
                remove(&tasks.join(id))?;
            }
            remove(&left)?;
        }
    }
    Ok(())
}

/// Removes a file, or a folder with all in it; links are not followed.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}
