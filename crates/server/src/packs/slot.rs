//! Where a process writes: servers of one PostgreSQL database share a pack folder, and none may clean up what another writes.
//!
//! Each takes a slot, which is its own for as long as it lives, however it ends. Who takes one later goes on with the uploads
//! that were cut there; what nobody takes any more is swept by the others.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use segue_domain::Timestamp;

use super::{partials, private_folder};

/// Processes on one folder: far more than a database serves.
const SLOTS_MAX: usize = 64;

/// A process's own places in the pack folder.
pub(super) struct Slot {
    packs: PathBuf,
    number: usize,
    /// Given up when nothing is written any more.
    lock: Mutex<Option<File>>,
}

impl Slot {
    /// The first slot that no living process has. What was written aside there is deleted: it was never acknowledged.
    pub(super) fn take(packs: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        for number in 0..SLOTS_MAX {
            if let Some(lock) = locked(&options, packs, number)? {
                let slot = Self { packs: packs.to_owned(), number, lock: Mutex::new(Some(lock)) };
                empty(&slot.aside())?;
                private_folder(&slot.aside())?;
                private_folder(&slot.partial())?;
                return Ok(slot);
            }
        }
        Err(io::Error::other(format!("{SLOTS_MAX} servers already use this folder")))
    }

    /// No slot, for who does not write.
    pub(super) fn none(packs: &Path) -> Self {
        Self { packs: packs.to_owned(), number: 0, lock: Mutex::default() }
    }

    /// Where a file lies until it is whole.
    pub(super) fn aside(&self) -> PathBuf {
        place(&self.packs, "aside", self.number)
    }

    /// Where uploads lie that have not ended.
    pub(super) fn partial(&self) -> PathBuf {
        place(&self.packs, "partial", self.number)
    }

    /// Lets another process have it.
    pub(super) fn give_up(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Deletes what processes that are gone left aside, and their uploads from before `before`.
    pub(super) fn sweep_others(&self, before: Timestamp) -> io::Result<()> {
        for number in (0..SLOTS_MAX).filter(|number| *number != self.number) {
            let Some(_lock) = locked(OpenOptions::new().write(true), &self.packs, number).or_else(is_missing)? else {
                continue;
            };
            empty(&place(&self.packs, "aside", number))?;
            partials::delete_older(&place(&self.packs, "partial", number), before)?;
        }
        Ok(())
    }
}

/// The first slot's places have no number.
fn place(packs: &Path, name: &str, number: usize) -> PathBuf {
    if number == 0 { packs.join(name) } else { packs.join(format!("{name}-{number}")) }
}

/// The lock of a slot, beside the pack folder; none when a process has it.
fn locked(options: &OpenOptions, packs: &Path, number: usize) -> io::Result<Option<File>> {
    let file = options.open(packs.with_file_name(format!("packs.lock-{number}")))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn empty(folder: &Path) -> io::Result<()> {
    if folder.exists() { std::fs::remove_dir_all(folder) } else { Ok(()) }
}

fn is_missing<T>(error: io::Error) -> io::Result<Option<T>> {
    if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_writes_is_its_own_until_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let packs = folder.path().join("packs");
        let (first, second) = (Slot::take(&packs).unwrap(), Slot::take(&packs).unwrap());
        let other = second.aside().join("x");
        std::fs::write(&other, "x").unwrap();
        let upload = second.partial().join("usr_0.pck_0.1000");
        std::fs::write(&upload, "x").unwrap();
        first.sweep_others(Timestamp::from_millis(2_000)).unwrap();
        assert!(other.exists() && upload.exists() && first.aside() != second.aside());
        second.give_up();
        first.sweep_others(Timestamp::from_millis(2_000)).unwrap();
        assert!(!other.exists());
        let again = Slot::take(&packs).unwrap();
        assert_eq!(again.partial(), second.partial(), "who comes next goes on with it");
    }
}
