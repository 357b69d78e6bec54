//! Stored packs as objects of the folder: listed, measured, hashed and copied, also beside a running server.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest as _, Sha256};

use super::{Packs, READ_BYTES, private_folder};
use crate::store::packs::Pack;

/// A stored object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its name: that of a pack, derived from owner, id and hash.
    pub name: String,
    /// When it came.
    pub modified: SystemTime,
    path: PathBuf,
}

impl Packs {
    /// Every object, whether or not a row names it.
    pub fn objects(&self) -> io::Result<Vec<Object>> {
        let mut objects = Vec::new();
        for shelf in entries(&self.folder)? {
            let is_shelf = shelf.file_name().is_some_and(|name| name.len() == 2);
            for path in if is_shelf { entries(&shelf)? } else { Vec::new() } {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                match std::fs::metadata(&path) {
                    Ok(metadata) => objects.push(Object { name, modified: metadata.modified()?, path }),
                    // Collected in this very moment.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(objects)
    }

    /// The name of a pack's object.
    pub fn object_name(pack: &Pack) -> String {
        Self::name(pack)
    }

    /// The length of a pack's object; none when it is missing.
    pub fn stored_len(&self, pack: &Pack) -> io::Result<Option<u64>> {
        match std::fs::metadata(self.path(pack)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// SHA-256 of a pack's object.
    pub fn stored_hash(&self, pack: &Pack) -> io::Result<[u8; 32]> {
        pour(&mut File::open(self.path(pack))?, &mut io::sink())
    }

    /// Deletes an object that no row names.
    pub fn delete_object(object: &Object) -> io::Result<()> {
        std::fs::remove_file(&object.path)
    }

    /// Copies a pack to the same place below another folder, durably; fails when its bytes are not those of its row.
    pub fn copy_to(&self, pack: &Pack, folder: &Path) -> io::Result<()> {
        let name = Self::name(pack);
        let place = folder.join(&name[..2]);
        private_folder(&place)?;
        let mut copy = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(place.join(&name))?;
        if pour(&mut File::open(self.path(pack))?, &mut copy)? != pack.sha256 {
            return Err(io::Error::other(format!(
                "pack {} of {} has other bytes than its row says",
                pack.id, pack.owner
            )));
        }
        copy.sync_all()?;
        File::open(&place)?.sync_all()
    }
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Copies all of a file and says what it hashes to.
fn pour(from: &mut File, to: &mut impl io::Write) -> io::Result<[u8; 32]> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; READ_BYTES]);
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
    }
}
