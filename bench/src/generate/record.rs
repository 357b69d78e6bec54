//! One line of a transcript: what every record has, and the chain from each to the one before.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::random::Random;

/// The version whose records these are shaped after; see `crates/formats/fixtures`.
const VERSION: &str = "2.1.197";
/// Monday, 2026-01-05, 09:00 UTC: when every generated session begins, in ms since 1970.
const BEGIN_MS: i64 = 1_767_603_600_000;

/// What all records of a session share.
pub(super) struct Identity {
    pub(super) session_id: String,
    pub(super) cwd: String,
}

/// The end of the session so far.
pub(super) struct Chain {
    identity: Identity,
    last: Option<String>,
    at_ms: i64,
}

impl Chain {
    /// Before the first record.
    pub(super) fn begin(identity: Identity) -> Self {
        Self { identity, last: None, at_ms: BEGIN_MS }
    }

    /// After this record.
    pub(super) fn resume(last: &Value) -> Result<Self> {
        let text = |field: &str| last[field].as_str().map(str::to_owned).with_context(|| format!("no {field}"));
        let at: Timestamp = text("timestamp")?.parse()?;
        Ok(Self {
            identity: Identity { session_id: text("sessionId")?, cwd: text("cwd")? },
            last: Some(text("uuid")?),
            at_ms: at.as_millisecond(),
        })
    }

    /// The path of a file of the project.
    pub(super) fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.identity.cwd)
    }

    /// The uuid of the last record, if there is one.
    pub(super) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    /// The next record as a line: `kind` is `user` or `assistant`, `own` is what only this record has.
    pub(super) fn line(&mut self, random: &mut Random, kind: &str, message: &Value, own: Value) -> String {
        self.at_ms += i64::try_from(random.within(40, 9_000)).unwrap_or_default();
        let at = Timestamp::from_millisecond(self.at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let uuid = random.uuid();
        let mut record = json!({ "parentUuid": self.last, "isSidechain": false });
        let shared = json!({
            "type": kind, "uuid": uuid, "timestamp": format!("{at:.3}"), "userType": "external", "entrypoint": "cli",
            "cwd": self.identity.cwd, "sessionId": self.identity.session_id, "version": VERSION, "gitBranch": "main",
        });
        for part in [json!({ "message": message }), own, shared] {
            if let (Value::Object(record), Value::Object(part)) = (&mut record, part) {
                record.extend(part);
            }
        }
        self.last = Some(uuid);
        format!("{record}\n")
    }
}
