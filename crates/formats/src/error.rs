//! What can go wrong, per operation.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::claude_code::{MAX_ENTRIES, MAX_FILES, MAX_TRANSCRIPT, MAX_TURNS, MAX_TURNS_TEXT};

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
    /// It is not wanted any more.
    #[error("the session is not wanted any more")]
    NotWanted,
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

/// Why what was said elsewhere cannot be appended to a session.
#[derive(Debug, Error)]
pub enum AppendError {
    /// The session went on here meanwhile: what comes back becomes a fork.
    #[error(
        "the session went on here meanwhile, by {messages} messages: what was said elsewhere can become a fork of it"
    )]
    Grew {
        /// Messages that came here.
        messages: u64,
    },
    /// The session is not the one that was handed over any more: it was rewound, compacted or changed.
    #[error("the session here is not as it was handed over any more: what was said elsewhere can become a fork of it")]
    Changed,
    /// Its last line is not whole.
    #[error("the last line of the session is cut: resume it in its tool once, or hand it on as a fork")]
    Torn,
    /// Somebody is writing to it.
    #[error("the session is being written to: try again when its tool has answered")]
    Busy,
    /// Somebody wrote to it in the very moment of the append. What was appended is there, beside what they wrote.
    #[error("the session was written to in the same moment: look at it in its tool")]
    Raced,
    /// A message that is not words of the person or the model with a fresh id and a time.
    #[error("message {number} that came back is not one that can be appended: {why}")]
    BadTurn {
        /// Counted from 1.
        number: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// More than comes back from anywhere.
    #[error("more came back than {MAX_TURNS} messages of {MAX_TURNS_TEXT} bytes together")]
    TooMuch,
    /// It cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// It cannot be written.
    #[error("cannot write the session: {0}")]
    Write(#[source] io::Error),
    /// The fork cannot be made.
    #[error(transparent)]
    Install(#[from] InstallError),
}
