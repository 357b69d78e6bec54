//! Writing the files of a bundle one after the other, with the end of the open one at hand.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write as _},
    sync::mpsc::{SyncSender, sync_channel},
    thread::{Scope, ScopedJoinHandle},
};

use segue_domain::limits::PREFIX_BYTES_MAX;

use crate::{manifest::FileRecord, staging::Staging, unpack::UnpackError};

/// The disk begins to store a file whenever so many more bytes of it were written: at its end little is left to wait for.
const EARLY_BYTES: usize = 16 * 1024 * 1024;

/// Writes files below a staging directory. Each is durable when the next one begins.
pub(crate) struct FileWriter<'a, 'scope> {
    staging: &'a Staging,
    files: &'a [FileRecord],
    // How many were begun; the last of them is open.
    begun: usize,
    open: Option<File>,
    // The last segments of the open file, as many as a prefix needs.
    recent: VecDeque<Vec<u8>>,
    // Written since the disk was last told to begin.
    unstored: usize,
    early: EarlySync<'scope>,
}

impl<'a, 'scope> FileWriter<'a, 'scope> {
    pub(crate) fn new(scope: &'scope Scope<'scope, '_>, staging: &'a Staging, files: &'a [FileRecord]) -> Self {
        let early = EarlySync::start(scope);
        Self { staging, files, begun: 0, open: None, recent: VecDeque::new(), unstored: 0, early }
    }

    /// Opens the file at `index`, after completing all before it.
    pub(crate) fn go_to(&mut self, index: usize) -> Result<(), UnpackError> {
        while self.begun <= index {
            self.complete()?;
            let record = &self.files[self.begun];
            let created = self.staging.create_file(&record.path, record.mode);
            self.begun += 1;
            self.open = Some(created.map_err(|source| self.unwritten(source))?);
        }
        Ok(())
    }

    /// Appends verified bytes to the open file.
    pub(crate) fn write(&mut self, plain: Vec<u8>) -> Result<(), UnpackError> {
        if let Some(file) = &mut self.open {
            let written = file.write_all(&plain).and_then(|()| {
                self.unstored += plain.len();
                if self.unstored < EARLY_BYTES {
                    return Ok(());
                }
                self.unstored = 0;
                self.early.begin(file)
            });
            written.map_err(|source| self.unwritten(source))?;
        }
        self.recent.push_back(plain);
        let mut behind: usize = self.recent.iter().skip(1).map(Vec::len).sum();
        while behind >= PREFIX_BYTES_MAX as usize {
            self.recent.pop_front();
            behind -= self.recent.front().map_or(0, Vec::len);
        }
        Ok(())
    }

    /// The end of what was written to the open file: all of it, or at least [`PREFIX_BYTES_MAX`] bytes.
    pub(crate) fn before(&self) -> Vec<u8> {
        self.recent.iter().flatten().copied().collect()
    }

    /// Completes the open file, and makes those that are empty and have no segment.
    pub(crate) fn finish(mut self) -> Result<(), UnpackError> {
        if let Some(last) = self.files.len().checked_sub(1) {
            self.go_to(last)?;
        }
        self.complete()?;
        let path = self.files.last().map(|record| record.path.clone()).unwrap_or_default();
        self.early.finish().map_err(|source| UnpackError::Write { path, source })
    }

    fn complete(&mut self) -> Result<(), UnpackError> {
        self.recent.clear();
        self.unstored = 0;
        let Some(file) = self.open.take() else { return Ok(()) };
        file.sync_all().map_err(|source| self.unwritten(source))
    }

    fn unwritten(&self, source: io::Error) -> UnpackError {
        let path = self.begun.checked_sub(1).map(|at| self.files[at].path.clone());
        UnpackError::Write { path: path.unwrap_or_default(), source }
    }
}

/// Makes what was written durable while more is written.
struct EarlySync<'scope> {
    files: SyncSender<File>,
    thread: ScopedJoinHandle<'scope, io::Result<()>>,
}

impl<'scope> EarlySync<'scope> {
    fn start(scope: &'scope Scope<'scope, '_>) -> Self {
        let (files, queue) = sync_channel::<File>(1);
        Self { files, thread: scope.spawn(move || queue.iter().try_for_each(|file| file.sync_data())) }
    }

    /// Begins with what was written so far; not, while it is at an earlier part.
    fn begin(&self, file: &File) -> io::Result<()> {
        drop(self.files.try_send(file.try_clone()?));
        Ok(())
    }

    /// What went wrong: the system says it once, here or to whoever makes the file durable at its end.
    fn finish(self) -> io::Result<()> {
        drop(self.files);
        self.thread.join().expect("storing does not panic")
    }
}
