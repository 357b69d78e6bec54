//! Pairing two devices: what the relay takes and tells (`docs/protocol.md` §6). All bytes are opaque to it but the envelopes of
//! offer, answer and release.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Bytes;

/// Header with the 32 bytes that a destination drew, base64url: who takes a lease with it is known by it from then on.
pub const PAIRING_TOKEN: &str = "segue-pairing-token";
/// Header with the 32 bytes that came in the sealed view, base64url: reads the bundle of one pairing.
pub const FETCH_TOKEN: &str = "segue-fetch-token";
/// The event of a pairing's live stream: its data is a [`Pairing`].
pub const PAIRING: &str = "pairing";

/// Shows a code: the two offers say for which purpose, under which id, for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuePairing {
    /// 32 bytes that only this device computes for a chat: an offer of the same device with the same tag is superseded.
    pub chat_tag: Bytes,
    /// The offer for who types the code.
    pub code_offer: Bytes,
    /// The offer for who has the link.
    pub link_offer: Bytes,
}

/// Takes a lease: the header [`PAIRING_TOKEN`] names the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeasePairing {
    /// The first four symbols of the code.
    pub nameplate: String,
    /// What the code is for, as this screen says: `handoff` or `link`.
    pub purpose: String,
    /// How the secret came: `code` or `link`.
    pub method: String,
}

/// A lease: who has it may answer the offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Leased {
    /// `par_…`
    pub pairing_id: String,
    /// The server's own 16 bytes, which stand in every key of a pairing.
    pub server_id: Bytes,
    /// The offer of the method that was asked for.
    pub offer: Bytes,
    /// How long the lease lasts, in milliseconds.
    pub lease_ms: i64,
    /// How long the code lives, in milliseconds.
    pub expires_in_ms: i64,
}

/// A pairing, as far as it concerns who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pairing {
    /// `par_…`
    pub pairing_id: String,
    /// `handoff` or `link`.
    pub purpose: String,
    /// Counts its changes.
    pub version: i64,
    /// `issued`, `claimed`, `revoked` or `expired`.
    pub state: String,
    /// Why, beside every final state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Number of the offers that stand now, from 1.
    pub attempt: u8,
    /// How long it lives as things stand, in milliseconds; while it is issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<i64>,
    /// The server's own 16 bytes.
    pub server_id: Bytes,
    /// The first four symbols of the code; for the source's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nameplate: Option<String>,
    /// The device that shows the code; for the source's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// Whether a destination is entering the code; for the source's account.
    #[serde(default)]
    pub entering: bool,
    /// The answer that waits; for the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Bytes>,
    /// Whether one's own answer was refused; for the destination.
    #[serde(default)]
    pub refused: bool,
    /// What the source released; for the claimer, until it acknowledges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Bytes>,
    /// The sealed acknowledgement; for the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledgement: Option<Bytes>,
    /// Whether the bundle that follows the view is there.
    #[serde(default)]
    pub bundle_ready: bool,
    /// What the claimer sent back, sealed; for the source, until it was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Bytes>,
}

/// Answers an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerPairing {
    /// The answer.
    pub answer: Bytes,
}

/// Refuses the answer that waits: a wrong guess. Fresh offers stand from then on, unless it was the last guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseAnswer {
    /// Number of the offer that was answered.
    pub attempt: u8,
    /// The next offer for who types the code; absent with the last guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_offer: Option<Bytes>,
    /// The next offer for who has the link; absent with the last guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_offer: Option<Bytes>,
}

/// Releases the view to who answered: this claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseView {
    /// Number of the offer that was answered.
    pub attempt: u8,
    /// The release: the source's confirmation and the sealed view.
    pub release: Bytes,
    /// SHA-256 of the token that reads the bundle; with a bundle to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch_token_hash: Option<Bytes>,
}

/// Acknowledges the view, which is then deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeView {
    /// The sealed acknowledgement, 48 bytes.
    pub acknowledgement: Bytes,
}

/// Ends a pairing that nobody has claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokePairing {
    /// `user`, `not_approved` or `restarted`.
    pub reason: String,
}

/// Sends something back to the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnToSource {
    /// The sealed return, of one of three sizes.
    pub returned: Bytes,
}

/// Makes the claimer of a pairing that links a device of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkDevice {
    /// The next signed key card of the account, with exactly this device added.
    pub key_card: Bytes,
    /// This device's name, at most 100 characters.
    pub device_name: String,
    /// SHA-256 of the device token, which the device drew.
    pub device_token_hash: Bytes,
}

/// Nothing needs to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
