//! Where packs go: each is spooled to a file, sent as soon as it is complete, and dropped.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::PathBuf,
};

use segue_bundle::PackSink;
use segue_signed::PackEntry;
use tempfile::TempDir;

use crate::{
    error::{CliError, Result},
    home::Home,
    output::Output,
    progress::Progress,
    remote::Remote,
};

/// Sends packs.
pub(super) struct UploadSink<'a> {
    remote: &'a Remote,
    folder: TempDir,
    open: Option<BufWriter<File>>,
    progress: Progress,
    failure: Option<CliError>,
}

impl<'a> UploadSink<'a> {
    /// Spools below `home` and sends to `remote`.
    pub(super) fn new(remote: &'a Remote, home: &Home, output: &Output) -> Result<Self> {
        let progress = Progress::bytes(output, "sending");
        Ok(Self { remote, folder: home.temporary()?, open: None, progress, failure: None })
    }

    /// Why sending failed, in the words of the command line.
    pub(super) fn into_failure(self) -> Option<CliError> {
        self.failure
    }

    fn spool(&self) -> PathBuf {
        self.folder.path().join("pack")
    }
}

impl PackSink for UploadSink<'_> {
    fn begin(&mut self, _id: [u8; 16]) -> io::Result<()> {
        self.open = Some(BufWriter::with_capacity(256 * 1024, File::create(self.spool())?));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    fn finish(&mut self, entry: PackEntry) -> io::Result<()> {
        if let Some(mut file) = self.open.take() {
            file.flush()?;
        }
        self.progress.expect(entry.len);
        let sent = self.remote.put_pack(&entry, &self.spool(), |bytes| self.progress.advance(bytes));
        if let Err(failure) = sent {
            self.failure = Some(failure);
            return Err(io::Error::other("the pack was not sent"));
        }
        fs::remove_file(self.spool())
    }
}
