//! Sealed bytes on disk: written aside, synced, renamed, and only then acknowledged.
//!
//! An object's name is derived from owner, id and hash, so two uploads under one id never touch each other's bytes, and
//! an upload that is repeated after a crash lands on the same name.

mod objects;
mod partials;
mod reading;
mod receiving;
mod slot;

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use segue_domain::{PackId, Timestamp, UserId};
use segue_signed::{lv::lv_cat, sha256};
use tokio_util::task::TaskTracker;

pub use objects::Object;
pub use partials::Hold;
use partials::Partials;
pub use receiving::{Bounds, Stopped, UploadError};
use slot::Slot;

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
    slot: Arc<Slot>,
    partials: Arc<Partials>,
    receiving: TaskTracker,
    watch: Option<Watch>,
}

/// A file that lies aside, and is deleted when nobody renamed it away: what fails leaves nothing behind.
#[derive(Debug)]
struct Aside {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.renamed
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "a file that lies aside stays until the next start");
        }
    }
}

/// An upload that is complete, and lies aside until [`Packs::keep`] makes it last.
pub struct Upload {
    hold: Hold,
    /// SHA-256 of what was read.
    pub sha256: [u8; 32],
    /// Bytes read.
    pub len: u64,
}

impl Upload {
    /// Drops it for good; else it waits to be completed again.
    pub async fn discard(self) -> io::Result<()> {
        self.hold.discard().await.map(drop)
    }
}

impl Packs {
    /// The packs in `folder`, which is made when it is missing. Uploads that have not ended wait for their rest.
    pub fn open(folder: &Path) -> io::Result<Self> {
        private_folder(folder)?;
        let slot = Arc::new(Slot::take(folder)?);
        make_shelves(folder)?;
        let partials = Arc::new(Partials::open(slot.partial())?);
        Ok(Self { folder: folder.to_owned(), slot, partials, receiving: TaskTracker::new(), watch: None })
    }

    /// The packs in `folder` as another process uses them: nothing is cleaned up, and uploads are left alone.
    pub fn look_at(folder: &Path) -> Self {
        let (slot, partials) = (Arc::new(Slot::none(folder)), Arc::new(Partials::none(folder.to_owned())));
        Self { folder: folder.to_owned(), slot, partials, receiving: TaskTracker::new(), watch: None }
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

    /// Drops uploads that began before `before` and that nobody sends; also those of processes that are gone.
    pub fn drop_partials(&self, before: Timestamp) -> io::Result<()> {
        self.partials.drop_older(before)?;
        self.slot.sweep_others(before)
    }

    /// Waits until nothing is received any more, and leaves what is there to who comes next.
    pub async fn settled(&self) {
        self.receiving.close();
        self.receiving.wait().await;
        self.slot.give_up();
    }

    /// Makes packs last that are in memory. `name` is for this call alone.
    pub async fn put(&self, name: [u8; 16], new: Vec<(Pack, Bytes)>) -> io::Result<()> {
        let packs = self.clone();
        blocking(move || {
            let aside =
                |index: usize, bytes: &Bytes| packs.write_aside(&format!("{}-{index}", HEXLOWER.encode(&name)), bytes);
            let files: Vec<_> =
                new.iter().enumerate().map(|(index, (_, bytes))| aside(index, bytes)).collect::<io::Result<_>>()?;
            for (mut file, (pack, _)) in files.into_iter().zip(&new) {
                packs.step(Step::Rename)?;
                std::fs::rename(&file.path, packs.path(pack))?;
                file.renamed = true;
            }
            packs.sync_shelves(new.iter().map(|(pack, _)| packs.shelf(pack)))
        })
        .await
    }

    fn write_aside(&self, name: &str, bytes: &[u8]) -> io::Result<Aside> {
        self.step(Step::Create)?;
        let path = self.aside().join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let mut aside = Aside { path, file, renamed: false };
        self.step(Step::Write)?;
        aside.file.write_all(bytes)?;
        self.step(Step::Sync)?;
        aside.file.sync_all()?;
        Ok(aside)
    }

    /// Makes an upload last under the name of `pack`.
    pub async fn keep(&self, mut upload: Upload, pack: &Pack) -> io::Result<()> {
        let (storage, to) = (self.clone(), *pack);
        blocking(move || {
            storage.step(Step::Rename)?;
            std::fs::rename(upload.hold.file(), storage.path(&to))?;
            upload.hold.moved();
            storage.sync_shelves([storage.shelf(&to)])
        })
        .await
    }

    /// New names are durable only when their folders are.
    fn sync_shelves(&self, shelves: impl IntoIterator<Item = PathBuf>) -> io::Result<()> {
        self.step(Step::Sync)?;
        let shelves: BTreeSet<_> = shelves.into_iter().collect();
        shelves.iter().try_for_each(|shelf| File::open(shelf)?.sync_all())
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
        let packs = self.clone();
        blocking(move || packs.write_aside(&HEXLOWER.encode(&name), b"?").map(drop)).await
    }

    fn step(&self, step: Step) -> io::Result<()> {
        self.watch.as_ref().map_or(Ok(()), |watch| watch(step))
    }

    fn aside(&self) -> PathBuf {
        self.slot.aside()
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

/// Makes the folders that packs lie in, once and durably, so that no pack waits for that.
fn make_shelves(folder: &Path) -> io::Result<()> {
    let shelves = (0..=u8::MAX).map(|first| folder.join(HEXLOWER.encode(&[first])));
    let missing: Vec<_> = shelves.filter(|shelf| !shelf.exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    missing.iter().try_for_each(|shelf| private_folder(shelf))?;
    File::open(folder)?.sync_all()?;
    folder.parent().map_or(Ok(()), |data| File::open(data)?.sync_all())
}

/// Does what waits for the disk, or takes as long, where it holds no other request up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

/// Makes a folder that only the server's account may enter.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
