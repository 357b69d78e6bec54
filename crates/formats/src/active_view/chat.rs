//! The parts of an active view that say which chat it is, by whom, and where one was in it.

use serde::{Deserialize, Serialize};

use super::cut::{ID_MAX, cut, cut_optional, cut_string, json_len};
use super::{HeadHash, KeyCardBytes, PARTIAL_MAX, TailSink};
use crate::session::Header;

/// Bytes of JSON that Segue's own ids keep: `ses_` and 26 symbols, with room for other prefixes.
pub(super) const OWN_ID_MAX: usize = 64;
/// Of a tool's id of a session.
pub(super) const NATIVE_ID_MAX: usize = 128;
/// Of names of tools, models, branches and providers.
pub(crate) const NAME_MAX: usize = 256;
/// Of a title.
pub(super) const TITLE_MAX: usize = 1024;
/// Of a directory. A longer one is left out: half a path is the name of something else.
pub(super) const CWD_MAX: usize = 1024;
/// Of a device's name: 100 characters, as where it introduces itself.
pub(super) const DEVICE_NAME_MAX: usize = 400;
/// Of an address.
pub(super) const EMAIL_MAX: usize = 400;

/// Which chat it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// Segue's id of the session.
    pub session_id: String,
    /// The tool, by its name; not every reader knows it.
    pub tool: String,
    /// The tool's own id of the session.
    pub native_id: String,
    /// The title that the tool shows.
    pub title: Option<String>,
    /// The model of the last answer.
    pub model: Option<String>,
    /// The working directory.
    pub cwd: Option<String>,
    /// The git branch at the last message.
    pub git_branch: Option<String>,
    /// How many messages it has.
    pub count: u64,
    /// The last of them; `None` where it has none.
    pub head_id: Option<String>,
    /// The head hash behind it.
    pub head_hash: HeadHash,
    /// Whether the server is told nothing about it, wherever it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

impl Chat {
    pub(super) fn of(header: &Header, session_id: String, view: &TailSink<'_>) -> Self {
        let name = |text: &Option<String>, limit| text.as_deref().map(|text| cut(text, limit).to_owned());
        Self {
            session_id,
            tool: header.tool.as_str().to_owned(),
            native_id: cut(&header.native_id, NATIVE_ID_MAX).to_owned(),
            title: name(&header.title, TITLE_MAX),
            model: name(&header.model, NAME_MAX),
            cwd: header.cwd.clone().filter(|cwd| json_len(cwd) <= CWD_MAX),
            git_branch: name(&header.git_branch, NAME_MAX),
            count: view.head().count(),
            head_id: view.last_id().map(|id| cut(&id, ID_MAX).to_owned()),
            head_hash: view.head().hash(),
            private: false,
        }
    }
}

/// The device that gives a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The device.
    pub device_id: String,
    /// What its person calls it.
    pub name: String,
    /// What it runs.
    pub kind: SourceKind,
    /// Whose it is.
    pub user_id: String,
    /// Their address.
    pub email: Option<String>,
    /// Their signed key card.
    pub key_card: Option<KeyCardBytes>,
}

/// What a device runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// The command-line client.
    Cli,
    /// The web client.
    Web,
}

impl Source {
    pub(super) fn cut(mut self) -> Self {
        cut_string(&mut self.name, DEVICE_NAME_MAX);
        self
    }
}

/// Where one was in a chat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The message at the top of the screen; `None` for the end.
    pub anchor: Option<String>,
    /// How much of it was above, in thousandths.
    pub fraction: u16,
    /// The first message that was not read.
    pub unread_from: Option<String>,
    /// The last message of the branch that was selected, where that is not the live one.
    pub branch: Option<String>,
}

impl Pointer {
    pub(super) fn cut(mut self) -> Self {
        for id in [&mut self.anchor, &mut self.unread_from, &mut self.branch] {
            cut_optional(id, ID_MAX);
        }
        self
    }
}

/// What was being written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The text, at most [`DRAFT_MAX`](super::DRAFT_MAX) bytes of JSON.
    pub text: String,
    /// Where one was in it: bytes of UTF-8 before the caret, which does not stand inside a character.
    pub caret: usize,
}

/// A reply in flight, as far as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Its start, at most [`PARTIAL_MAX`] bytes of JSON.
    pub text: String,
    /// How many bytes came behind that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub truncated: u64,
}

impl Partial {
    /// A reply that came so far.
    pub fn of(text: &str) -> Self {
        let kept = cut(text, PARTIAL_MAX);
        Self { text: kept.to_owned(), truncated: (text.len() - kept.len()) as u64 }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
