//! Personal access tokens, for CI and agents (SPEC A3).

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Bytes;

/// Begins every token's text, so that scanners for secrets recognise it; base64url of its 32 bytes follows.
pub const TOKEN_PREFIX: &str = "segue_pat_";

/// Makes a token. The device draws it and keeps it: the server stores its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is for, at most 100 characters.
    pub name: String,
    /// What it may be used for: `handoffs:read`, `handoffs:write`, `sessions:read`, `projects:read`, `projects:write`,
    /// `teams:read`.
    pub scopes: Vec<String>,
    /// When it ends by itself, in days, 1 to 366.
    pub expires_in_days: u32,
    /// SHA-256 of the 32-byte token.
    pub token_hash: Bytes,
}

/// One of one's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// `tok_…`
    pub token_id: String,
    /// What it is for.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// When it was made, unix milliseconds.
    pub created_at: i64,
    /// When it ends by itself, unix milliseconds.
    pub expires_at: i64,
    /// When it was revoked, unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<i64>,
}

/// Which page of tokens to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTokens {
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many entries, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// One page of tokens, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// The page.
    pub tokens: Vec<Token>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
