//! The view: the live conversation in neutral messages, as the file `view.jsonl`.
//!
//! UTF-8, one JSON object per line, each line ended by a line feed and at most 1 MiB long. The lines are the messages
//! that the source tool itself would send to its model on resume, in that order, so abandoned branches, subagents and
//! what came before a compaction are not in it. Neither are thinking, attachments, and text that the tool wrote for the
//! model only. The same session always gives the same bytes, and while a session only grows its view only grows.
//!
//! ```text
//! {"v":1,"id":ID,"at":MS,"role":ROLE,"parts":[PART,…]}
//!   v      1
//!   id     the tool's own id of the message
//!   at     time in ms since 1970; 0 if the tool did not say
//!   role   "user", "assistant" or "tool" (results of tool calls)
//!   parts  at most 64
//! PART, one of
//!   {"type":"text","text":TEXT}
//!   {"type":"tool_call","id":CALL,"name":NAME,"input":JSON}     input as the model wrote it
//!   {"type":"tool_result","id":CALL,"text":TEXT,"is_error":BOOL}
//!   {"type":"image","media_type":TYPE,"bytes":N}                N: size of the decoded image, which is not in the view
//!   {"type":"notice","text":TEXT}                               by the tool: a compact summary, a local command
//! ```
//!
//! `text`, `tool_call`, `tool_result` and `notice` may also hold `"truncated":N`, the number of bytes left out; without
//! it nothing was. TEXT of a result or notice keeps its first 16 KiB. An input over 16 KiB keeps the first 1 KiB of
//! every string in it, and becomes `{}` if that is still too long. All TEXT and inputs of one message together keep
//! 128 KiB. CALL and NAME keep 256 bytes, ID 128, TYPE 100. A message with more than 64 parts ends with a notice.
//!
//! A call without a result is in the view: it was never answered. Tools drop such a call on resume and do not run it.
//! A result without a call is not. A reader must ignore fields it does not know. All text is untrusted.

mod bound;
mod file;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use file::Pieces;
pub use file::{MAX_VIEW_LINE, ReadViewError, ViewReader, ViewSink, write_message};

/// The version of the view written here.
pub const VIEW_VERSION: u8 = 1;

/// One line of the view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// [`VIEW_VERSION`].
    pub v: u8,
    /// The tool's own id of the message.
    pub id: String,
    /// Time in ms since 1970; 0 if unknown.
    pub at: i64,
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Tools that the model called.
    Tool,
}

/// A piece of a message. `truncated` is the number of bytes left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Words.
    Text {
        /// The words.
        text: String,
        /// Bytes left out.
        #[serde(default, skip_serializing_if = "is_zero")]
        truncated: u64,
    },
    /// The model calls a tool.
    ToolCall {
        /// Names the call.
        id: String,
        /// The tool.
        name: String,
        /// Its arguments.
        input: Value,
        /// Bytes left out.
        #[serde(default, skip_serializing_if = "is_zero")]
        truncated: u64,
    },
    /// What a tool answered.
    ToolResult {
        /// The call it answers.
        id: String,
        /// The answer's text; images in it are parts of their own.
        text: String,
        /// Whether the call failed.
        is_error: bool,
        /// Bytes left out.
        #[serde(default, skip_serializing_if = "is_zero")]
        truncated: u64,
    },
    /// An image, without its data.
    Image {
        /// Its media type.
        media_type: String,
        /// Size of the decoded image in bytes.
        bytes: u64,
    },
    /// Text by the tool itself.
    Notice {
        /// The text.
        text: String,
        /// Bytes left out.
        #[serde(default, skip_serializing_if = "is_zero")]
        truncated: u64,
    },
}

impl Part {
    /// Words, whole.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), truncated: 0 }
    }

    /// A notice, whole.
    pub fn notice(text: impl Into<String>) -> Self {
        Self::Notice { text: text.into(), truncated: 0 }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
