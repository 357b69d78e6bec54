//! The active view: what one device gives another so that a chat goes on there at once (SPEC D1, D2).
//!
//! One JSON object of at most [`ROOM_MAX`] bytes, however long the chat is: which chat, by whom, where one was in it, what
//! was being written, and its last messages. The rest of the chat follows later, and the head hash shows that it is the
//! same one. Keys, tokens and settings of the device are not in it (SPEC D3); what the conversation itself says is.
//!
//! ```text
//! {"v":1,
//!  "chat":{"session_id":ID,"tool":NAME,"native_id":ID,"title":TEXT|null,"model":NAME|null,"cwd":PATH|null,
//!          "git_branch":NAME|null,"count":N,"head_id":ID|null,"head_hash":HASH},
//!  "source":{"device_id":ID,"name":TEXT,"kind":"cli"|"web","user_id":ID,"email":TEXT|null,"key_card":BYTES|null},
//!  "pointer":{"anchor":ID|null,"fraction":0…1000,"unread_from":ID|null,"branch":ID|null},
//!  "draft":{"text":TEXT,"caret":N}|null,
//!  "partial":{"text":TEXT}|null,
//!  "route":{"kind":"cloud"|"direct"|"local"|"tunnel"|"unknown","provider":NAME|null,"model":NAME|null,"needs":[NEED,…],
//!           "reach":"any"|"same_device"|"same_lan"|"unknown","context_tokens":N|null},
//!  "tail":{"before":HASH,"skipped":N,"messages":[{"line":LINE}|{"hash":HASH,"short":MESSAGE},…]},
//!  "backfill":{"key":BYTES,"token":BYTES}|null}
//! ```
//!
//! BYTES and HASH are base64url without padding. LINE is a line of `view.jsonl` as it is, MESSAGE such a line's object cut
//! to what fits, and its HASH the SHA-256 of the line. `caret` counts bytes of UTF-8. `partial` and the parts of a cut
//! message may say `"truncated":N`. A reader ignores fields that it does not know, and refuses another `v`. All text is
//! untrusted.
//!
//! The source captures the session into a [`TailSink`], keeps [`Handed::of`](crate::Handed::of) it, and makes an
//! [`ActiveView`]. The destination parses it and asks [`ActiveView::verify_tail`] before it shows anything, and
//! [`ActiveView::verify_whole`] of the `view.jsonl` that follows. What it adds is [`ComingBack`], and is put in place by
//! [`Format::append`](crate::Format::append) or [`Format::rejoin`](crate::Format::rejoin), or as a fork by
//! [`Format::fork`](crate::Format::fork).

mod bytes;
mod chat;
mod check;
mod coming_back;
mod cut;
mod fit;
mod head;
mod sink;
mod verify;

use serde::{Deserialize, Serialize};

use crate::route::Route;
use crate::session::Header;
use crate::view::Message;

pub use bytes::{HeadHash, KeyCardBytes, Secret32};
pub use chat::{Chat, Draft, Partial, Pointer, Source, SourceKind};
pub use check::{ActiveViewError, COUNT_MAX, DRAFT_MAX, KEY_CARD_MAX, PARTIAL_MAX, ROOM_MAX};
pub use coming_back::{ComingBack, NewWords};
pub use head::HeadHasher;
pub use sink::{TAIL_MAX, TailSink};
pub use verify::OtherChat;

pub(crate) use chat::NAME_MAX;
pub(crate) use cut::{cut_optional, json_len};

/// The version of the active view written here.
pub const ACTIVE_VIEW_VERSION: u8 = 1;

/// What one device gives another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActiveView {
    /// [`ACTIVE_VIEW_VERSION`].
    pub v: u8,
    /// The chat.
    pub chat: Chat,
    /// The device that gives it.
    pub source: Source,
    /// Where one was in it.
    pub pointer: Pointer,
    /// What was being written.
    pub draft: Option<Draft>,
    /// A reply in flight.
    pub partial: Option<Partial>,
    /// How replies are made there.
    pub route: Route,
    /// The last messages.
    pub tail: Tail,
    /// How the rest is fetched.
    pub backfill: Option<Backfill>,
}

/// The last messages of a chat, at most [`TAIL_MAX`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// The head hash before the first of them.
    pub before: HeadHash,
    /// How many messages come before them.
    pub skipped: u64,
    /// In the order of the chat.
    pub messages: Vec<Entry>,
}

/// A message of the tail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// As it is.
    Line {
        /// Its line of `view.jsonl`, without the line feed.
        line: String,
    },
    /// Cut: it is whole once the chat has been fetched.
    Short {
        /// SHA-256 of its line.
        hash: HeadHash,
        /// What fits.
        short: Message,
    },
}

/// How the rest of the chat is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// Opens it.
    pub key: Secret32,
    /// Lets one read it.
    pub token: Secret32,
}

/// What a client knows beside the session itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Segue's id of the session.
    pub session_id: String,
    /// This device.
    pub source: Source,
    /// Where one is in the chat.
    pub pointer: Pointer,
    /// What is being written.
    pub draft: Option<Draft>,
    /// A reply in flight.
    pub partial: Option<Partial>,
    /// How replies are made here.
    pub route: Route,
    /// How the rest is fetched.
    pub backfill: Option<Backfill>,
}

impl ActiveView {
    /// The active view of a session whose view was written to `view`, at most `room` bytes long. The same arguments give
    /// the same bytes. Names, titles and ids that are too long are cut, a directory is left out; a draft or key card that
    /// is too long is refused, and so is a `room` without place for the last words of both sides.
    pub fn new(header: &Header, view: &TailSink<'_>, scene: Scene, room: usize) -> Result<Self, ActiveViewError> {
        let Scene { session_id, source, pointer, draft, partial, route, backfill } = scene;
        let mut made = Self {
            v: ACTIVE_VIEW_VERSION,
            chat: Chat::of(header, session_id, view),
            source: source.cut(),
            pointer: pointer.cut(),
            draft,
            partial,
            route: route.cut(),
            tail: Tail { before: HeadHash::EMPTY, skipped: 0, messages: Vec::new() },
            backfill,
        };
        let room = room.min(ROOM_MAX);
        let taken = made.len_without_tail()?;
        let too_long = ActiveViewError::TooLong { bytes: taken, room };
        let messages = fit::fit(view, room.checked_sub(taken).ok_or(too_long)?)?;
        made.tail = view.tail(messages);
        made.check()?;
        Ok(made)
    }

    /// How long it is without messages; the digits of its counts do not matter, so that what fits does not depend on how
    /// long the chat is.
    fn len_without_tail(&self) -> Result<usize, ActiveViewError> {
        let mut longest = self.clone();
        (longest.chat.count, longest.tail.skipped) = (COUNT_MAX, COUNT_MAX);
        Ok(serde_json::to_vec(&longest).map_err(ActiveViewError::Malformed)?.len())
    }
}

impl Entry {
    /// Adds its line to a head.
    fn add_to(&self, head: &mut HeadHasher) {
        match self {
            Self::Line { line } => head.add_line(line.as_bytes()),
            Self::Short { hash, .. } => head.add_hash(&hash.0),
        }
    }

    /// The message, and whether it is whole. `None` where the line is no message, which [`ActiveView::parse`] refuses.
    pub fn message(&self) -> Option<(Message, bool)> {
        match self {
            Self::Line { line } => serde_json::from_str(line).ok().map(|message| (message, true)),
            Self::Short { short, .. } => Some((short.clone(), false)),
        }
    }
}
