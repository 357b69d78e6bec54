//! Inviting people.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Bytes;

/// Invites somebody. The inviter's device draws the token and keeps it: the server stores its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvite {
    /// Whom to invite.
    pub email: String,
    /// An owner's word that the address is that person's; an event records it (SPEC A2).
    pub vouch: bool,
    /// SHA-256 of the 32-byte token.
    pub token_hash: Bytes,
}

/// An invite that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invite {
    /// `inv_…`
    pub invite_id: String,
    /// Whom it invites.
    pub email: String,
    /// Whether joining with it verifies the address.
    pub vouched: bool,
    /// When it ends, unix milliseconds.
    pub expires_at: i64,
}
