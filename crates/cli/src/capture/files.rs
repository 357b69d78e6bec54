//! The files of a capture, where their bytes are.

use std::{
    fs::{self, File},
    io::{Cursor, Seek as _, SeekFrom},
    path::PathBuf,
    sync::Arc,
};

use segue_bundle::{Compression, FileMode, SourceFile};
use segue_formats::CapturedFile;

use crate::error::{CliError, Result};

/// A file of a bundle to be.
pub(super) struct LocalFile {
    path: String,
    place: Place,
    len: u64,
    // Leading bytes that the last push sent.
    trusted: u64,
}

#[derive(Clone)]
enum Place {
    Disk(PathBuf),
    Memory(Arc<[u8]>),
}

impl LocalFile {
    /// A file of the tool.
    pub(super) fn native(trusted: u64, file: CapturedFile) -> Self {
        Self { path: file.bundle_path, place: Place::Disk(file.source), len: file.len, trusted }
    }

    /// All of a file as it is now.
    pub(super) fn whole(path: String, source: PathBuf) -> Result<Self> {
        let metadata = fs::metadata(&source).map_err(|error| CliError::file("read", &source, &error))?;
        Ok(Self { path, place: Place::Disk(source), len: metadata.len(), trusted: 0 })
    }

    /// A short file that was made for the bundle.
    pub(super) fn made(path: &str, bytes: Vec<u8>) -> Self {
        let (path, len) = (path.to_owned(), bytes.len() as u64);
        Self { path, place: Place::Memory(bytes.into()), len, trusted: 0 }
    }

    /// Bytes of it that are part of the bundle.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The file for sealing, see [`super::Capture::sources`].
    pub(super) fn source<'a>(&self, prefixes: bool, trusting: bool) -> SourceFile<'a> {
        let place = self.place.clone();
        SourceFile {
            path: self.path.clone(),
            mode: FileMode::Plain,
            compression: if prefixes { Compression::Zstd } else { Compression::ZstdAlone },
            len: self.len,
            trusted: if trusting { self.trusted } else { 0 },
            open: Box::new(move |start| match place {
                Place::Disk(path) => {
                    let mut file = File::open(path)?;
                    file.seek(SeekFrom::Start(start))?;
                    Ok(Box::new(file))
                }
                Place::Memory(bytes) => {
                    let mut bytes = Cursor::new(bytes);
                    bytes.set_position(start);
                    Ok(Box::new(bytes))
                }
            }),
        }
    }
}
