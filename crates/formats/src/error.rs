//! What can go wrong, per operation.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::claude_code::{MAX_ENTRIES, MAX_FILES, MAX_TRANSCRIPT};

/// Why sessions cannot be listed.
#[derive(Debug, Error)]
#[error("cannot read {}: {source}", path.display())]
pub struct DiscoverError {
    /// The folder.
    pub path: PathBuf,
    /// What went wrong.
    pub source: io::Error,
}

/// Why a session cannot be taken.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// Not a regular file named for a session.
    #[error("not a session of this tool")]
    NotASession,
    /// Too many bytes or lines.
    #[error(
        "the session has more than {} bytes or {} messages: start a new one from where it stands",
        MAX_TRANSCRIPT,
        MAX_ENTRIES
    )]
    TooLarge,
    /// The transcript cannot be read.
    #[error("cannot read the session: {0}")]
    Read(#[from] io::Error),
    /// The view cannot be written.
    #[error("cannot write the view: {0}")]
    View(#[source] io::Error),
    /// The files beside the transcript cannot be listed.
    #[error(transparent)]
    Files(#[from] DiscoverError),
}

/// Why a session cannot be installed. Nothing is left behind.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The session is of another tool.
    #[error("the session is of another tool")]
    OtherTool,
    /// The session's id, or the fresh one, is not a UUID in lower case.
    #[error("the session's id is not one that this tool gives")]
    BadId,
    /// Both ids are in use here.
    #[error("a session of this id exists already")]
    IdTaken,
    /// There is no transcript in the bundle.
    #[error("the bundle holds no transcript")]
    NoTranscript,
    /// The transcript is longer than any that is captured.
    #[error("the transcript has more than {} bytes: ask the sender for a shorter session", MAX_TRANSCRIPT)]
    TooLarge,
    /// No valid record is in the transcript.
    #[error("the transcript holds no valid record")]
    Empty,
    /// More files than a session has.
    #[error("the bundle holds more than {} files beside the transcript: ask the sender to leave some out", MAX_FILES)]
    TooManyFiles,
    /// The working directory is not a directory, or its path is not Unicode.
    #[error("the working directory is not a directory that this tool can use")]
    BadDirectory,
    /// A file or folder cannot be read or written.
    #[error("cannot install at {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}
