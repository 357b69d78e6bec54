//! Sessions that one has pushed or claimed.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The small public description of a session; empty when it is private.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Card {
    /// The tool that owns the session, e.g. `claude-code`.
    pub tool: String,
    /// The model last used.
    pub model: String,
    /// The tool's own title, or "Claude Code session in REPO".
    pub title: String,
    /// Git remote, without secrets.
    pub git_remote: String,
    /// Git branch.
    pub git_branch: String,
    /// Messages written by people.
    pub user_messages: u32,
    /// Messages written by the model.
    pub assistant_messages: u32,
    /// Tool calls made by the model.
    pub tool_calls: u32,
    /// Plain size, in bytes.
    pub bytes: i64,
    /// When the session last changed, unix milliseconds.
    pub updated_at: i64,
}

/// One of one's sessions on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// `ses_…`
    pub session_id: String,
    /// `bdl_…`: the bundle that holds its newest state.
    pub bundle_id: String,
    /// Position of that state in the session's chain.
    pub seq: i64,
    /// The public description.
    pub card: Card,
    /// The session this is a claimed copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_session_id: Option<String>,
    /// The handoff it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff_id: Option<String>,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// The ticket it is work on, `tkt_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The persona it works as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    /// When it came to this account, unix milliseconds.
    pub created_at: i64,
    /// When it last changed here, unix milliseconds.
    pub updated_at: i64,
}

/// Which page of sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSessions {
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many entries, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// One page of sessions, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// The page.
    pub sessions: Vec<Session>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Puts a session into a project, or takes it out. What is left out is taken off it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetProject {
    /// A project that one is a member of; none takes the session out of its project.
    #[serde(default)]
    pub project_id: Option<String>,
    /// The ticket of that project that it is work on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The persona of that project that it works as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
}
