//! Errors: RFC 9457 problem documents with a stable `code`. Clients match on the code, never on the text.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong, in one stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No valid token.
    NotSignedIn,
    /// There is no such thing, or it is not yours: one answer for both (SPEC T14).
    NotFound,
    /// The path exists, this method does not.
    MethodNotAllowed,
    /// The body, a parameter or a header is not what the route takes.
    Invalid,
    /// A signed structure does not verify.
    Unverified,
    /// The handoff was claimed by somebody else.
    AlreadyClaimed,
    /// Another device is entering this code right now.
    Busy,
    /// The code did not match.
    CodeMismatch,
    /// The turn of this device to enter the code is over.
    LeaseLost,
    /// The code is for something else.
    OtherPurpose,
    /// The handoff was revoked by its sender.
    Revoked,
    /// The handoff was declined.
    Declined,
    /// The handoff, invite or reservation has expired.
    Expired,
    /// The claim proof does not open this bundle.
    WrongProof,
    /// The bundle is wrapped for a key that is no longer the recipient's.
    StaleKey,
    /// Another device pushed this session in the meantime.
    Diverged,
    /// Nobody with a verified address of that name has joined.
    RecipientNotJoined,
    /// A pack is missing, not yours, or not what the envelope says.
    PackUnusable,
    /// The same Idempotency-Key came with another request.
    IdempotencyKeyReused,
    /// A ticket, persona or attachment is not in the session's project, or was deleted there.
    NotInProject,
    /// The same id came with other content, or what is to be changed is no longer as it was.
    Conflict,
    /// The token is not for this.
    InsufficientScope,
    /// Only owners may do this.
    OwnerOnly,
    /// Only admins of the team may do this.
    TeamAdminOnly,
    /// People join this server by invite only.
    SignUpClosed,
    /// Nobody has verified the asker's address yet, so they may not hand over.
    AddressNotVerified,
    /// The plan does not include this.
    UpgradeRequired,
    /// The plan's storage is full.
    StorageFull,
    /// The body is larger than the route takes.
    TooLarge,
    /// Too many requests; `retry-after` says when to come back.
    RateLimited,
    /// The server is stopping or its database does not answer.
    Unavailable,
    /// The server failed; its log has the reason under `request_id`.
    Internal,
}

/// A problem document (RFC 9457), `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable word.
    pub code: Code,
    /// What failed, for a person.
    pub title: String,
    /// What to do next, for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Where the log has the reason; only with `internal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}
