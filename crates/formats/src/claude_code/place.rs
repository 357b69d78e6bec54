//! Putting files in place so that a crash leaves either nothing or all of a session, and nothing is ever overwritten.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempDir};

/// How temporary names begin. The tool ignores them: they are no session ids.
pub(super) const PREFIX: &str = ".segue-";

/// Makes a folder and those above it, for this user only.
pub(super) fn make_dirs(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A new file in `folder`, for this user only, that is gone if it is not put in place.
pub(super) fn draft_file(folder: &Path) -> io::Result<NamedTempFile> {
    Builder::new().prefix(PREFIX).tempfile_in(folder)
}

/// A new folder in `folder`, for this user only, that is gone if it is not put in place.
pub(super) fn draft_dir(folder: &Path) -> io::Result<TempDir> {
    let dir = Builder::new().prefix(PREFIX).tempdir_in(folder)?;
    #[cfg(unix)]
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(dir)
}

/// What has been put in place; taken away again unless kept.
#[derive(Debug, Default)]
pub(super) struct Placed {
    paths: Vec<PathBuf>,
}

impl Placed {
    /// Puts a file in place and on the disk; fails if there is one.
    pub(super) fn put_file(&mut self, draft: NamedTempFile, target: &Path) -> io::Result<()> {
        draft.as_file().sync_all()?;
        draft.persist_noclobber(target).map_err(|failed| failed.error)?;
        self.paths.push(target.to_owned());
        sync_dir(target)
    }

    /// Puts a folder, whose files are on the disk, in place; fails if there is one that is not empty.
    pub(super) fn put_dir(&mut self, draft: TempDir, target: &Path) -> io::Result<()> {
        fs::rename(draft.path(), target)?;
        // It is no longer where it would be removed.
        let _old = draft.keep();
        self.paths.push(target.to_owned());
        sync_dir(target)
    }

    /// Leaves all in place.
    pub(super) fn keep(mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.paths)
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        for path in &self.paths {
            let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            // An error is already under way; a second one adds nothing.
            drop(removed);
        }
    }
}

/// Copies a file's bytes onto the disk, at most `limit`.
pub(super) fn copy_file(from: &Path, to: &Path, limit: u64) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(to)?;
    io::copy(&mut File::open(from)?.take(limit), &mut out)?;
    out.flush()?;
    out.sync_all()
}

/// Whether two files hold the same bytes.
pub(super) fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (BufReader::new(File::open(one)?), BufReader::new(File::open(other)?));
    let (mut left, mut right) = ([0; 8192], [0; 8192]);
    loop {
        let count = one.read(&mut left)?;
        if count == 0 {
            return Ok(true);
        }
        if other.read_exact(&mut right[..count]).is_err() || left[..count] != right[..count] {
            return Ok(false);
        }
    }
}

/// Makes a new name survive a power cut.
pub(super) fn sync_dir(target: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = target.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("file"), dir.path().join("folder"));
        fs::write(&file, "mine").unwrap();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), "mine").unwrap();
        let mut placed = Placed::default();
        assert!(placed.put_file(draft_file(dir.path()).unwrap(), &file).is_err());
        assert!(placed.put_dir(draft_dir(dir.path()).unwrap(), &folder).is_err());
        drop(placed);
        assert_eq!(
            (fs::read(&file).unwrap(), fs::read(folder.join("file")).unwrap()),
            (b"mine".to_vec(), b"mine".to_vec())
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_not_kept_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        for keep in [false, true] {
            let mut placed = Placed::default();
            placed.put_file(draft_file(dir.path()).unwrap(), &dir.path().join("file")).unwrap();
            placed.put_dir(draft_dir(dir.path()).unwrap(), &dir.path().join("folder")).unwrap();
            if keep {
                assert_eq!(placed.keep().len(), 2);
            } else {
                drop(placed);
            }
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), if keep { 2 } else { 0 });
        }
    }

    #[test]
    fn files_are_the_same_if_every_byte_is() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let long = vec![7; 20_000];
        let mut other = long.clone();
        other[19_999] = 8;
        let (one, same, other) = (write("a", &long), write("b", &long), write("c", &other));
        assert!(is_same(&one, &same).unwrap() && !is_same(&one, &other).unwrap());
        assert!(!is_same(&one, &write("d", &long[1..])).unwrap());
    }
}
