//! Folders for one command's own files. Each is locked for as long as its command lives, so that the next command knows
//! which were left behind by one that was killed, and removes them.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use tempfile::TempDir;

/// What is locked: a file in each folder, and one beside them all.
const LOCK: &str = "lock";

/// A temporary folder, removed when dropped, or else by the next command that makes one.
#[derive(Debug)]
pub struct Temporary {
    _lock: File,
    folder: TempDir,
}

impl Temporary {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Makes a folder in `parent`, where nothing else may lie.
pub(super) fn create(parent: &Path) -> io::Result<Temporary> {
    // Held until the new folder has its own lock: one without is one that was left behind.
    let turn = open(&parent.join(LOCK))?;
    turn.lock()?;
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_name() != LOCK && !is_in_use(&entry.path()) {
            // What cannot be removed today is tried again with the next command.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
    let folder = TempDir::new_in(parent)?;
    let lock = open(&folder.path().join(LOCK))?;
    lock.lock()?;
    Ok(Temporary { _lock: lock, folder })
}

fn is_in_use(folder: &Path) -> bool {
    let lock = OpenOptions::new().write(true).open(folder.join(LOCK));
    lock.is_ok_and(|lock| lock.try_lock().is_err())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_and_what_was_left_behind_goes() {
        let root = tempfile::tempdir().unwrap();
        let one = create(root.path()).unwrap();
        for left in ["without-lock", "with-lock"] {
            fs::create_dir(root.path().join(left)).unwrap();
        }
        fs::write(root.path().join("with-lock/lock"), "").unwrap();
        let other = create(root.path()).unwrap();
        assert!(one.path().is_dir() && other.path().is_dir());
        drop((one, other));
        let left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [LOCK]);
    }
}
