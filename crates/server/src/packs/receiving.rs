//! Receiving an upload that may be cut and taken up again.
//!
//! The bytes are read in a task of their own: a request whose client goes away is dropped at any point, and what came of its
//! body must be whole and counted all the same. The task only ever adds to what lies aside. Whether an upload is complete
//! is decided by the request that waits for the task, as a body whose connection is gone may look as if it had ended.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    sync::atomic::Ordering,
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use segue_domain::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use super::{Hold, Packs, READ_BYTES, Step, Upload};

/// Bytes of one upload that wait to be written; while so many wait, no more are taken from the network.
const WRITE_BYTES: usize = 1024 * 1024;

/// What an upload may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes in all, what is there already included.
    pub len_max: u64,
    /// Bytes in all that the person's plan has room for.
    pub room: u64,
    /// Time without a byte.
    pub idle: Duration,
    /// When it begins, if nothing is there yet.
    pub now: Timestamp,
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
    /// Another request for the same upload came.
    #[error("another request took the upload over")]
    TakenOver,
    /// More bytes came than were announced, or than a pack may have.
    #[error("the body is too long")]
    TooLong,
    /// More bytes came than the person may keep.
    #[error("the plan is full")]
    NoRoom,
    /// The person has too many uploads under way at this moment.
    #[error("too many uploads at once")]
    TooMany,
    /// The storage failed.
    #[error("the storage failed")]
    Storage(#[from] io::Error),
}

/// An upload that ended before it was complete.
#[derive(Debug)]
pub struct Stopped {
    /// Why.
    pub error: UploadError,
    /// Bytes that are kept for when it goes on.
    pub offset: u64,
}

impl UploadError {
    /// Whether what came so far is good, and waits for the rest.
    fn spares(&self) -> bool {
        matches!(self, Self::Cut(_) | Self::Stalled | Self::TakenOver)
    }
}

impl Packs {
    /// Appends a body to an upload. What came of one that is cut, stalls or is taken over is kept.
    pub async fn receive<S>(&self, hold: Hold, body: S, bounds: Bounds) -> Result<Upload, Stopped>
    where
        S: Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin + 'static,
    {
        let packs = self.clone();
        let task = self.receiving.spawn(async move { packs.append(hold, body, &bounds).await });
        task.await.unwrap_or_else(|error| {
            let error = UploadError::Storage(io::Error::other(error));
            Err(Stopped { error, offset: 0 })
        })
    }

    async fn append<S>(&self, mut hold: Hold, mut body: S, bounds: &Bounds) -> Result<Upload, Stopped>
    where
        S: Stream<Item = Result<Bytes, axum::Error>> + Unpin,
    {
        match self.write(&mut hold, &mut body, bounds).await {
            Ok(sha256) => Ok(Upload { sha256, len: hold.offset(), hold }),
            Err(error) if error.spares() => Err(Stopped { error, offset: hold.offset() }),
            Err(error) => {
                if let Err(error) = hold.discard().await {
                    tracing::warn!(%error, "an upload that was refused lies aside for a day");
                }
                Err(Stopped { error, offset: 0 })
            }
        }
    }

    async fn write<S>(&self, hold: &mut Hold, body: &mut S, bounds: &Bounds) -> Result<[u8; 32], UploadError>
    where
        S: Stream<Item = Result<Bytes, axum::Error>> + Unpin,
    {
        let file = self.take_up(hold, bounds.now).await?;
        let mut pen = Pen { packs: self.clone(), file: Some(file), writing: None };
        let mut batch = Batch::default();
        let end = gather(hold, body, bounds, &mut pen, &mut batch).await?;
        // An offset that was told is one that lasts, whatever ended the body.
        let mut file = pen.lay_down().await?;
        let packs = self.clone();
        let hash = super::blocking(move || {
            file.write(&packs, &batch)?;
            packs.step(Step::Sync)?;
            file.file.sync_all()?;
            Ok(file.hash)
        })
        .await?;
        hold.partial.hash = Some(hash.clone());
        end.map(|()| hash.finalize().into())
    }

    /// Opens the file behind what is there, with the hash of it.
    async fn take_up(&self, hold: &mut Hold, now: Timestamp) -> Result<Hashed, UploadError> {
        let offset = hold.offset();
        if offset == 0 && !hold.may_begin().await? {
            return Err(UploadError::TooMany);
        }
        hold.begin(now);
        let (packs, path, hash) = (self.clone(), hold.file(), hold.partial.hash.take());
        let open = move || {
            let hash = match hash {
                Some(hash) => hash,
                None if offset == 0 => Sha256::new(),
                None => {
                    packs.step(Step::Read)?;
                    hash_file(&path, offset)?
                }
            };
            packs.step(Step::Create)?;
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
            file.set_len(offset)?;
            file.seek(io::SeekFrom::Start(offset))?;
            Ok(Hashed { file, hash })
        };
        Ok(super::blocking(open).await?)
    }
}

/// A file and the hash of all that is in it.
struct Hashed {
    file: File,
    hash: Sha256,
}

impl Hashed {
    fn write(&mut self, packs: &Packs, batch: &Batch) -> io::Result<()> {
        if batch.len > 0 {
            packs.step(Step::Write)?;
        }
        for bytes in &batch.bytes {
            self.hash.update(bytes);
            self.file.write_all(bytes)?;
        }
        Ok(())
    }
}

/// What came of a body and is not written yet.
#[derive(Default)]
struct Batch {
    bytes: Vec<Bytes>,
    len: usize,
}

/// Writes batches one after the other, each while the next one comes in.
struct Pen {
    packs: Packs,
    file: Option<Hashed>,
    writing: Option<JoinHandle<io::Result<Hashed>>>,
}

impl Pen {
    fn begin(&mut self, batch: &mut Batch) {
        if let Some(mut file) = self.file.take() {
            let (packs, batch) = (self.packs.clone(), std::mem::take(batch));
            self.writing = Some(tokio::task::spawn_blocking(move || {
                file.write(&packs, &batch)?;
                Ok(file)
            }));
        }
    }

    /// Waits until a batch that is being written is there. May be given up and asked again.
    async fn written(&mut self) -> io::Result<()> {
        if let Some(writing) = &mut self.writing {
            let file = writing.await;
            self.writing = None;
            self.file = Some(file??);
        }
        Ok(())
    }

    async fn lay_down(mut self) -> io::Result<Hashed> {
        self.written().await?;
        self.file.ok_or_else(|| io::Error::other("a write that failed was not noticed"))
    }
}

/// Takes a body in. How the body ended is the inner result; the outer one is what makes all of it worthless.
async fn gather<S>(
    hold: &Hold,
    body: &mut S,
    bounds: &Bounds,
    pen: &mut Pen,
    batch: &mut Batch,
) -> Result<Result<(), UploadError>, UploadError>
where
    S: Stream<Item = Result<Bytes, axum::Error>> + Unpin,
{
    loop {
        let (is_writing, any) = (pen.writing.is_some(), batch.len > 0);
        tokio::select! {
            // In this order: what is there already is taken before a write begins, so that writes are few.
            biased;
            () = hold.told_to_stop.cancelled() => return Ok(Err(UploadError::TakenOver)),
            next = tokio::time::timeout(bounds.idle, body.next()), if batch.len < WRITE_BYTES => {
                let bytes = match next {
                    Ok(Some(Ok(bytes))) => bytes,
                    Ok(Some(Err(error))) => return Ok(Err(UploadError::Cut(error))),
                    Ok(None) => return Ok(Ok(())),
                    Err(_) => return Ok(Err(UploadError::Stalled)),
                };
                check(hold, bytes.len() as u64, bounds).await?;
                // Counted at once, so that all of a person's uploads together keep their bound.
                hold.len.fetch_add(bytes.len() as u64, Ordering::SeqCst);
                batch.len += bytes.len();
                batch.bytes.push(bytes);
            }
            written = pen.written(), if is_writing => written?,
            () = std::future::ready(()), if any && !is_writing => pen.begin(batch),
        }
    }
}

/// SHA-256 so far of a file's first `len` bytes, which must be there.
fn hash_file(path: &std::path::Path, len: u64) -> io::Result<Sha256> {
    let mut file = File::open(path)?.take(len);
    let (mut hash, mut buffer, mut left) = (Sha256::new(), vec![0; READ_BYTES], len);
    while left > 0 {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Err(io::Error::other("an upload that was cut is shorter than it was"));
        }
        hash.update(&buffer[..read]);
        left -= read as u64;
    }
    Ok(hash)
}

async fn check(hold: &Hold, more: u64, bounds: &Bounds) -> Result<(), UploadError> {
    let len = hold.offset() + more;
    if len > bounds.len_max {
        return Err(UploadError::TooLong);
    }
    if len > bounds.room {
        return Err(UploadError::NoRoom);
    }
    if hold.may_grow(more).await? { Ok(()) } else { Err(UploadError::TooMany) }
}
