//! What a device gives back of a chat that it was given (SPEC D12, D15; `docs/protocol.md` §6).
//!
//! ```text
//! {"v":1,"seq":N|null,"messages":[MESSAGE,…],"count":N,"head_hash":HASH,
//!  "draft":{"text":TEXT,"caret":N}|null,"pointer":{"anchor":ID|null,"fraction":0…1000,"unread_from":ID|null,"branch":ID|null}}
//! ```
//!
//! A device of the same account pushes the session and names its place in the session's chain: then count and head are those of
//! the view that was pushed. Any other gives the words that were said there: then count and head are those of the chat as it
//! was handed over followed by these messages. A reader ignores fields that it does not know, and refuses another `v`. All
//! text is untrusted.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::check::{self, COUNT_MAX, ROOM_MAX, check_place, require};
use super::{ActiveViewError, Draft, HeadHash, HeadHasher, Pointer};
use crate::Handed;
use crate::claude_code::MAX_TURNS;
use crate::view::{Message, Part, Pieces, Role, VIEW_VERSION, ViewSink, write_message};

/// The version written here.
const VERSION: u8 = 1;

/// What a device gives back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComingBack {
    /// 1.
    v: u8,
    /// Where the session stands on the server, if it was pushed. Then there are no `messages`.
    pub seq: Option<u64>,
    /// What was said there, if it was not pushed: words only.
    pub messages: Vec<Message>,
    /// How many messages the chat has there.
    pub count: u64,
    /// The head hash behind them.
    pub head_hash: HeadHash,
    /// What is being written there.
    pub draft: Option<Draft>,
    /// Where one was in the chat.
    pub pointer: Pointer,
}

impl ComingBack {
    /// A session that was pushed as `seq`, whose view has this head.
    pub fn pushed(seq: u64, head: HeadHasher, draft: Option<Draft>, pointer: Pointer) -> Self {
        let (count, head_hash) = (head.count(), head.hash());
        Self { v: VERSION, seq: Some(seq), messages: Vec::new(), count, head_hash, draft, pointer }
    }

    /// Words that were said since a chat with the head `before` was handed over.
    pub fn words(before: HeadHasher, messages: Vec<Message>, draft: Option<Draft>, pointer: Pointer) -> Self {
        let head = behind(before, &messages);
        let (count, head_hash) = (head.count(), head.hash());
        Self { v: VERSION, seq: None, messages, count, head_hash, draft, pointer }
    }

    /// The bytes to be sealed. Refuses what [`ComingBack::parse`] would.
    pub fn encode(&self) -> Result<Vec<u8>, ActiveViewError> {
        self.check()?;
        check::write(self)
    }

    /// Reads what another device gave back.
    pub fn parse(bytes: &[u8]) -> Result<Self, ActiveViewError> {
        let back: Self = check::read(bytes, u64::from(VERSION))?;
        back.check()?;
        Ok(back)
    }

    /// Whether these words, behind what was `handed` over, are the chat that the head names.
    pub fn verify_words(&self, handed: &Handed) -> bool {
        let head = behind(HeadHasher::behind(handed.head_hash, handed.count), &self.messages);
        self.seq.is_none() && self.is_head(head)
    }

    /// Whether this is the head that it names.
    pub fn is_head(&self, head: HeadHasher) -> bool {
        (head.count(), head.hash()) == (self.count, self.head_hash)
    }

    fn check(&self) -> Result<(), ActiveViewError> {
        let Self { seq, messages, count, draft, pointer, .. } = self;
        check_place(pointer, draft.as_ref())?;
        require(*count <= COUNT_MAX && messages.len() <= MAX_TURNS, "number of messages")?;
        require(seq.is_none_or(|seq| (1..=COUNT_MAX).contains(&seq) && messages.is_empty()), "place in the chain")?;
        let known = messages.iter().all(|message| message.v == VIEW_VERSION);
        if known { Ok(()) } else { Err(ActiveViewError::UnknownVersion) }
    }
}

/// The head behind some messages, as a view has them.
fn behind(before: HeadHasher, messages: &[Message]) -> HeadHasher {
    let mut head = before;
    for message in messages {
        let mut line = Vec::new();
        // Writing to memory does not fail; what cannot be written is no message, and gives another head.
        drop(write_message(message.clone(), &mut line));
        head.add_line(line.strip_suffix(b"\n").unwrap_or(&line));
    }
    head
}

/// Takes a view: the words in it behind its first messages, and which those first messages are. Holds as many words as can
/// be given back.
#[derive(Debug)]
pub struct NewWords {
    first: u64,
    pieces: Pieces,
    head: HeadHasher,
    /// Over the ids, as an install may move the places of spilled output, which are in the messages.
    ids: Sha256,
    first_ids: Option<[u8; 32]>,
    words: Vec<Message>,
    bytes: usize,
    left_out: u64,
    last_id: Option<String>,
    last_words: Option<(Role, String)>,
}

impl NewWords {
    /// Takes the words behind the first so many messages.
    pub fn behind(first: u64) -> Self {
        let ids = Sha256::new();
        let first_ids = (first == 0).then(|| ids.clone().finalize().into());
        Self {
            first,
            pieces: Pieces::default(),
            head: HeadHasher::default(),
            ids,
            first_ids,
            words: Vec::new(),
            bytes: 0,
            left_out: 0,
            last_id: None,
            last_words: None,
        }
    }

    /// The head of the view.
    pub fn head(&self) -> HeadHasher {
        self.head
    }

    /// What tells its first messages from others; `None` where it has fewer.
    pub fn first_ids(&self) -> Option<[u8; 32]> {
        self.first_ids
    }

    /// Messages behind them that hold no words, or words without a time: calls of tools and their results.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The last message's id.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// The last words of the person or the model, and whose they are.
    pub fn last_words(&self) -> Option<(Role, &str)> {
        self.last_words.as_ref().map(|(role, text)| (*role, text.as_str()))
    }

    /// The words behind them; `None` when there are more than can be given back.
    pub fn into_words(self) -> Option<Vec<Message>> {
        (self.bytes <= ROOM_MAX && self.words.len() <= MAX_TURNS).then_some(self.words)
    }

    fn add(&mut self, line: &[u8]) -> io::Result<()> {
        let message: Message = serde_json::from_slice(line)?;
        self.head.add_line(line);
        self.last_id = Some(message.id.clone());
        let words = message.parts.iter().rev().find_map(|part| match part {
            Part::Text { text, .. } if message.role != Role::Tool => Some((message.role, text.clone())),
            _ => None,
        });
        self.last_words = words.or(self.last_words.take());
        if self.head.count() > self.first {
            self.keep(message);
            return Ok(());
        }
        self.ids.update(message.id.len().to_be_bytes());
        self.ids.update(&message.id);
        if self.head.count() == self.first {
            self.first_ids = Some(self.ids.clone().finalize().into());
        }
        Ok(())
    }

    fn keep(&mut self, mut message: Message) {
        let all = message.parts.len();
        message.parts.retain(|part| matches!(part, Part::Text { text, .. } if !text.trim().is_empty()));
        let spoken = message.role != Role::Tool && message.at > 0 && !message.parts.is_empty();
        self.left_out += u64::from(!spoken || message.parts.len() < all);
        let cut = message.parts.iter().any(|part| matches!(part, Part::Text { truncated: 1.., .. }));
        if !spoken || self.bytes > ROOM_MAX {
            return;
        }
        self.bytes += if cut { ROOM_MAX } else { super::cut::len_of(&message) } + 1;
        self.words.push(message);
    }
}

impl Write for NewWords {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (taken, line) = self.pieces.take(bytes)?;
        if let Some(line) = line {
            self.add(&line)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ViewSink for NewWords {
    fn restart(&mut self) -> io::Result<()> {
        *self = Self::behind(self.first);
        Ok(())
    }
}
