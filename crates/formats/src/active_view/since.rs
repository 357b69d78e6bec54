//! What a chat that comes back has more than it had when it was handed over (SPEC D15).

use thiserror::Error;

use super::{ActiveView, Entry, HeadHash, HeadHasher, OtherChat};
use crate::Handed;
use crate::view::Message;

/// Why it cannot be told from an active view.
#[derive(Debug, Error)]
pub enum SinceError {
    /// Its messages do not lead to its head.
    #[error(transparent)]
    OtherChat(#[from] OtherChat),
    /// The chat that was handed over is not the start of it.
    #[error(
        "what comes back does not continue the chat that was handed over: what was said there can become a fork of it"
    )]
    Elsewhere,
    /// Not all of it is in the view.
    #[error("not all that was said on the other device is in what came back: it has to be fetched whole")]
    NotAll,
}

impl ActiveView {
    /// The messages behind what was `handed` over, whole and in order; the chain of hashes shows that they follow it.
    pub fn messages_since(&self, handed: &Handed) -> Result<Vec<Message>, SinceError> {
        self.verify_tail()?;
        let known = handed.count.checked_sub(self.tail.skipped).ok_or(SinceError::NotAll)?;
        let known = usize::try_from(known).ok().filter(|known| *known <= self.tail.messages.len());
        let known = known.ok_or(SinceError::Elsewhere)?;
        let (before, since) = self.tail.messages.split_at(known);
        if head_behind(self.tail.before, self.tail.skipped, before) != handed.head_hash {
            return Err(SinceError::Elsewhere);
        }
        let whole = since.iter().map(|entry| entry.message().filter(|(_, whole)| *whole).map(|(message, _)| message));
        whole.collect::<Option<Vec<_>>>().ok_or(SinceError::NotAll)
    }
}

fn head_behind(before: HeadHash, skipped: u64, entries: &[Entry]) -> HeadHash {
    let mut head = HeadHasher::behind(before, skipped);
    for entry in entries {
        entry.add_to(&mut head);
    }
    head.hash()
}
