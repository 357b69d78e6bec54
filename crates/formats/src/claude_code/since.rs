//! What a session has more than it had when it was handed over, as its view shows.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use super::append::MAX_TURNS;
use crate::active_view::{HeadHash, HeadHasher};
use crate::view::{Message, Pieces, ViewSink, write_message};
use crate::{AppendError, Handed};

/// Hashes a view, and keeps what it has behind its first `count` messages.
pub(super) struct Since {
    count: u64,
    head: HeadHasher,
    at_count: Option<HeadHash>,
    pieces: Pieces,
    /// Of the lines behind, as many as could have been appended.
    behind: Vec<[u8; 32]>,
}

impl Since {
    pub(super) fn new(count: u64) -> Self {
        let head = HeadHasher::default();
        let at_count = (count == 0).then_some(HeadHash::EMPTY);
        Self { count, head, at_count, pieces: Pieces::default(), behind: Vec::new() }
    }

    /// Goes on from a head.
    pub(super) fn behind(head: HeadHasher) -> Self {
        Self { head, ..Self::new(u64::MAX) }
    }

    /// The head of all that was written.
    pub(super) fn head(&self) -> HeadHasher {
        self.head
    }

    fn add(&mut self, line: [u8; 32]) {
        if self.head.count() >= self.count && self.behind.len() < MAX_TURNS {
            self.behind.push(line);
        }
        self.head.add_hash(&line);
        if self.head.count() == self.count {
            self.at_count = Some(self.head.hash());
        }
    }

    /// How many of `turns` are in a session that is otherwise as it was handed over.
    pub(super) fn of(&self, handed: &Handed, turns: &[Message]) -> Result<usize, AppendError> {
        if self.at_count != Some(handed.head_hash) {
            return Err(AppendError::Changed);
        }
        let messages = self.head.count() - self.count;
        let same =
            turns.iter().zip(&self.behind).take_while(|(turn, line)| hash_of(turn).as_ref() == Some(*line)).count();
        if same as u64 == messages { Ok(same) } else { Err(AppendError::Grew { messages }) }
    }
}

fn hash_of(turn: &Message) -> Option<[u8; 32]> {
    let mut line = Vec::new();
    write_message(turn.clone(), &mut line).ok()?;
    line.pop();
    Some(Sha256::digest(&line).into())
}

impl Write for Since {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (taken, line) = self.pieces.take(bytes)?;
        if let Some(line) = line {
            self.add(Sha256::digest(&line).into());
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ViewSink for Since {
    fn restart(&mut self) -> io::Result<()> {
        *self = Self::new(self.count);
        Ok(())
    }
}
