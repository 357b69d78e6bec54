//! A pack on its way: written at one end and read at the other, at the same time.
//!
//! An upload reads what sealing writes, unpacking reads what a download writes. The bytes lie in a file, so that a transfer
//! that is cut goes on from where it was, and memory does not grow with the pack.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write as _},
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::Notify;

/// Bytes that are read at once: large enough for the disk and the network, small enough for several.
const PIECE_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// More comes.
    Growing,
    /// All is there.
    Complete,
    /// The writer gave up.
    Broken,
}

/// What writer and readers share.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    progress: Mutex<(u64, State)>,
    changed: Condvar,
    told: Notify,
    // How far the last reader came; a hint.
    read: AtomicU64,
}

/// The one end. A writer that is dropped before it completes breaks the spool.
#[derive(Debug)]
pub struct SpoolWriter {
    file: File,
    spool: Arc<Spool>,
}

/// The other end. Reading waits for bytes that are still to come.
#[derive(Debug)]
pub struct SpoolReader {
    file: File,
    spool: Arc<Spool>,
    at: u64,
}

impl Spool {
    /// A spool whose file will be at `path`, where nothing is yet.
    pub fn new(path: PathBuf) -> Arc<Self> {
        let progress = Mutex::new((0, State::Growing));
        Arc::new(Self { path, progress, changed: Condvar::new(), told: Notify::new(), read: AtomicU64::new(0) })
    }

    /// Its one writer.
    pub fn writer(self: &Arc<Self>) -> io::Result<SpoolWriter> {
        let file = OpenOptions::new().write(true).create_new(true).open(&self.path)?;
        Ok(SpoolWriter { file, spool: Arc::clone(self) })
    }

    /// A reader from the start. Waits until the writer has begun.
    pub fn reader(self: &Arc<Self>) -> io::Result<SpoolReader> {
        self.wait(0)?;
        Ok(SpoolReader { file: File::open(&self.path)?, spool: Arc::clone(self), at: 0 })
    }

    /// Bytes that were written and not read.
    pub fn unread(&self) -> u64 {
        self.lock().0.saturating_sub(self.read.load(Ordering::Relaxed))
    }

    /// Whether the writer gave up.
    pub fn is_broken(&self) -> bool {
        self.lock().1 == State::Broken
    }

    /// Says that nothing will be written any more, if not all is there.
    pub fn give_up(&self) {
        self.change(|(_, state)| {
            if *state == State::Growing {
                *state = State::Broken;
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, (u64, State)> {
        // A number and a state are whole whenever the lock is free.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut (u64, State))) {
        change(&mut self.lock());
        self.changed.notify_all();
        self.told.notify_waiters();
    }

    /// How many bytes lie behind `at`, or `None` when they are still to come.
    fn behind(&self, at: u64) -> io::Result<Option<u64>> {
        match *self.lock() {
            (len, _) if len > at => Ok(Some(len - at)),
            (_, State::Complete) => Ok(Some(0)),
            (_, State::Growing) => Ok(None),
            (_, State::Broken) => Err(io::Error::other("the rest did not come")),
        }
    }

    fn wait(&self, at: u64) -> io::Result<u64> {
        let mut progress = self.lock();
        while progress.0 <= at && progress.1 == State::Growing {
            progress = self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
        drop(progress);
        self.behind(at).map(Option::unwrap_or_default)
    }

    async fn wait_async(&self, at: u64) -> io::Result<u64> {
        loop {
            // Registered before the look, so that no change falls in between.
            let mut told = std::pin::pin!(self.told.notified());
            told.as_mut().enable();
            if let Some(behind) = self.behind(at)? {
                return Ok(behind);
            }
            told.await;
        }
    }
}

impl SpoolWriter {
    /// The next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.spool.change(|(len, _)| *len += bytes.len() as u64);
        Ok(())
    }

    /// Bytes that were written and not read.
    pub fn unread(&self) -> u64 {
        self.spool.unread()
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.spool.lock().0
    }

    /// All is written.
    pub fn complete(self) {
        self.spool.change(|(_, state)| *state = State::Complete);
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        self.spool.give_up();
    }
}

impl SpoolReader {
    /// Goes to a place, which may still be to come.
    pub fn go_to(&mut self, at: u64) -> io::Result<()> {
        self.at = at;
        self.file.seek(SeekFrom::Start(at)).map(drop)
    }

    /// The next bytes, or `None` at the end.
    pub async fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        let behind = self.spool.wait_async(self.at).await?;
        let mut piece = vec![0; usize::try_from(behind).map_or(PIECE_BYTES, |behind| behind.min(PIECE_BYTES))];
        let read = self.file.read(&mut piece)?;
        piece.truncate(read);
        self.at += read as u64;
        self.spool.read.store(self.at, Ordering::Relaxed);
        Ok((read > 0).then(|| piece.into()))
    }
}

impl Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let behind = self.spool.wait(self.at)?;
        let len = usize::try_from(behind).map_or(buffer.len(), |behind| behind.min(buffer.len()));
        let read = self.file.read(&mut buffer[..len])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for SpoolReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        self.go_to(at)?;
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn what_is_written_is_read_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().join("pack"));
        let bytes: Vec<u8> = (0..250).cycle().take(3_000_000).collect();
        thread::scope(|scope| {
            let whole = scope.spawn(|| {
                let mut read = Vec::new();
                spool.reader().unwrap().read_to_end(&mut read).unwrap();
                read
            });
            let end = scope.spawn(|| {
                let (mut reader, mut read) = (spool.reader().unwrap(), [0; 10]);
                reader.seek(SeekFrom::Start(2_999_990)).unwrap();
                reader.read_exact(&mut read).unwrap();
                read
            });
            let pieces = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    let (mut reader, mut read) = (spool.reader().unwrap(), Vec::new());
                    while let Some(piece) = reader.next_piece().await.unwrap() {
                        read.extend_from_slice(&piece);
                    }
                    read
                })
            });
            let mut writer = spool.writer().unwrap();
            bytes.chunks(70_001).for_each(|piece| writer.write(piece).unwrap());
            writer.complete();
            assert!(whole.join().unwrap() == bytes);
            assert!(pieces.join().unwrap() == bytes);
            assert_eq!(end.join().unwrap(), bytes[2_999_990..]);
        });
        assert!(!spool.is_broken());
    }

    #[test]
    fn a_writer_that_gives_up_ends_the_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().join("pack"));
        let mut writer = spool.writer().unwrap();
        writer.write(b"some").unwrap();
        let mut reader = spool.reader().unwrap();
        thread::scope(|scope| {
            let read = scope.spawn(|| reader.read_to_end(&mut Vec::new()));
            drop(writer);
            assert!(read.join().unwrap().is_err());
        });
        assert!(spool.is_broken());
        assert!(Spool::new(folder.path().join("pack")).writer().is_err(), "a spool's file is its own");
    }

    #[test]
    fn what_waits_to_be_sent_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().join("pack"));
        let mut writer = spool.writer().unwrap();
        writer.write(&vec![1; PIECE_BYTES + 7]).unwrap();
        let mut reader = spool.reader().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for waiting in [PIECE_BYTES as u64 + 7, 7, 0] {
            assert_eq!(writer.unread(), waiting);
            if waiting > 0 {
                runtime.block_on(reader.next_piece()).unwrap();
            }
        }
    }
}
