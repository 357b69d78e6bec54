//! Sealed bundles: what is uploaded and what is served again. All of it is opaque to the server but the envelope.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Bytes;

/// A snapshot that was stored as the newest state of its session. The request is a parcel (`docs/protocol.md` §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pushed {
    /// `ses_…`
    pub session_id: String,
    /// Position of that state in the session's chain.
    pub seq: i64,
}

/// What a reader needs to begin to open a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bundle {
    /// `bdl_…`
    pub bundle_id: String,
    /// The signed envelope.
    pub envelope: Bytes,
    /// The sealed preview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Bytes>,
    /// The bundle key, locked for the reader; absent once somebody else has claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrap: Option<Bytes>,
    /// The sender's current signed key card.
    pub sender_card: Bytes,
    /// The sender's address, as the server knows it.
    pub sender_email: String,
}

/// A pack that was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pack {
    /// `pck_…`
    pub pack_id: String,
    /// Bytes stored.
    pub len: i64,
    /// SHA-256 of them as the server read them, lower-case hexadecimal.
    pub sha256: String,
}

/// A claimer's own wrap, stored once so that the handoff's wraps can go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnWrap {
    /// The wrap.
    pub wrap: Bytes,
}
