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

/// Whom a reserved handoff is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReservedFor {
    /// A person: seal for their key.
    User(RecipientKey),
    /// A team: seal for the key of its newest roster, which the sender reads and verifies.
    Team {
        /// `team_…`
        team_id: String,
    },
    /// An address whose person has not joined: seal for an invite key (SPEC T19).
    Address {
        /// As it was given.
        email: String,
    },
}

/// A handoff that may be created within 15 minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reservation {
    /// `hnd_…`: stands in the envelope.
    pub handoff_id: String,
    /// When the handoff will end, as granted; stands in the envelope. Unix milliseconds.
    pub not_after: i64,
    /// Whom to seal for.
    pub recipient: ReservedFor,
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

/// To whom a handoff goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Recipient {
    /// A person.
    User(Party),
    /// A team: whoever of it claims first.
    Team {
        /// `team_…`
        team_id: String,
        /// Its name.
        name: String,
    },
    /// Whoever verifies this address (SPEC T19).
    Address {
        /// As it was given.
        email: String,
    },
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
    pub recipient: Recipient,
    /// The sender's session.
    pub session_id: String,
    /// The session's public description, as signed by the sender.
    pub card: Card,
    /// The sender's message.
    pub message: String,
    /// The ticket that the session is work on, `tkt_…`; absent, with what follows, for whom the message is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The persona that it works as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    /// Records that go with it, `kind:ref_id` each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<String>,
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
    /// Why it was revoked or declined, if somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who claimed it; shown to its sender and its claimer only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<Party>,
    /// The claimer's new session; shown to the claimer only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_session_id: Option<String>,
    /// Whether its key was not locked yet for the person with the address: they need the claim link, or wait for the sender's
    /// device (SPEC T19).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits_key: bool,
    /// What its claimer proves about their key card by the secret of the claim link; for its sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite_proof: Option<Bytes>,
    /// The newest event of its log, which a client remembers (SPEC T11); absent for those who may not read the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_head: Option<LogHead>,
}

/// The newest event of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogHead {
    /// Its number.
    pub seq: i64,
    /// Its hash, which stands for all that came before.
    pub hash: Bytes,
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
    /// The claimer's own wrap, which takes the place of the handoff's in the same moment: whatever happens to the claimer or their
    /// team afterwards, they can open what is theirs. Without it, it comes by `PUT /api/v1/bundles/{id}/own-wrap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_wrap: Option<Bytes>,
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
    /// What the handoff refers to and the claimer is not given, each with its reason (SPEC T15).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Dropped>,
    /// The ticket and persona that the claimer is given, if there are any (SPEC T16).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_ticket: Option<ActiveTicket>,
}

/// A ticket, persona or attachment that a claimer is not given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dropped {
    /// `ticket`, `persona`, `kb_entry` or `wiki_page`, or what it says in their place.
    pub kind: String,
    /// What it is called.
    pub ref_id: String,
    /// Why.
    pub reason: DroppedBecause,
}

/// Why a claimer is not given something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DroppedBecause {
    /// The claimer is not a member of the project.
    NotAccessible,
    /// It was deleted after the handoff was created.
    Deleted,
    /// The server knows no such kind of record.
    UnknownKind,
}

/// What the next session of a project is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActiveTicket {
    /// `prj_…`
    pub project_id: String,
    /// What the project is called.
    pub project_name: String,
    /// The project's git remote as `host/path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_remote: Option<String>,
    /// `tkt_…`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<String>,
    /// The ticket's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_title: Option<String>,
    /// The persona's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
}

/// Takes a handoff back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Why, 1 to 500 characters.
    pub reason: String,
}

/// Refuses a handoff.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decline {
    /// Why, at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Writes to the other party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewComment {
    /// What, 1 to 10 000 characters that are not all blank.
    pub body: String,
}

/// What a party wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Comment {
    /// `hcm_…`
    pub comment_id: String,
    /// Number of the event that says that it was written.
    pub seq: i64,
    /// Who wrote it.
    pub author: Party,
    /// What.
    pub body: String,
    /// When, unix milliseconds.
    pub at: i64,
}

/// Which page of comments or events, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListEntries {
    /// `next` of the page before, or the number of the last entry that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many entries, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// One page of comments, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Comments {
    /// The page.
    pub comments: Vec<Comment>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Something that happened to a handoff, as its audit log has it (`docs/protocol.md` §5, Audit chain).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number, from 1.
    pub seq: i64,
    /// `created`, `viewed`, `claimed`, `revoked`, `declined`, `member_declined`, `commented`, `expired`,
    /// `attachment_dropped` or `key_wrapped`.
    pub kind: String,
    /// Who caused it: a person's id, or `server`.
    pub actor: String,
    /// `user`, `token` or `server`.
    pub actor_type: String,
    /// The person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    /// When, unix milliseconds.
    pub at: i64,
    /// More about it: a JSON object, byte for byte as it was hashed.
    pub payload: String,
    /// The hash of the event before; absent on the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Bytes>,
    /// SHA-256 over all of it.
    pub hash: Bytes,
}

/// One page of events, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// The page.
    pub events: Vec<Event>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Locks a handoff's key for who joined after it was sealed for an invite (SPEC T19).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LateWrap {
    /// The wrap, of kind `user`.
    pub wrap: Bytes,
}

/// Shows a handoff's sender which key card is the claimer's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteProof {
    /// HMAC-SHA256, 32 bytes (`docs/protocol.md` §3, Claim link).
    pub proof: Bytes,
}
