//! Teams. Who is in one is said by its signed roster (`docs/protocol.md` §2, Teams); everything else here is an index of it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Bytes, handoffs::RecipientKey};

/// Begins a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTeam {
    /// What to call it, at most 100 characters.
    pub name: String,
    /// The first signed roster.
    pub roster: Bytes,
    /// The team key, wrapped for each member.
    pub keys: Vec<Bytes>,
}

/// Publishes a team's next roster. One is next; whoever comes later reads again (409 `conflict`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishRoster {
    /// The signed roster.
    pub roster: Bytes,
    /// The team key, wrapped for each member who has it not yet: all when the epoch is new.
    pub keys: Vec<Bytes>,
    /// What to call the team from now on; as before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A roster that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishedRoster {
    /// `team_…`
    pub team_id: String,
    /// Its version.
    pub version: u32,
    /// The epoch of the team key.
    pub epoch: u32,
}

/// A team of one's own, in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamListed {
    /// `team_…`
    pub team_id: String,
    /// What it is called. Nobody signs it.
    pub name: String,
    /// Version of the newest roster.
    pub version: u32,
    /// Epoch of its team key.
    pub epoch: u32,
    /// One's own role: `admin` or `member`.
    pub role: String,
    /// How many members it has.
    pub members: i64,
    /// When it was begun, unix milliseconds.
    pub created_at: i64,
}

/// Which page of one's teams to list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTeams {
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many entries, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// One page of one's teams, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Teams {
    /// The page.
    pub teams: Vec<TeamListed>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A member of a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamMember {
    /// Who, with their current signed key card.
    pub person: RecipientKey,
    /// `admin` or `member`.
    pub role: String,
}

/// The team key of one epoch, wrapped for whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamKey {
    /// The epoch.
    pub epoch: u32,
    /// The wrap.
    pub wrap: Bytes,
}

/// A team, as its members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Team {
    /// `team_…`
    pub team_id: String,
    /// What it is called. Nobody signs it.
    pub name: String,
    /// The newest signed roster.
    pub roster: Bytes,
    /// Its members, by user id.
    pub members: Vec<TeamMember>,
    /// The team keys that whoever asks was given, of every epoch.
    pub keys: Vec<TeamKey>,
    /// When it was begun, unix milliseconds.
    pub created_at: i64,
}

/// Which page of a team's chain to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListRosters {
    /// Only versions after this one; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u32>,
}

/// One roster of a team's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListedRoster {
    /// The signed roster.
    pub roster: Bytes,
    /// Its signer, with their newest key card of the identity key that they signed under.
    pub signer: RecipientKey,
}

/// One page of a team's chain, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rosters {
    /// The page, at most 20.
    pub rosters: Vec<ListedRoster>,
    /// The `after` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}
