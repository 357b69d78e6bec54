//! The same chat, or a loud no (SPEC D11).

use std::io::{self, BufRead};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::cut::{ID_MAX, cut};
use super::{ActiveView, HeadHash, HeadHasher};
use crate::lines::Lines;
use crate::view::MAX_VIEW_LINE;

/// Why something is not the chat that was handed over.
#[derive(Debug, Error)]
pub enum OtherChat {
    /// The messages of the tail do not lead to the head.
    #[error("the messages that came are not those of the chat that was handed over: hand it over again")]
    Tail,
    /// The whole chat is another.
    #[error(
        "what was fetched is not the chat that was handed over ({found} messages instead of {expected}, or others): hand it over again"
    )]
    Whole {
        /// Messages that were handed over.
        expected: u64,
        /// Messages that were fetched.
        found: u64,
    },
    /// The view cannot be read.
    #[error("cannot read the view: {0}")]
    Io(#[from] io::Error),
}

impl ActiveView {
    /// Whether the messages of the tail are the last ones of the chat that the head names.
    pub fn verify_tail(&self) -> Result<(), OtherChat> {
        let mut head = HeadHasher::behind(self.tail.before, self.tail.skipped);
        let mut last = None;
        for entry in &self.tail.messages {
            entry.add_to(&mut head);
            last = entry.message().map(|(message, _)| cut(&message.id, ID_MAX).to_owned());
        }
        let from_start = self.tail.skipped > 0 || self.tail.before == HeadHash::EMPTY;
        let ends = last == self.chat.head_id || (self.tail.messages.is_empty() && self.tail.skipped > 0);
        if from_start && ends && (head.hash(), head.count()) == (self.chat.head_hash, self.chat.count) {
            Ok(())
        } else {
            Err(OtherChat::Tail)
        }
    }

    /// Whether `view`, a whole `view.jsonl`, is the chat that the head names. Holds one line at a time.
    pub fn verify_whole(&self, view: impl BufRead) -> Result<(), OtherChat> {
        self.verify_head(&head_of(view)?)
    }

    /// As [`ActiveView::verify_whole`], of a chat whose head is known already.
    pub fn verify_head(&self, head: &HeadHasher) -> Result<(), OtherChat> {
        if (head.hash(), head.count()) == (self.chat.head_hash, self.chat.count) {
            Ok(())
        } else {
            Err(OtherChat::Whole { expected: self.chat.count, found: head.count() })
        }
    }
}

/// The head of a whole `view.jsonl`.
pub(super) fn head_of(view: impl BufRead) -> io::Result<HeadHasher> {
    let mut head = HeadHasher::default();
    let mut lines = Lines::new(view, MAX_VIEW_LINE);
    while let Some(line) = lines.next_line()? {
        if line.too_long {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of the view is too long"));
        }
        head.add_hash(&Sha256::digest(line.bytes).into());
    }
    Ok(head)
}
