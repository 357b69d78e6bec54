//! Projects, their members and their records. A project is what its members work on; only they can read or change it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Makes a project; whoever makes it is its first admin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProject {
    /// What people call it, 1 to 100 characters.
    pub name: String,
    /// Its git remote, to recognise the repository by. It gives nobody access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_remote: Option<String>,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProjectRole {
    /// Manages members and may delete the project.
    Admin,
    /// Reads and writes records.
    Member,
}

/// A project that one is a member of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Project {
    /// `prj_…`
    pub project_id: String,
    /// What people call it.
    pub name: String,
    /// Its git remote as `host/path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_remote: Option<String>,
    /// One's own role.
    pub role: ProjectRole,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
}

/// Which page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListProjects {
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many entries, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// One page of one's projects, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Projects {
    /// The page.
    pub projects: Vec<Project>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Makes somebody a member, or changes a member's role. Exactly one of the two names is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMember {
    /// `usr_…`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Their verified address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What they may do.
    pub role: ProjectRole,
}

/// A member of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// `usr_…`
    pub user_id: String,
    /// Their address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: ProjectRole,
    /// Since when, unix milliseconds.
    pub since: i64,
}

/// All members of a project, at most 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Members {
    /// By their addresses.
    pub members: Vec<Member>,
}

/// Where a ticket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// There is work to do.
    Open,
    /// There is none.
    Closed,
}

/// Makes a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecord {
    /// A persona's name or a wiki page's slug; tickets and entries of the knowledge base are named by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ref_id: Option<String>,
    /// 1 to 200 characters.
    pub title: String,
    /// At most 65536 bytes.
    #[serde(default)]
    pub body: String,
}

/// Changes a record that is as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditRecord {
    /// 1 to 200 characters.
    pub title: String,
    /// At most 65536 bytes.
    pub body: String,
    /// A ticket's new state; as it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TicketState>,
    /// The version that was read: 409 when somebody has changed it since.
    pub version: i64,
}

/// A record without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordEntry {
    /// `prj_…`
    pub project_id: String,
    /// `ticket`, `persona`, `kb_entry` or `wiki_page`.
    pub kind: String,
    /// What it is called: `tkt_…`, a name, a number or a slug.
    pub ref_id: String,
    /// Its title.
    pub title: String,
    /// Where a ticket stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TicketState>,
    /// Counts its changes, from 1.
    pub version: i64,
    /// Who made it, `usr_…`.
    pub created_by: String,
    /// When, unix milliseconds.
    pub created_at: i64,
    /// When it was last changed, unix milliseconds.
    pub updated_at: i64,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Record {
    /// All but its text.
    #[serde(flatten)]
    pub entry: RecordEntry,
    /// Its text.
    pub body: String,
}

/// One page of records of one kind, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Records {
    /// The page.
    pub records: Vec<RecordEntry>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
