//! The index of a transcript: for every line of the conversation who it is, whom it follows and where it stands. About
//! 120 bytes a line, so that a session of any size is read without holding it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::record::{Block, Content, NativeMessage, Record};

/// The most lines of a conversation that are read. The largest session measured, 1 GiB, has a fifth of it.
pub(crate) const MAX_ENTRIES: usize = 2_000_000;

/// The longest description of a compaction that is read, in bytes: 25 000 lines that it kept. Of a longer one nothing is
/// taken as preserved, as where a line is missing.
const MAX_COMPACT_METADATA: usize = 1024 * 1024;

/// A name within the session, as the first half of its SHA-256: short, and not to be made to collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u128", into = "u128")]
pub(super) struct Key([u8; 16]);

impl From<u128> for Key {
    fn from(number: u128) -> Self {
        Self(number.to_be_bytes())
    }
}

impl From<Key> for u128 {
    fn from(key: Key) -> Self {
        Self::from_be_bytes(key.0)
    }
}

impl Key {
    pub(super) fn new(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }
}

/// What a line is to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Assistant,
    /// A user line that answers tool calls.
    Result,
    /// A user line without.
    Prompt,
    Boundary,
    /// Anything else with an id: attachments, system lines, types of other versions.
    Other,
}

/// A line of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) parent: Option<Key>,
    /// The API answer that the line is part of.
    pub(super) answer: Option<Key>,
    pub(super) kind: Kind,
    pub(super) side: bool,
    pub(super) at: Option<i64>,
    /// Where the record stands in the file.
    pub(super) offset: u64,
    pub(super) len: usize,
}

impl Entry {
    /// Whether it is a message, and no line between messages.
    pub(super) fn is_message(&self) -> bool {
        matches!(self.kind, Kind::Assistant | Kind::Result | Kind::Prompt)
    }
}

/// What a compaction kept, in order, and the line it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Preserved {
    pub(super) anchor: Key,
    pub(super) lines: PreservedLines,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PreservedLines {
    Listed(Vec<Key>),
    Between { head: Key, tail: Key },
}

/// All lines of the conversation in file order.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) entries: Vec<Entry>,
    /// Of the last compaction.
    pub(super) preserved: Option<Preserved>,
    /// The leaf that the tool noted last, unless a compaction came after it.
    pub(super) noted_leaf: Option<Key>,
    by_key: HashMap<Key, usize>,
}

impl Index {
    /// Adds a line; one without an id only counts if it notes a leaf. False if the index is full.
    pub(super) fn add(
        &mut self,
        record: &Record<'_>,
        message: Option<&NativeMessage<'_>>,
        offset: u64,
        len: usize,
    ) -> bool {
        if record.kind == "last-prompt" {
            self.noted_leaf = record.leaf_uuid.as_deref().map(Key::new);
        }
        let Some(uuid) = record.uuid.as_deref() else { return true };
        if self.entries.len() >= MAX_ENTRIES {
            return false;
        }
        let kind = kind_of(record, message);
        if kind == Kind::Boundary {
            self.preserved = record.compact_metadata.and_then(|raw| read_preserved(raw.get()));
            self.noted_leaf = None;
        }
        let answer =
            message.filter(|_| kind == Kind::Assistant).and_then(|message| message.id.as_deref()).map(Key::new);
        self.push(Entry {
            key: Key::new(uuid),
            parent: record.parent_uuid.as_deref().map(Key::new),
            answer,
            kind,
            side: record.is_side(),
            at: record.at(),
            offset,
            len,
        });
        true
    }

    /// Of two lines with one id the later counts, as in the tool.
    pub(super) fn push(&mut self, entry: Entry) {
        self.by_key.insert(entry.key, self.entries.len());
        self.entries.push(entry);
    }

    pub(super) fn position(&self, key: Key) -> Option<usize> {
        self.by_key.get(&key).copied()
    }
}

fn kind_of(record: &Record<'_>, message: Option<&NativeMessage<'_>>) -> Kind {
    match (record.kind.as_str(), record.subtype.as_deref()) {
        ("assistant", _) => Kind::Assistant,
        ("system", Some("compact_boundary")) => Kind::Boundary,
        ("user", _) if message.and_then(|message| message.content.as_ref()).is_some_and(has_result) => Kind::Result,
        ("user", _) => Kind::Prompt,
        _ => Kind::Other,
    }
}

fn has_result(content: &Content<'_>) -> bool {
    matches!(content, Content::Blocks(blocks) if blocks.iter().any(is_result))
}

pub(super) fn is_result(block: &Block<'_>) -> bool {
    block.kind == "tool_result"
}

fn read_preserved(metadata: &str) -> Option<Preserved> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        preserved_messages: Option<Messages>,
        preserved_segment: Option<Segment>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Messages {
        anchor_uuid: String,
        uuids: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Segment {
        #[serde(rename = "headUuid")]
        head: String,
        #[serde(rename = "anchorUuid")]
        anchor: String,
        #[serde(rename = "tailUuid")]
        tail: String,
    }
    if metadata.len() > MAX_COMPACT_METADATA {
        return None;
    }
    let metadata: Metadata = serde_json::from_str(metadata).ok()?;
    if let Some(Messages { anchor_uuid, uuids }) = metadata.preserved_messages {
        let lines = PreservedLines::Listed(uuids.iter().map(|uuid| Key::new(uuid)).collect());
        return Some(Preserved { anchor: Key::new(&anchor_uuid), lines });
    }
    let Segment { head, anchor, tail } = metadata.preserved_segment?;
    let lines = PreservedLines::Between { head: Key::new(&head), tail: Key::new(&tail) };
    Some(Preserved { anchor: Key::new(&anchor), lines })
}
