//! Receiving an upload that may be cut and taken up again.
//!
//! The bytes are read in a task of their own: a request whose client goes away is dropped at any point, and what came of its
//! body must be whole and counted all the same. The task only ever adds to what lies aside. Whether an upload is complete
//! is decided by the request that waits for the task, as a body whose connection is gone may look as if it had ended.

use std::{
    io::{self, Read as _},
    path::PathBuf,
    sync::atomic::Ordering,
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use segue_domain::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncSeekExt as _, AsyncWriteExt as _},
};

use super::{Hold, Packs, READ_BYTES, Source, Step, Upload};

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
            Ok(sha256) => Ok(Upload { sha256, len: hold.offset(), file: Source::Held(hold) }),
            Err(error) => {
                if !error.spares()
                    && let Err(error) = hold.discard()
                {
                    tracing::warn!(%error, "an upload that was refused lies aside for a day");
                }
                Err(Stopped { error, offset: hold.offset() })
            }
        }
    }

    async fn write<S>(&self, hold: &mut Hold, body: &mut S, bounds: &Bounds) -> Result<[u8; 32], UploadError>
    where
        S: Stream<Item = Result<Bytes, axum::Error>> + Unpin,
    {
        let (mut file, mut hash) = self.take_up(hold, bounds.now).await?;
        let end = loop {
            let bytes = match next(hold, body, bounds.idle).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            check(hold, bytes.len() as u64, bounds)?;
            self.step(Step::Write)?;
            hash.update(&bytes);
            file.write_all(&bytes).await?;
            hold.len.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        };
        // An offset that was told is one that lasts, whatever ended the body.
        self.step(Step::Sync)?;
        file.flush().await?;
        file.sync_all().await?;
        hold.partial.hash = Some(hash.clone());
        end.map(|()| hash.finalize().into())
    }

    /// Opens the file behind what is there, with the hash of it.
    async fn take_up(&self, hold: &mut Hold, now: Timestamp) -> Result<(File, Sha256), UploadError> {
        let offset = hold.offset();
        if offset == 0 && !hold.may_begin()? {
            return Err(UploadError::TooMany);
        }
        hold.begin(now);
        let path = hold.file();
        let hash = match hold.partial.hash.take() {
            Some(hash) => hash,
            None if offset == 0 => Sha256::new(),
            None => self.hash_again(path.clone(), offset).await?,
        };
        self.step(Step::Create)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).await?;
        file.set_len(offset).await?;
        file.seek(io::SeekFrom::Start(offset)).await?;
        Ok((file, hash))
    }

    async fn hash_again(&self, path: PathBuf, len: u64) -> io::Result<Sha256> {
        self.step(Step::Read)?;
        tokio::task::spawn_blocking(move || hash_file(&path, len)).await?
    }
}

/// SHA-256 so far of a file's first `len` bytes, which must be there.
fn hash_file(path: &std::path::Path, len: u64) -> io::Result<Sha256> {
    let mut file = std::fs::File::open(path)?.take(len);
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

async fn next<S>(hold: &Hold, body: &mut S, idle: Duration) -> Result<Option<Bytes>, UploadError>
where
    S: Stream<Item = Result<Bytes, axum::Error>> + Unpin,
{
    tokio::select! {
        biased;
        () = hold.told_to_stop.cancelled() => Err(UploadError::TakenOver),
        next = tokio::time::timeout(idle, body.next()) => match next {
            Ok(next) => next.transpose().map_err(UploadError::Cut),
            Err(_) => Err(UploadError::Stalled),
        },
    }
}

fn check(hold: &Hold, more: u64, bounds: &Bounds) -> Result<(), UploadError> {
    let len = hold.offset() + more;
    if len > bounds.len_max {
        return Err(UploadError::TooLong);
    }
    if len > bounds.room {
        return Err(UploadError::NoRoom);
    }
    if hold.may_grow(more)? { Ok(()) } else { Err(UploadError::TooMany) }
}
