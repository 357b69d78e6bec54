//! Live news: server-sent events.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Header that says which news are known, so that the stream goes on after them.
pub const LAST_EVENT_ID: &str = "last-event-id";
/// The first event of every stream: its `id` is where the stream begins.
pub const BEGIN: &str = "begin";
/// The event that says that some news are no longer kept: whoever reads it reads their lists again.
pub const RESET: &str = "reset";

/// Where to listen from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listen {
    /// The number of the last known news; `Last-Event-ID` counts more. From now on when neither is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
}

/// The `data` of one event. Its `event` is `kind`, its `id` a number of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct News {
    /// `hnd_…`; empty when it is about one's devices.
    pub handoff_id: String,
    /// `dev_…`, when it is about one's devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// What happened, a word of the audit log or of `devices/changes`; a reader takes words that it does not know.
    pub kind: String,
    /// The number of the event in the handoff's audit log, or among the events of one's devices.
    pub event_seq: i64,
    /// When, unix milliseconds.
    pub at: i64,
}
