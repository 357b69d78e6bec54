//! One's devices: what they are, what happened to them, and removing one (SPEC A1, A3, A5).

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Bytes;

/// Header of every answer to a device: the number of the newest event of its account's devices. A device that knows fewer reads
/// `devices/changes`.
pub const DEVICE_EVENTS: &str = "x-segue-device-events";

/// A device was added by another one.
pub const ADDED: &str = "device_added";
/// A device was added with the recovery code.
pub const RECOVERED: &str = "device_recovered";
/// A device was removed, and all keys are new.
pub const REMOVED: &str = "device_removed";
/// A new recovery code was made.
pub const CODE_MADE: &str = "recovery_code_made";

/// One of one's devices. What it may do, and since when, stands in the signed key card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// `dev_…`
    pub device_id: String,
    /// What its owner calls it.
    pub name: String,
    /// `full` or `agent`.
    pub kind: String,
    /// Whether it is the one that asks.
    pub this: bool,
    /// When it was added, unix milliseconds.
    pub added_at: i64,
    /// When it was removed, unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<i64>,
}

/// The devices of the current key card, those included that were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Devices {
    /// Oldest first; at most 64.
    pub devices: Vec<Device>,
    /// The current signed key card.
    pub key_card: Bytes,
}

/// Which changes to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListChanges {
    /// Position of the newest key card that is known.
    pub card: u32,
    /// Number of the newest event that is known.
    pub event: i64,
}

/// The next key card of one's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextCard {
    /// The signed key card.
    pub key_card: Bytes,
    /// The root of the epoch that it begins, locked for the device that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_wrap: Option<Bytes>,
}

/// Something that happened to one's devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceEvent {
    /// Its number, from 1.
    pub seq: i64,
    /// `device_added`, `device_recovered`, `device_removed` or `recovery_code_made`; a reader takes words that it does not know.
    pub kind: String,
    /// `dev_…`: which device came or went.
    pub device_id: String,
    /// Its name.
    pub name: String,
    /// `dev_…`: which device did it.
    pub by_device: String,
    /// Its name.
    pub by_name: String,
    /// When, unix milliseconds.
    pub at: i64,
}

/// What a device missed, oldest first; whoever gets a full page asks again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// At most 20 key cards.
    pub cards: Vec<NextCard>,
    /// At most 100 events.
    pub events: Vec<DeviceEvent>,
    /// The sealed keyring that the newest key card names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<Bytes>,
}

/// Begins a new epoch without one or more devices. Repeated with the same key card it gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// The next signed key card: devices are revoked in it, and all keys are new.
    pub key_card: Bytes,
    /// The sealed keyring that it names.
    pub keyring: Bytes,
    /// The new root, locked for each full device that stays but the one that asks.
    pub root_wraps: Vec<Bytes>,
    /// The new root, sealed under a new recovery code.
    pub recovery_root: Bytes,
    /// SHA-256 of that code's proof.
    pub recovery_auth_hash: Bytes,
}

/// Takes another recovery code for the root of the current epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCode {
    /// The current epoch.
    pub epoch: u32,
    /// Its root, sealed under the new recovery code.
    pub recovery_root: Bytes,
    /// SHA-256 of that code's proof.
    pub recovery_auth_hash: Bytes,
}

/// Shows that one has an account's recovery code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenRecovery {
    /// The account's address.
    pub email: String,
    /// The recovery code's proof.
    pub auth: Bytes,
}

/// What the recovery code opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recovery {
    /// `usr_…`
    pub user_id: String,
    /// The account's address as it was written.
    pub email: String,
    /// The current signed key card.
    pub key_card: Bytes,
    /// The root of its epoch, sealed under the recovery code.
    pub recovery_root: Bytes,
    /// The sealed keyring that the card names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<Bytes>,
    /// Number of the newest event of the account's devices.
    pub device_events: i64,
}

/// Becomes a device of an account with its recovery code. Repeated with the same key card and token it gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recover {
    /// The account's address.
    pub email: String,
    /// The recovery code's proof.
    pub auth: Bytes,
    /// The next signed key card: with this device, and nothing else changed.
    pub key_card: Bytes,
    /// This device's name, at most 100 characters.
    pub device_name: String,
    /// SHA-256 of the device token, which the device drew.
    pub device_token_hash: Bytes,
}
