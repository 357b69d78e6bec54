//! Sessions that another device holds: `moved/<ses_…>.json`. They are not resumed, pushed or handed over here until they are taken
//! back or forked (SPEC D12).

use segue_crypto::pairing::ReturnOpener;
use segue_domain::{PairingId, Timestamp, limits};
use segue_formats::Handed;
use serde::{Deserialize, Serialize};

use super::{arrived::Arrival, notes};
use crate::{
    base64url,
    commands::day,
    error::{CliError, Exit, Result},
    home::{self, Home},
    library::Native,
    untrusted::Untrusted,
};

/// Code of the error that a note makes no sense.
pub const DAMAGED: &str = "record_damaged";

/// A session that was moved to another device.
#[derive(Clone, Serialize, Deserialize)]
pub struct Moved {
    /// Version of this file.
    v: u32,
    /// By which pairing.
    pub pairing_id: String,
    /// `ses_…`
    pub session_id: String,
    /// Where it lies here.
    pub native: Native,
    /// What the other device calls itself. Text from outside.
    pub holder: String,
    /// When it was moved.
    pub at: i64,
    /// What it was then.
    pub handed: Handed,
    /// What opens that which comes back, for a day; base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    return_key: Option<String>,
    /// Whether the other device let it go again, as the server says: it is held until a person takes it back all the same.
    #[serde(default)]
    pub not_taken: bool,
}

impl Moved {
    /// A session that is being moved now.
    pub fn new(
        pairing: PairingId,
        session_id: &str,
        native: Native,
        holder: &str,
        handed: Handed,
        now: Timestamp,
    ) -> Self {
        Self {
            v: 1,
            pairing_id: pairing.to_string(),
            session_id: session_id.to_owned(),
            native,
            holder: holder.to_owned(),
            at: now.as_millis(),
            handed,
            return_key: None,
            not_taken: false,
        }
    }

    /// The pairing.
    pub fn pairing(&self) -> Result<PairingId> {
        self.pairing_id.parse().map_err(|_| {
            let text = format!("the note that {} was moved is damaged", self.session_id);
            CliError::new(Exit::Error, DAMAGED, text)
                .hint(format!("To go on here without it: segue device fork {}", self.session_id))
        })
    }

    /// Keeps what opens that which comes back.
    pub fn keep_return(&mut self, opener: &ReturnOpener) {
        self.return_key = Some(base64url::encode(&*opener.expose()));
    }

    /// What opens that which comes back, within a day.
    pub fn opener(&self, now: Timestamp) -> Option<ReturnOpener> {
        let key = self.return_key.as_ref().filter(|_| self.may_come_back(now))?;
        base64url::fixed(key).map(|bytes| ReturnOpener::from_bytes(&bytes))
    }

    fn may_come_back(&self, now: Timestamp) -> bool {
        now < Timestamp::from_millis(self.at).plus_hours(limits::PAIRING_TOMBSTONE_HOURS)
    }

    /// Stores it; on return it is on disk.
    pub fn save(&self, home: &Home) -> Result<()> {
        home::create_dir(&home.path("moved"))?;
        home::write_json(&home.path(&format!("moved/{}.json", self.session_id)), self)
    }

    /// Notes that the other device let it go again, unless somebody took it back meanwhile.
    pub fn note_not_taken(&self, home: &Home) -> Result<()> {
        match Self::find(home, &self.session_id)? {
            Some(noted) if noted.pairing_id == self.pairing_id => Self { not_taken: true, ..noted }.save(home),
            _ => Ok(()),
        }
    }

    /// Whether another device holds a session.
    pub fn find(home: &Home, session_id: &str) -> Result<Option<Self>> {
        home::read_json(&home.path(&format!("moved/{session_id}.json")))
    }

    /// All that can be read, newest first. After a day nothing comes back, and no key is kept.
    pub fn all(home: &Home, now: Timestamp) -> Result<Vec<Self>> {
        let mut all: Vec<Self> = notes::readable(home, "moved").collect();
        for moved in &mut all {
            if moved.return_key.is_some() && !moved.may_come_back(now) {
                moved.return_key = None;
                moved.save(home)?;
            }
        }
        all.sort_by_key(|moved| std::cmp::Reverse(moved.at));
        Ok(all)
    }

    /// The session is this machine's again.
    pub fn forget(&self, home: &Home) -> Result<()> {
        home::remove(&home.path(&format!("moved/{}.json", self.session_id)))
    }
}

/// Refuses what would continue a session that another device holds, or that was given back to it.
///
/// # Errors
/// Conflict (exit 5), naming the holder.
pub fn check(home: &Home, session_id: &str) -> Result<()> {
    let Some(moved) = Moved::find(home, session_id)? else { return check_returned(home, session_id) };
    let holder = Untrusted(&moved.holder).short(60);
    let text = if moved.not_taken {
        format!("{session_id} was moved to “{holder}” on {}, which did not take it over", day(moved.at))
    } else {
        format!("{session_id} continues on “{holder}” since {}", day(moved.at))
    };
    Err(CliError::new(Exit::Conflict, "held", text).hint(format!(
        "Take it back: segue device take-back {session_id}. To go on here beside it: segue device fork {session_id}"
    )))
}

fn check_returned(home: &Home, session_id: &str) -> Result<()> {
    let Some(arrival) = Arrival::find(home, session_id)? else { return Ok(()) };
    let Some(at) = arrival.returned_at else { return Ok(()) };
    let source = Untrusted(&arrival.source).short(60);
    let text = format!("{session_id} was given back to “{source}” on {}", day(at));
    let hint = if arrival.sent { String::new() } else { format!("Send it: segue device return {session_id}. ") };
    Err(CliError::new(Exit::Conflict, "held", text)
        .hint(format!("{hint}To go on here beside it: segue device fork {session_id}")))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use segue_crypto::pairing::RETURN_KEY_BYTES;
    use segue_formats::active_view::HeadHash;

    use super::*;

    #[test]
    fn after_a_day_no_key_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::at(root.path());
        let native = Native { id: String::new(), path: PathBuf::new(), cwd: PathBuf::new() };
        let handed = Handed { len: 0, count: 0, head_hash: HeadHash([0; 32]) };
        let begin = Timestamp::from_millis(1_000);
        let mut moved = Moved::new(PairingId::from_bytes([1; 16]), "ses_x", native, "phone", handed, begin);
        moved.keep_return(&ReturnOpener::from_bytes(&[7; RETURN_KEY_BYTES]));
        moved.save(&home).unwrap();
        let end = begin.plus_hours(limits::PAIRING_TOMBSTONE_HOURS);
        Moved::all(&home, end.plus_millis(-1)).unwrap();
        assert!(Moved::find(&home, "ses_x").unwrap().unwrap().return_key.is_some());
        Moved::all(&home, end).unwrap();
        assert!(Moved::find(&home, "ses_x").unwrap().unwrap().return_key.is_none());
    }
}
