//! Which messages are in a tail, and how much of each.
//!
//! From the newest back, each message is given whole where it takes at most a quarter of the room, and cut to that where
//! it takes more, as long as for all older ones a little is left. So the last words are there, and what came before
//! them is at least there by its beginning.

use super::Entry;
use super::check::ActiveViewError;
use super::cut::{json_len, len_of, shorten};
use super::sink::{Kept, Said, TailSink};
use crate::view::{Message, Part, Role};

/// What is kept free for every older message, in bytes. A message of one short part fits whole, every other by its start.
const LEAST: usize = 512;
/// No message takes more than this part of the room.
const SHARE: usize = 4;

/// A comma.
const BETWEEN: usize = 1;

/// The last messages of a view in the order of the chat, in at most `room` bytes.
pub(super) fn fit(view: &TailSink<'_>, room: usize) -> Result<Vec<Entry>, ActiveViewError> {
    let kept = view.kept();
    let messages: Option<Vec<Message>> = kept.iter().map(|kept| kept.message()).collect();
    let messages = messages.ok_or(ActiveViewError::Part("message"))?;
    let least = |at: usize| whole_len(kept[at]).min(LEAST);
    let (mut first, mut reserved) = (kept.len(), 0);
    while first > 0 && reserved + least(first - 1) <= room {
        first -= 1;
        reserved += least(first);
    }
    if first > first_that_must(&messages) {
        return Err(ActiveViewError::TooLong { bytes: reserved + LEAST, room });
    }
    let mut left = room;
    let mut entries = Vec::with_capacity(kept.len() - first);
    for at in (first..kept.len()).rev() {
        reserved -= least(at);
        let most = (left - reserved).min((room / SHARE).max(LEAST));
        let entry = entry(kept[at], &messages[at], most);
        left -= len_of(&entry) + BETWEEN;
        entries.push(entry);
    }
    entries.reverse();
    Ok(entries)
}

/// A message in at most `most` bytes, a comma included.
fn entry(kept: &Kept, message: &Message, most: usize) -> Entry {
    match &kept.said {
        Said::Line(line) if whole_len(kept) <= most => Entry::Line { line: line.clone() },
        _ => Entry::Short { hash: kept.hash, short: shorten(message, kept.hash, most - BETWEEN) },
    }
}

/// What a message takes as it is; more than any room, where its line is too long for all.
fn whole_len(kept: &Kept) -> usize {
    match &kept.said {
        Said::Line(line) => json_len(line) + r#"{"line":""}"#.len() + BETWEEN,
        Said::Long(_) => usize::MAX,
    }
}

/// The last words of the person and of the model, whichever come first. Without them nobody can go on with a chat.
fn first_that_must(messages: &[Message]) -> usize {
    let words = |role: Role| messages.iter().rposition(|message| speaks(message, role)).unwrap_or(messages.len());
    words(Role::User).min(words(Role::Assistant))
}

fn speaks(message: &Message, role: Role) -> bool {
    message.role == role && message.parts.iter().any(|part| matches!(part, Part::Text { .. }))
}
