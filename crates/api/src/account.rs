//! Joining, and one's own account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Bytes;

/// What an invite lets one do; answered to its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// The id that the new account will have; it stands in the key card.
    pub user_id: String,
    /// The invited address; absent on the owner link, where the owner names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether joining makes an owner.
    pub owner: bool,
    /// Who invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<String>,
    /// When the invite ends, unix milliseconds.
    pub expires_at: i64,
}

/// Presents an invite's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenInvite {
    /// The token from the link's fragment.
    pub token: Bytes,
}

/// Joins with an invite. Keys and tokens are made on the device; the server gets public halves and hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The token from the link's fragment.
    pub token: Bytes,
    /// One's address; must equal the invite's when that names one.
    pub email: String,
    /// One's name, at most 100 characters.
    pub name: String,
    /// The signed key card: first of its chain, for the invite's `user_id`, with exactly this device.
    pub key_card: Bytes,
    /// This device's name, at most 100 characters.
    pub device_name: String,
    /// SHA-256 of the device token, which the device drew.
    pub device_token_hash: Bytes,
    /// The user root, sealed under the recovery code.
    pub recovery_root: Bytes,
    /// SHA-256 of the recovery code's proof.
    pub recovery_auth_hash: Bytes,
}

/// One's own account, as seen by the device that asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// `usr_…`
    pub user_id: String,
    /// `dev_…`: the device that asks; absent when a token asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// One's address.
    pub email: String,
    /// Whether the address counts: handoffs to it reach this account.
    pub email_verified: bool,
    /// One's name.
    pub name: String,
    /// Whether one may vouch and administer.
    pub owner: bool,
    /// `free`, `pro`, `team` or `enterprise`.
    pub plan: String,
    /// Sealed bytes kept.
    pub storage_used: i64,
    /// Sealed bytes that the plan allows.
    pub storage_max: i64,
    /// The current signed key card.
    pub key_card: Bytes,
}

/// Asks for a link to sign up with, by mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// One's address.
    pub email: String,
}

/// Asks for a code that verifies one's address, by mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskCode {}

/// The code that was mailed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmCode {
    /// Ten symbols; case, blanks and hyphens do not count.
    pub code: String,
}

/// A mail is on its way, unless it was asked for too often or, at a sign-up, the address may not sign up: the answer is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mailed {
    /// To which address.
    pub email: String,
}

/// What the server says of itself to anybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Server {
    /// The server's version.
    pub version: String,
    /// Versions of the protocol it speaks.
    pub protocols: Vec<u32>,
    /// Its clock, unix milliseconds: `doctor` compares it.
    pub now: i64,
    /// Its own 16 bytes, which stand in every key of a pairing.
    pub server_id: Bytes,
    /// Longest lifetime of a pairing code, in seconds.
    pub pairing_seconds: u32,
}
