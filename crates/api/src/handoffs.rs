//! Handoffs.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Bytes, sessions::Card};

/// The first of two steps: the server names the handoff, its end, and the keys to seal for.
///
/// Exactly one of the three recipients is given (SPEC T1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// One's session, pushed before.
    pub session_id: String,
    /// The recipient's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_email: Option<String>,
    /// The recipient's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_user_id: Option<String>,
    /// The receiving team's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_team_id: Option<String>,
    /// Lifetime in hours, at least 1; 168 when absent; clamped to the plan (SPEC T2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_hours: Option<u32>,
}

/// One person to seal for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecipientKey {
    /// `usr_…`
    pub user_id: String,
    /// Their verified address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their current signed key card.
    pub key_card: Bytes,
}

/// A handoff that may be created within 15 minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reservation {
    /// `hnd_…`: stands in the envelope.
    pub handoff_id: String,
    /// When the handoff will end, as granted; stands in the envelope. Unix milliseconds.
    pub not_after: i64,
    /// Whom to seal for.
    pub recipients: Vec<RecipientKey>,
    /// When this reservation ends, unix milliseconds.
    pub reserved_until: i64,
}

/// A person at either end of a handoff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Party {
    /// `usr_…`
    pub user_id: String,
    /// Their address.
    pub email: String,
    /// Their name.
    pub name: String,
}

/// Which side of a handoff one is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// One gave it.
    Sender,
    /// One is given it.
    Recipient,
    /// One handed it to one's own address.
    Both,
}

/// A handoff, as its parties see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Handoff {
    /// `hnd_…`
    pub handoff_id: String,
    /// `pending`, `claimed`, `revoked`, `declined` or `expired`.
    pub status: String,
    /// One's own side.
    pub role: Role,
    /// Who gives it.
    pub sender: Party,
    /// Who is given it.
    pub recipient: Party,
    /// The sender's session.
    pub session_id: String,
    /// The session's public description, as signed by the sender.
    pub card: Card,
    /// The sender's message.
    pub message: String,
    /// When it was created, unix milliseconds.
    pub created_at: i64,
    /// When it ends by itself, unix milliseconds.
    pub expires_at: i64,
    /// When a recipient first looked, unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewed_at: Option<i64>,
    /// When it reached its final state, unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<i64>,
    /// The claimer's new session; shown to the claimer only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_session_id: Option<String>,
}

/// Which handoffs to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandoffBox {
    /// Given to oneself.
    Inbox,
    /// Given by oneself.
    Sent,
}

/// Which page of handoffs to list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListHandoffs {
    /// Given to oneself, or by oneself.
    #[serde(rename = "box")]
    pub which: HandoffBox,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many entries, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// One page of handoffs, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Handoffs {
    /// The page.
    pub handoffs: Vec<Handoff>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Claims a handoff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// K("claim"): shows that the claimer can open what they claim.
    pub claim_proof: Bytes,
}

/// A claim that was won; repeating it gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Claimed {
    /// `hnd_…`
    pub handoff_id: String,
    /// `ses_…`: the claimer's new session.
    pub session_id: String,
    /// `bdl_…`: the bundle to open.
    pub bundle_id: String,
}
