//! Uploads that have not ended: what came of each lies aside under its owner and id until the rest comes, over restarts.
//!
//! One request at a time writes to an upload. Who comes later takes it over: the one before is told to stop, as its client
//! has most likely gone. Files are named `OWNER.PACK.BEGUN`, so that the folder alone says everything.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use segue_domain::{
    PackId, Timestamp, UserId,
    limits::{PARTIAL_BYTES_MAX, PARTIAL_PACKS_MAX},
};
use sha2::Sha256;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

/// Whose upload, and of which pack.
pub(super) type Key = (UserId, PackId);

/// All uploads that have not ended.
pub(super) struct Partials {
    folder: PathBuf,
    people: Mutex<HashMap<UserId, HashMap<PackId, Known>>>,
}

/// An upload as everybody knows it.
struct Known {
    partial: Arc<tokio::sync::Mutex<Partial>>,
    len: Arc<AtomicU64>,
    holder: CancellationToken,
}

/// An upload as its holder knows it.
#[derive(Default)]
pub(super) struct Partial {
    /// When it began; `None` when nothing of it is there.
    pub(super) begun: Option<Timestamp>,
    /// The hash so far; `None` when the server has started since.
    pub(super) hash: Option<Sha256>,
}

/// The one right to write to an upload. Dropped, it leaves what came for the next.
pub struct Hold {
    partials: Arc<Partials>,
    pub(super) key: Key,
    pub(super) partial: OwnedMutexGuard<Partial>,
    pub(super) len: Arc<AtomicU64>,
    /// Cancelled when somebody else takes over.
    pub(super) told_to_stop: CancellationToken,
}

impl Partials {
    /// The uploads in `folder`; what is none of ours there is deleted.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        let mut people: HashMap<UserId, HashMap<PackId, Known>> = HashMap::new();
        for entry in std::fs::read_dir(&folder)? {
            let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
            let len = std::fs::metadata(&entry)?.len();
            let Some(((owner, id), begun)) = name.to_str().and_then(read_name).filter(|_| len > 0) else {
                std::fs::remove_file(&entry)?;
                continue;
            };
            let partial = Partial { begun: Some(begun), hash: None };
            let known = Known {
                partial: Arc::new(tokio::sync::Mutex::new(partial)),
                len: Arc::new(AtomicU64::new(len)),
                holder: CancellationToken::new(),
            };
            people.entry(owner).or_default().insert(id, known);
        }
        Ok(Self { folder, people: Mutex::new(people) })
    }

    /// No uploads.
    pub(super) fn none(folder: PathBuf) -> Self {
        Self { folder, people: Mutex::default() }
    }

    /// Takes an upload, whether or not anything of it is there. `None` when somebody else took it over while waiting.
    pub(super) async fn hold(self: &Arc<Self>, key: Key) -> Option<Hold> {
        let told_to_stop = CancellationToken::new();
        let (partial, len) = {
            let mut people = self.people();
            let known = people.entry(key.0).or_default().entry(key.1).or_insert_with(|| Known {
                partial: Arc::default(),
                len: Arc::default(),
                holder: CancellationToken::new(),
            });
            std::mem::replace(&mut known.holder, told_to_stop.clone()).cancel();
            (Arc::clone(&known.partial), Arc::clone(&known.len))
        };
        let partial = partial.lock_owned().await;
        let hold = Hold { partials: Arc::clone(self), key, partial, len, told_to_stop };
        if hold.told_to_stop.is_cancelled() { None } else { Some(hold) }
    }

    /// Bytes of a person's uploads.
    pub(crate) fn bytes(&self, owner: UserId) -> u64 {
        self.people().get(&owner).map_or(0, total)
    }

    /// Drops uploads that began before `before` and that nobody sends. It waits for the disk.
    pub(super) fn drop_older(&self, before: Timestamp) -> io::Result<()> {
        let older = |partial: &Partial| partial.begun.is_some_and(|begun| begun < before);
        let leaving: Vec<_> = {
            let people = self.people();
            let all = people
                .iter()
                .flat_map(|(owner, uploads)| uploads.iter().map(move |(id, known)| ((*owner, *id), known)));
            all.filter_map(|(key, known)| self.idle(key, known).filter(|leaving| older(&leaving.partial))).collect()
        };
        leaving.into_iter().try_for_each(Leaving::remove)?;
        self.people().retain(|_, uploads| {
            uploads.retain(|_, known| known.is_used());
            !uploads.is_empty()
        });
        Ok(())
    }

    /// A person's oldest uploads that nobody sends, until `more` uploads and `bytes` fit without them. `None` when they do
    /// not fit.
    fn make_room(&self, owner: UserId, more: usize, bytes: u64) -> Option<Vec<Leaving>> {
        let people = self.people();
        let mut leaving = Vec::new();
        let Some(uploads) = people.get(&owner) else { return Some(leaving) };
        loop {
            let there = uploads.values().filter(|known| known.len.load(Ordering::SeqCst) > 0).count();
            if there + more <= PARTIAL_PACKS_MAX && total(uploads) + bytes <= PARTIAL_BYTES_MAX {
                return Some(leaving);
            }
            let idle = uploads.iter().filter_map(|(id, known)| self.idle((owner, *id), known));
            let mut oldest = idle.min_by_key(|idle| (idle.partial.begun, idle.id))?;
            oldest.len.store(0, Ordering::SeqCst);
            oldest.counted_out = true;
            leaving.push(oldest);
        }
    }

    /// An upload that nobody sends, and of which something is there.
    fn idle(&self, key: Key, known: &Known) -> Option<Leaving> {
        let partial = Arc::clone(&known.partial).try_lock_owned().ok()?;
        let path = self.path(key, partial.begun?);
        let was = known.len.load(Ordering::SeqCst);
        Some(Leaving { id: key.1, path, partial, len: Arc::clone(&known.len), was, counted_out: false })
    }

    fn path(&self, (owner, id): Key, begun: Timestamp) -> PathBuf {
        self.folder.join(format!("{owner}.{id}.{}", begun.as_millis()))
    }

    fn people(&self) -> MutexGuard<'_, HashMap<UserId, HashMap<PackId, Known>>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An upload that is about to be dropped. Until its file is gone nobody can begin it anew.
struct Leaving {
    id: PackId,
    path: PathBuf,
    partial: OwnedMutexGuard<Partial>,
    len: Arc<AtomicU64>,
    was: u64,
    counted_out: bool,
}

impl Leaving {
    fn remove(mut self) -> io::Result<()> {
        remove_file(&self.path)?;
        *self.partial = Partial::default();
        self.len.store(0, Ordering::SeqCst);
        self.counted_out = false;
        Ok(())
    }
}

impl Drop for Leaving {
    /// What was not removed after all counts as before.
    fn drop(&mut self) {
        if self.counted_out {
            self.len.store(self.was, Ordering::SeqCst);
        }
    }
}

impl Known {
    /// Whether anything is there, or anybody holds or waits for it: those have the other counts.
    fn is_used(&self) -> bool {
        self.len.load(Ordering::SeqCst) > 0 || Arc::strong_count(&self.partial) > 1
    }
}

impl Hold {
    /// Bytes that are there.
    pub(crate) fn offset(&self) -> u64 {
        self.len.load(Ordering::SeqCst)
    }

    /// Forgets what is there.
    pub(crate) async fn discard(self) -> io::Result<Self> {
        if self.partial.begun.is_none() {
            return Ok(self);
        }
        super::blocking(move || self.remove()).await
    }

    fn remove(mut self) -> io::Result<Self> {
        remove_file(&self.file())?;
        self.moved();
        Ok(self)
    }

    /// Begins it, when nothing is there.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.partial.begun.get_or_insert(now);
    }

    /// Where it lies, once it has begun.
    pub(super) fn file(&self) -> PathBuf {
        self.partials.path(self.key, self.partial.begun.unwrap_or_default())
    }

    /// Whether a person may begin one more upload; the oldest that nobody sends may go for it.
    pub(super) async fn may_begin(&self) -> io::Result<bool> {
        drop_all(self.partials.make_room(self.key.0, 1, 0)).await
    }

    /// Whether a person's uploads may grow by so many bytes; the oldest that nobody sends may go for it.
    pub(super) async fn may_grow(&self, bytes: u64) -> io::Result<bool> {
        drop_all(self.partials.make_room(self.key.0, 0, bytes)).await
    }

    /// What is there was moved to where packs lie.
    pub(super) fn moved(&mut self) {
        *self.partial = Partial::default();
        self.len.store(0, Ordering::SeqCst);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.offset() == 0 && self.partial.begun.is_some() {
            if let Err(error) = remove_file(&self.file()) {
                tracing::warn!(%error, "an upload of which nothing came stays until the next start");
            }
            self.moved();
        }
        let mut people = self.partials.people();
        let Some(uploads) = people.get_mut(&self.key.0) else { return };
        // The map's count and this one: nobody waits for what is not there.
        let unused = |known: &Known| self.offset() == 0 && Arc::strong_count(&known.partial) == 2;
        if uploads.get(&self.key.1).is_some_and(unused) {
            uploads.remove(&self.key.1);
        }
        if uploads.is_empty() {
            people.remove(&self.key.0);
        }
    }
}

/// Whether there was room; what has to go for it goes first.
async fn drop_all(leaving: Option<Vec<Leaving>>) -> io::Result<bool> {
    let Some(leaving) = leaving else { return Ok(false) };
    if !leaving.is_empty() {
        super::blocking(move || leaving.into_iter().try_for_each(Leaving::remove)).await?;
    }
    Ok(true)
}

fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn total(uploads: &HashMap<PackId, Known>) -> u64 {
    uploads.values().map(|known| known.len.load(Ordering::SeqCst)).sum()
}

fn read_name(name: &str) -> Option<(Key, Timestamp)> {
    let mut parts = name.split('.');
    let (owner, id, begun) = (parts.next()?, parts.next()?, parts.next()?);
    let key = (owner.parse().ok()?, id.parse().ok()?);
    parts.next().is_none().then_some((key, Timestamp::from_millis(begun.parse().ok()?)))
}

/// Deletes uploads of a process that is gone that began before `before`.
pub(super) fn delete_older(folder: &Path, before: Timestamp) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let begun = entry.file_name().to_str().and_then(read_name).map(|(_, begun)| begun);
        if begun.is_none_or(|begun| begun < before) {
            remove_file(&entry.path())?;
        }
    }
    Ok(())
}
