//! Inviting people.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Bytes;

/// Invites somebody. Either the inviter's device draws the token and keeps it, and the server stores its hash; or the server
/// mails a link, which verifies the address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvite {
    /// Whom to invite.
    pub email: String,
    /// An owner's word that the address is that person's; an event records it (SPEC A2).
    pub vouch: bool,
    /// SHA-256 of the 32-byte token; without it, the server mails the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_hash: Option<Bytes>,
}

/// An invite that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invite {
    /// `inv_…`
    pub invite_id: String,
    /// Whom it invites.
    pub email: String,
    /// Whether an owner vouched for the address.
    pub vouched: bool,
    /// Whether the server mails the link.
    #[serde(default)]
    pub mailed: bool,
    /// When it ends, unix milliseconds.
    pub expires_at: i64,
}

/// Vouches for the address of somebody who has joined (owners only; an event records it). Exactly one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Vouch {
    /// Their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Their user id, where several have joined under one address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// Somebody who has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// `usr_…`
    pub user_id: String,
    /// Their address.
    pub email: String,
    /// Their name.
    pub name: String,
}
