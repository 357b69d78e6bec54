//! The neutral session: what is the same for every tool. [`Header`] is `session.json` in a bundle.

use serde::{Deserialize, Serialize};

use crate::Found;
use crate::torn::TornReport;

/// A coding tool whose sessions Segue reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tool {
    /// Claude Code, by Anthropic.
    #[serde(rename = "claude-code")]
    ClaudeCode,
}

impl Tool {
    /// The name used in commands and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
        }
    }

    /// The tool of that name.
    pub fn parse(name: &str) -> Option<Self> {
        crate::ALL.iter().map(|format| format.tool()).find(|tool| tool.as_str() == name)
    }
}

impl std::fmt::Display for Tool {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The version of [`Header`] written here.
pub const HEADER_VERSION: u8 = 1;

/// What a session is, without its content. All text comes from the session and is untrusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`HEADER_VERSION`].
    pub v: u8,
    /// The tool that wrote the session.
    pub tool: Tool,
    /// The tool's version that wrote the last message.
    pub tool_version: Option<String>,
    /// The tool's own id of the session.
    pub native_id: String,
    /// The title that the tool shows: chosen by the person, else made by the tool. Never the first prompt.
    pub title: Option<String>,
    /// The model of the last answer.
    pub model: Option<String>,
    /// The working directory on the sender's machine.
    pub cwd: Option<String>,
    /// The git branch at the last message.
    pub git_branch: Option<String>,
    /// Time of the first message, in ms since 1970.
    pub started_at: Option<i64>,
    /// Time of the last message, in ms since 1970.
    pub updated_at: Option<i64>,
    /// How much there is.
    pub counts: Counts,
    /// What the view leaves out.
    pub dropped: Dropped,
    /// What was damaged in the tool's file.
    pub torn: TornReport,
}

impl Header {
    /// As far as a short look tells.
    pub fn of(found: &Found) -> Self {
        Self {
            v: HEADER_VERSION,
            tool: found.tool,
            tool_version: None,
            native_id: found.native_id.clone(),
            title: found.title.clone(),
            model: None,
            cwd: found.cwd.as_ref().map(|cwd| cwd.display().to_string()),
            git_branch: None,
            started_at: None,
            updated_at: Some(found.updated_at_ms),
            counts: Counts::default(),
            dropped: Dropped::default(),
            torn: TornReport::default(),
        }
    }
}

/// Sizes of a session. All but `lines` count the live conversation only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages by the person.
    pub user_messages: u64,
    /// Messages by the model that hold text.
    pub assistant_messages: u64,
    /// Tool calls.
    pub tool_calls: u64,
    /// Valid records in the transcript, of whatever kind.
    pub lines: u64,
}

/// What is in the native file but not in the view.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dropped {
    /// Thinking blocks in the live conversation.
    pub thinking_blocks: u64,
    /// Messages of subagents, abandoned branches and from before a compaction.
    pub messages_off_chain: u64,
    /// Tool calls without a result.
    pub unanswered_calls: u64,
}
