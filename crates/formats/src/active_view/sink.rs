//! The end of a view, while it is written.

use std::collections::VecDeque;
use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::check::ROOM_MAX;
use super::cut::shorten;
use super::{Entry, HeadHash, HeadHasher, Tail};
use crate::view::{Message, Pieces, ViewSink};

/// Most messages of a tail (SPEC D1).
pub const TAIL_MAX: usize = 30;

/// Takes a view: hashes all of it, and keeps its last [`TAIL_MAX`] messages, each up to [`ROOM_MAX`] bytes.
#[derive(Default)]
pub struct TailSink<'a> {
    head: HeadHasher,
    pieces: Pieces,
    kept: VecDeque<Kept>,
    also: Option<&'a mut (dyn ViewSink + Send)>,
}

/// A message of the end of a view.
pub(super) struct Kept {
    /// The head hash before it.
    before: HeadHash,
    /// SHA-256 of its line.
    pub(super) hash: HeadHash,
    pub(super) said: Said,
}

pub(super) enum Said {
    /// Its line.
    Line(String),
    /// Its line could not be in any tail: what could.
    Long(Message),
}

impl Kept {
    /// The message; `None` where what was written is no view.
    pub(super) fn message(&self) -> Option<Message> {
        match &self.said {
            Said::Line(line) => serde_json::from_str(line).ok(),
            Said::Long(message) => Some(message.clone()),
        }
    }
}

impl<'a> TailSink<'a> {
    /// Takes a view, and writes it to another sink as well.
    pub fn beside(also: &'a mut (dyn ViewSink + Send)) -> Self {
        Self { also: Some(also), ..Self::default() }
    }

    /// The head of all that was written.
    pub fn head(&self) -> HeadHasher {
        self.head
    }

    /// The last message's id.
    pub fn last_id(&self) -> Option<String> {
        self.kept.back()?.message().map(|message| message.id)
    }

    /// The last messages, oldest first.
    pub(super) fn kept(&self) -> Vec<&Kept> {
        self.kept.iter().collect()
    }

    /// The tail of which these are the messages.
    pub(super) fn tail(&self, messages: Vec<Entry>) -> Tail {
        let first = self.kept.len() - messages.len();
        let before = self.kept.get(first).map_or(self.head.hash(), |kept| kept.before);
        Tail { before, skipped: self.head.count() - messages.len() as u64, messages }
    }

    fn end_line(&mut self, line: Vec<u8>) -> io::Result<()> {
        let (before, hash) = (self.head.hash(), HeadHash(Sha256::digest(&line).into()));
        self.head.add_hash(&hash.0);
        let said = if line.len() <= ROOM_MAX {
            Said::Line(String::from_utf8(line).map_err(io::Error::other)?)
        } else {
            Said::Long(shorten(&serde_json::from_slice(&line)?, hash, ROOM_MAX))
        };
        if self.kept.len() == TAIL_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept { before, hash, said });
        Ok(())
    }
}

impl Write for TailSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (taken, line) = self.pieces.take(bytes)?;
        if let Some(also) = &mut self.also {
            also.write_all(&bytes[..taken])?;
        }
        line.map_or(Ok(()), |line| self.end_line(line))?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.also.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl ViewSink for TailSink<'_> {
    fn restart(&mut self) -> io::Result<()> {
        (self.head, self.pieces, self.kept) = (HeadHasher::default(), Pieces::default(), VecDeque::new());
        self.also.as_mut().map_or(Ok(()), |also| also.restart())
    }
}
