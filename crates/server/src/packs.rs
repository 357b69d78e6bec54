//! Sealed bytes on disk: written aside, synced, renamed, and only then acknowledged.
//!
//! An object's name is derived from owner, id and hash, so two uploads under one id never touch each other's bytes, and
//! an upload that is repeated after a crash lands on the same name.

mod objects;
mod partials;
mod receiving;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures::Stream;
use segue_domain::{PackId, Timestamp, UserId};
use segue_signed::{lv::lv_cat, sha256};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
};
use tokio_util::{io::ReaderStream, task::TaskTracker};

pub use objects::Object;
pub use partials::Hold;
use partials::Partials;
pub use receiving::{Bounds, Stopped, UploadError};

use crate::store::packs::Pack;

/// Bytes of a pack that are read at once: large enough for the disk, small enough for many readers.
const READ_BYTES: usize = 256 * 1024;

/// What is about to be done to the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A file is made or opened for an upload.
    Create,
    /// Bytes of an upload are written.
    Write,
    /// An upload is made durable.
    Sync,
    /// An upload gets its lasting name.
    Rename,
    /// A stored pack, or an upload that is taken up again, is opened.
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
    partials: Arc<Partials>,
    receiving: TaskTracker,
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

/// An upload that is complete, and lies aside until [`Packs::keep`] makes it last.
pub struct Upload {
    file: Source,
    /// SHA-256 of what was read.
    pub sha256: [u8; 32],
    /// Bytes read.
    pub len: u64,
}

/// Where an upload lies.
enum Source {
    /// It came in one piece.
    Aside(Aside),
    /// It may have come in several.
    Held(Hold),
}

impl Upload {
    /// Whether its bytes are counted as those of an upload that has not ended.
    pub fn is_counted(&self) -> bool {
        matches!(self.file, Source::Held(_))
    }

    /// Drops it for good; else what came in several pieces waits to be completed again.
    pub fn discard(mut self) -> io::Result<()> {
        match &mut self.file {
            Source::Aside(_) => Ok(()),
            Source::Held(hold) => hold.discard(),
        }
    }
}

impl Packs {
    /// The packs in `folder`, which is made when it is missing. Uploads that have not ended wait for their rest.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let aside = folder.join("aside");
        if aside.exists() {
            std::fs::remove_dir_all(&aside)?;
        }
        private_folder(&aside)?;
        let partials = Arc::new(Partials::open(partials::folder(folder)?)?);
        Ok(Self { folder: folder.to_owned(), partials, receiving: TaskTracker::new(), watch: None })
    }

    /// The packs in `folder` as another process uses them: nothing is cleaned up, and uploads are left alone.
    pub fn look_at(folder: &Path) -> Self {
        let partials = Arc::new(Partials::none(folder.to_owned()));
        Self { folder: folder.to_owned(), partials, receiving: TaskTracker::new(), watch: None }
    }

    /// The same packs, watched.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Takes an upload, whether or not anything of it is there. `None` when another request took it over meanwhile.
    pub async fn hold(&self, owner: UserId, id: PackId) -> Option<Hold> {
        self.partials.hold((owner, id)).await
    }

    /// Bytes of a person's uploads that have not ended.
    pub fn partial_bytes(&self, owner: UserId) -> u64 {
        self.partials.bytes(owner)
    }

    /// Drops uploads that began before `before` and that nobody sends.
    pub fn drop_partials(&self, before: Timestamp) -> io::Result<()> {
        self.partials.drop_older(before)
    }

    /// Waits until nothing is received any more.
    pub async fn settled(&self) {
        self.receiving.close();
        self.receiving.wait().await;
    }

    /// Writes a pack that is in memory aside.
    pub async fn take(&self, name: [u8; 16], bytes: &[u8]) -> io::Result<Upload> {
        let (aside, mut file) = self.create_aside(name).await?;
        self.step(Step::Write)?;
        file.write_all(bytes).await?;
        self.step(Step::Sync)?;
        file.flush().await?;
        file.sync_all().await?;
        Ok(Upload { file: Source::Aside(aside), sha256: sha256(bytes), len: bytes.len() as u64 })
    }

    async fn create_aside(&self, name: [u8; 16]) -> io::Result<(Aside, File)> {
        self.step(Step::Create)?;
        let path = self.aside().join(HEXLOWER.encode(&name));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await?;
        Ok((Aside(path), file))
    }

    /// Makes an upload last under the name of `pack`.
    pub async fn keep(&self, mut upload: Upload, pack: &Pack) -> io::Result<()> {
        let path = self.path(pack);
        let folder = self.shelf(pack);
        self.step(Step::Create)?;
        let made = folder.clone();
        tokio::task::spawn_blocking(move || private_folder(&made)).await??;
        self.step(Step::Rename)?;
        match &mut upload.file {
            Source::Aside(aside) => tokio::fs::rename(&aside.0, &path).await?,
            Source::Held(hold) => {
                tokio::fs::rename(hold.file(), &path).await?;
                hold.moved();
            }
        }
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
