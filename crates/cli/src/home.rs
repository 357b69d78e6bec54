//! The folder of the client's own files: `SEGUE_HOME`, else the platform's data folder.
//!
//! It is for its owner only (0700, the files that hold secrets 0600), and every file is replaced as a whole: written
//! beside, synced, renamed. A half-written file is never at its final place.

mod temporary;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy as _;
use serde::{Serialize, de::DeserializeOwned};

pub use self::temporary::Temporary;
use crate::error::{CliError, Exit, Result};

/// The client's own folder.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Finds the folder; creates nothing.
    ///
    /// # Errors
    /// When neither `SEGUE_HOME` nor `HOME` says where.
    pub fn find() -> Result<Self> {
        if let Some(root) = std::env::var_os("SEGUE_HOME").filter(|root| !root.is_empty()) {
            return Ok(Self { root: root.into() });
        }
        let base = etcetera::choose_base_strategy()
            .map_err(|_| CliError::usage("no home directory is set").hint("Set HOME, or SEGUE_HOME to a folder."))?;
        Ok(Self { root: base.data_dir().join("segue") })
    }

    /// A folder that is named outright.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A path below the folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A fresh temporary folder on the same disk as the rest, removed when dropped. Those of commands that were killed are
    /// removed now.
    pub fn temporary(&self) -> Result<Temporary> {
        let parent = self.path("tmp");
        create_dir(&parent)?;
        temporary::create(&parent).map_err(|error| CliError::file("create a folder in", &parent, &error))
    }

    /// Takes the folder's lock, so that two commands do not change it at once. Waits for the other one.
    pub fn lock(&self) -> Result<File> {
        create_dir(&self.root)?;
        let path = self.path("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|error| CliError::file("open", &path, &error))?;
        file.lock().map_err(|error| CliError::file("lock", &path, &error))?;
        Ok(file)
    }
}

/// Creates a folder and its parents, for its owner only.
pub fn create_dir(path: &Path) -> Result<()> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|error| CliError::file("create", path, &error))
}

/// Replaces a file as a whole; on return it is on disk.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    write_all(path.parent().unwrap_or(Path::new(".")), &[(&*name, bytes)])
}

/// Replaces files of one folder, each as a whole and in this order; on return they are on disk.
pub fn write_all(folder: &Path, files: &[(&str, &[u8])]) -> Result<()> {
    create_dir(folder)?;
    let part = |name: &str| folder.join(format!(".{name}.part"));
    let write = |(name, bytes): &(&str, &[u8])| -> io::Result<File> {
        let mut file = open_part(&part(name))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map(|()| file)
    };
    let replace = || -> io::Result<()> {
        // Open until they are renamed, as that is how long they are this command's.
        let _open = files.iter().map(write).collect::<io::Result<Vec<_>>>()?;
        files.iter().try_for_each(|(name, _)| fs::rename(part(name), folder.join(name)))?;
        File::open(folder)?.sync_all()
    };
    replace().map_err(|error| {
        // What cannot be removed now is written over by the next.
        for (name, _) in files {
            drop(fs::remove_file(part(name)));
        }
        CliError::file("write", &folder.join(files.first().map_or("", |(name, _)| name)), &error)
    })
}

/// Opens a file for this command alone. What a command that was killed left there is written over: its name is fixed, so
/// that nothing piles up.
fn open_part(part: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(part)?;
        file.lock()?;
        let mine = file.metadata()?;
        // Another command may have put this very file in its final place while we waited.
        if fs::metadata(part).is_ok_and(|there| (there.dev(), there.ino()) == (mine.dev(), mine.ino())) {
            file.set_len(0)?;
            return Ok(file);
        }
    }
}

/// Removes a file.
pub fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|error| CliError::file("remove", path, &error))
}

/// Replaces a file with `value` as JSON.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    write(path, &json(value)?)
}

/// `value` as JSON that a person can read.
pub fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| CliError::new(Exit::Error, "json", format!("this cannot be written as JSON: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a JSON file; `None` when there is none.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CliError::file("read", path, &error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        CliError::file("understand", path, &io::Error::other(error.to_string()))
            .hint("The file is damaged or was written by a newer Segue. Restore it from a backup; move it away only if you can do without it.")
    })
}

/// Reads all JSON files of a folder, each by itself and in no order; none where it is not there. What a killed command left
/// half-written is none, and is removed.
pub fn read_each<T: DeserializeOwned>(folder: &Path) -> Vec<Result<T>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let (parts, whole): (Vec<_>, Vec<_>) =
        entries.partition(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    for part in parts {
        remove_part(&part);
    }
    whole.iter().filter_map(|path| read_json(path).transpose()).collect()
}

/// Removes what a killed command left half-written, which may hold secrets; one that writes has it locked.
fn remove_part(part: &Path) {
    if OpenOptions::new().write(true).open(part).is_ok_and(|file| file.try_lock().is_ok()) {
        // What cannot be removed today is tried again by the next.
        drop(fs::remove_file(part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn what_a_killed_command_left_is_written_over() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(".file.part"), "left behind, and longer").unwrap();
        write(&root.path().join("file"), b"new").unwrap();
        assert_eq!(fs::read(root.path().join("file")).unwrap(), b"new");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_command_left_is_none_of_a_folders_files_and_goes() {
        let root = tempfile::tempdir().unwrap();
        let (left, writing) = (root.path().join(".a.json.part"), root.path().join(".b.json.part"));
        for part in [&left, &writing] {
            fs::write(part, "\"half").unwrap();
        }
        write_json(&root.path().join("c.json"), &"whole").unwrap();
        let writer = File::open(&writing).unwrap();
        writer.lock().unwrap();
        let read: Vec<_> = read_each::<String>(root.path()).into_iter().flatten().collect();
        assert_eq!(read, ["whole"]);
        assert_eq!((left.exists(), writing.exists()), (false, true), "who writes still is not disturbed");
    }

    #[test]
    fn of_many_writers_at_once_one_is_last_and_whole() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        let texts = ["a".repeat(30_000), "b".repeat(20_000), "c".repeat(10_000)];
        thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| (0..50).for_each(|_| write(&path, text.as_bytes()).unwrap()));
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        assert!(texts.contains(&text));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
