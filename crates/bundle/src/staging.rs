//! A fresh directory beside the destination, where a bundle is unpacked before one rename puts it in place.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use rand_core::CryptoRng;

use crate::manifest::FileMode;

/// A temporary directory that only its owner reads. It is removed when dropped, unless it was put in place.
pub(crate) struct Staging {
    root: PathBuf,
    kept: bool,
}

impl Staging {
    /// Makes `.NAME.RANDOM.part` beside `dest`.
    pub(crate) fn create(rng: &mut dyn CryptoRng, dest: &Path) -> io::Result<Self> {
        let name = dest.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{:016x}.part", rng.next_u64()));
        let root = dest.with_file_name(hidden);
        create_dir(&root)?;
        Ok(Self { root, kept: false })
    }

    /// Creates a file that did not exist, and the folders above it. `path` was checked ([`crate::path`]).
    pub(crate) fn create_file(&self, path: &str, mode: FileMode) -> io::Result<File> {
        let mut place = self.root.clone();
        let mut components = path.split('/').peekable();
        while let Some(component) = components.next() {
            place.push(component);
            if components.peek().is_some() {
                match create_dir(&place) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    result => result?,
                }
            }
        }
        // Nothing but this process writes below the fresh root, so no link can lie on the way; and an existing name,
        // link or not, is refused.
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        restrict(&mut options, mode);
        options.open(place)
    }

    /// Makes everything durable and puts it at `dest` with one rename.
    pub(crate) fn rename(mut self, dest: &Path) -> io::Result<()> {
        sync_dirs(&self.root)?;
        fs::rename(&self.root, dest)?;
        // From here on an error has to remove what lies at the destination.
        dest.clone_into(&mut self.root);
        match dest.parent() {
            Some(parent) if parent.as_os_str().is_empty() => sync_dir(Path::new("."))?,
            Some(parent) => sync_dir(parent)?,
            None => {}
        }
        self.kept = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.kept {
            // Best effort: the error that led here is the one to tell.
            let _removed = fs::remove_dir_all(&self.root);
        }
    }
}

#[cfg(unix)]
fn create_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_dir(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, mode: FileMode) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(match mode {
        FileMode::Plain => 0o600,
        FileMode::Executable => 0o700,
    });
}

#[cfg(not(unix))]
fn restrict(_options: &mut OpenOptions, _mode: FileMode) {}

fn sync_dirs(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_dirs(&entry.path())?;
        }
    }
    sync_dir(root)
}

#[cfg(unix)]
fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Directories are not files elsewhere; the rename itself is durable there.
#[cfg(not(unix))]
fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}
