//! The folder of the client's own files: `SEGUE_HOME`, else the platform's data folder.
//!
//! It is for its owner only (0700, the files that hold secrets 0600), and every file is replaced as a whole: written
//! beside, synced, renamed. A half-written file is never at its final place.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy as _;
use segue_domain::Clock as _;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    environment::SystemClock,
    error::{CliError, Result},
};

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

    /// A fresh temporary folder on the same disk as the rest, removed when dropped.
    pub fn temporary(&self) -> Result<tempfile::TempDir> {
        let parent = self.path("tmp");
        create_dir(&parent)?;
        sweep(&parent);
        tempfile::TempDir::new_in(&parent).map_err(|error| CliError::file("create a folder in", &parent, &error))
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

/// Removes what commands that were killed left behind. No command runs for a day, so nobody needs what is older.
fn sweep(folder: &Path) {
    const DAY: std::time::Duration = std::time::Duration::from_hours(24);
    let now = SystemClock.now().as_millis();
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let since = modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).map(|since| since + DAY);
        if since.is_some_and(|end| i64::try_from(end.as_millis()).is_ok_and(|end| end < now)) {
            // What cannot be removed today is tried again with the next command.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Creates a folder and its parents, for its owner only.
pub fn create_dir(path: &Path) -> Result<()> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|error| CliError::file("create", path, &error))
}

/// Replaces a file as a whole; on return it is on disk.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    create_dir(parent)?;
    let replace = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(parent)?.sync_all()
    };
    replace().map_err(|error| CliError::file("write", path, &error))
}

/// Replaces a file with `value` as JSON.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| CliError::file("write", path, &io::Error::other(error.to_string())))?;
    bytes.push(b'\n');
    write(path, &bytes)
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
