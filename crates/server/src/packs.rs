//! Sealed bytes on disk: written aside, synced, renamed, and only then acknowledged.
//!
//! An object's name is derived from owner, id and hash, so two uploads under one id never touch each other's bytes, and
//! an upload that is repeated after a crash lands on the same name.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures::{Stream, TryStreamExt as _};
use segue_signed::{lv::lv_cat, sha256};
use sha2::{Digest as _, Sha256};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
};
use tokio_util::io::ReaderStream;

use crate::store::packs::Pack;

/// Bytes of a pack that are read at once: large enough for the disk, small enough for many readers.
const READ_BYTES: usize = 256 * 1024;

/// What is about to be done to the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bytes of an upload are written.
    Write,
    /// An upload is made durable.
    Sync,
    /// A stored pack is opened.
    Read,
    /// A stored pack is deleted.
    Delete,
    /// Whether the storage answers.
    Probe,
}

/// Sees each step before it is done, and may make it fail: how tests count and break storage.
pub type Watch = Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;

/// Packs in a local folder.
#[derive(Clone)]
pub struct Packs {
    folder: PathBuf,
    watch: Option<Watch>,
}

/// A file that lies aside, and is deleted when nobody renamed it away: a request that is cut leaves nothing behind.
#[derive(Debug)]
struct Aside(PathBuf);

impl Drop for Aside {
    fn drop(&mut self) {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "a file that lies aside stays until the next start");
            }
            _ => {}
        }
    }
}

/// An upload that lies aside until [`Packs::keep`] makes it last.
#[derive(Debug)]
pub struct Upload {
    file: Aside,
    /// SHA-256 of what was read.
    pub sha256: [u8; 32],
    /// Bytes read.
    pub len: u64,
}

/// Why an upload was not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The body ended early, or was cut.
    #[error("the body was cut")]
    Cut(#[source] axum::Error),
    /// No bytes came for too long.
    #[error("the body stalled")]
    Stalled,
    /// More bytes came than were announced.
    #[error("the body is longer than announced")]
    TooLong,
    /// The storage failed.
    #[error("the storage failed")]
    Storage(#[from] io::Error),
}

impl Packs {
    /// The packs in `folder`, which is made when it is missing. Uploads that a stop left aside are deleted.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let packs = Self { folder: folder.to_owned(), watch: None };
        let aside = packs.aside();
        if aside.exists() {
            std::fs::remove_dir_all(&aside)?;
        }
        private_folder(&aside)?;
        Ok(packs)
    }

    /// The same packs, watched.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Reads a body of at most `len_max` bytes into a file aside, none of them later than `idle` after the one before.
    pub async fn receive<S>(&self, name: [u8; 16], body: S, len_max: u64, idle: Duration) -> Result<Upload, UploadError>
    where
        S: Stream<Item = Result<Bytes, axum::Error>> + Unpin,
    {
        let (aside, mut file) = self.create_aside(name).await?;
        let (sha256, len) = self.write(&mut file, body, len_max, idle).await?;
        Ok(Upload { file: aside, sha256, len })
    }

    async fn create_aside(&self, name: [u8; 16]) -> io::Result<(Aside, File)> {
        let path = self.aside().join(HEXLOWER.encode(&name));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await?;
        Ok((Aside(path), file))
    }

    async fn write<S>(
        &self,
        file: &mut File,
        mut body: S,
        len_max: u64,
        idle: Duration,
    ) -> Result<([u8; 32], u64), UploadError>
    where
        S: Stream<Item = Result<Bytes, axum::Error>> + Unpin,
    {
        let (mut hash, mut len) = (Sha256::new(), 0_u64);
        loop {
            let next = tokio::time::timeout(idle, body.try_next()).await.map_err(|_| UploadError::Stalled)?;
            let Some(bytes) = next.map_err(UploadError::Cut)? else { break };
            len += bytes.len() as u64;
            if len > len_max {
                return Err(UploadError::TooLong);
            }
            self.step(Step::Write)?;
            hash.update(&bytes);
            file.write_all(&bytes).await?;
        }
        self.step(Step::Sync)?;
        file.flush().await?;
        file.sync_all().await?;
        Ok((hash.finalize().into(), len))
    }

    /// Makes an upload last under the name of `pack`.
    pub async fn keep(&self, upload: Upload, pack: &Pack) -> io::Result<()> {
        let path = self.path(pack);
        let folder = self.shelf(pack);
        private_folder(&folder)?;
        tokio::fs::rename(&upload.file.0, &path).await?;
        self.step(Step::Sync)?;
        // The new names are durable only when their folders are.
        for folder in [folder.as_path(), &self.folder] {
            File::open(folder).await?.sync_all().await?;
        }
        Ok(())
    }

    /// Reads `len` bytes of a pack from `start` on.
    pub async fn read(
        &self,
        pack: &Pack,
        start: u64,
        len: u64,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + use<>> {
        self.step(Step::Read)?;
        let mut file = File::open(self.path(pack)).await?;
        if file.metadata().await?.len() != pack.len {
            return Err(io::Error::other("a stored pack has another length than its row"));
        }
        file.seek(io::SeekFrom::Start(start)).await?;
        Ok(ReaderStream::with_capacity(file.take(len), READ_BYTES))
    }

    /// Deletes a pack; one that is gone already is fine.
    pub async fn delete(&self, pack: &Pack) -> io::Result<()> {
        self.step(Step::Delete)?;
        match tokio::fs::remove_file(self.path(pack)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes, syncs and deletes a byte: whether the storage takes anything.
    pub async fn probe(&self, name: [u8; 16]) -> io::Result<()> {
        self.step(Step::Probe)?;
        let (_aside, mut file) = self.create_aside(name).await?;
        file.write_all(b"?").await?;
        file.sync_all().await
    }

    fn step(&self, step: Step) -> io::Result<()> {
        self.watch.as_ref().map_or(Ok(()), |watch| watch(step))
    }

    fn aside(&self) -> PathBuf {
        self.folder.join("aside")
    }

    fn name(pack: &Pack) -> String {
        let name = sha256(&lv_cat(&[b"segue/object/1", pack.owner.as_bytes(), pack.id.as_bytes(), &pack.sha256]));
        HEXLOWER.encode(&name)
    }

    /// 256 folders, so that none grows long.
    fn shelf(&self, pack: &Pack) -> PathBuf {
        self.folder.join(&Self::name(pack)[..2])
    }

    fn path(&self, pack: &Pack) -> PathBuf {
        self.shelf(pack).join(Self::name(pack))
    }
}

/// Makes a folder that only the server's account may enter.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
