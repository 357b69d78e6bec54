//! Writing the files of a bundle one after the other, with the end of the open one at hand.

use std::{collections::VecDeque, fs::File, io::Write as _};

use segue_domain::limits::PREFIX_BYTES_MAX;

use crate::{manifest::FileRecord, staging::Staging, unpack::UnpackError};

/// Writes files below a staging directory. Each is durable when the next one begins.
pub(crate) struct FileWriter<'a> {
    staging: &'a Staging,
    files: &'a [FileRecord],
    // How many were begun; the last of them is open.
    begun: usize,
    open: Option<File>,
    // The last segments of the open file, as many as a prefix needs.
    recent: VecDeque<Vec<u8>>,
}

impl<'a> FileWriter<'a> {
    pub(crate) fn new(staging: &'a Staging, files: &'a [FileRecord]) -> Self {
        Self { staging, files, begun: 0, open: None, recent: VecDeque::new() }
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
            file.write_all(&plain).map_err(|source| self.unwritten(source))?;
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
        self.complete()
    }

    fn complete(&mut self) -> Result<(), UnpackError> {
        self.recent.clear();
        let Some(file) = self.open.take() else { return Ok(()) };
        file.sync_all().map_err(|source| self.unwritten(source))
    }

    fn unwritten(&self, source: std::io::Error) -> UnpackError {
        let path = self.begun.checked_sub(1).map(|at| self.files[at].path.clone());
        UnpackError::Write { path: path.unwrap_or_default(), source }
    }
}
