//! Chats that came from another device: `arrived/<ses_…>.json`, and what it takes to give one back within a day. One that was
//! given back is not resumed, pushed or handed over here until it is forked (SPEC D12, D15).

use segue_crypto::pairing::ReturnSealer;
use segue_domain::{PairingId, Timestamp, limits};
use segue_formats::active_view::{ActiveView, Draft, HeadHash, Pointer};
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::notes;
use crate::{
    account::Account,
    base64url,
    error::{CliError, Exit, Result},
    home::{self, Home},
    remote::Remote,
};

/// The way back to who gave a chat.
pub struct WayBack {
    /// The relay.
    pub server: Url,
    /// What this device is known by there.
    pub token: Zeroizing<[u8; 32]>,
    /// Seals what is given back.
    pub sealer: ReturnSealer,
}

/// A chat that came from another device.
#[derive(Clone, Serialize, Deserialize)]
pub struct Arrival {
    /// Version of this file.
    v: u32,
    /// By which pairing.
    pub pairing_id: String,
    /// `ses_…` here.
    pub session_id: String,
    /// Where the relay is.
    server: Url,
    /// What the other device calls itself. Text from outside.
    pub source: String,
    /// Whether it is one of the same account.
    pub own: bool,
    /// When it came.
    pub at: i64,
    /// How many messages it had.
    pub count: u64,
    /// Its head hash then.
    pub head_hash: HeadHash,
    /// Where one was in it.
    pub pointer: Pointer,
    /// What was being written.
    pub draft: Option<Draft>,
    /// What this device is known by at the relay, for a day; base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// What seals the return, until it has sealed it; base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    return_key: Option<String>,
    /// What was sealed: a repeat sends the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    /// When it was given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_at: Option<i64>,
    /// Whether the relay has it.
    #[serde(default)]
    pub sent: bool,
}

impl Arrival {
    /// A chat that comes now.
    pub fn new(id: PairingId, session_id: &str, view: &ActiveView, own: bool, way: &WayBack, now: Timestamp) -> Self {
        Self {
            v: 1,
            pairing_id: id.to_string(),
            session_id: session_id.to_owned(),
            server: way.server.clone(),
            source: view.source.name.clone(),
            own,
            at: now.as_millis(),
            count: view.chat.count,
            head_hash: view.chat.head_hash,
            pointer: view.pointer.clone(),
            draft: view.draft.clone(),
            token: Some(base64url::encode(way.token.as_slice())),
            return_key: Some(base64url::encode(way.sealer.expose().as_slice())),
            sealed: None,
            returned_at: None,
            sent: false,
        }
    }

    /// The pairing.
    pub fn pairing(&self) -> Result<PairingId> {
        self.pairing_id.parse().map_err(|_| self.damaged())
    }

    fn damaged(&self) -> CliError {
        CliError::new(Exit::Error, "record_damaged", format!("the note where {} came from is damaged", self.session_id))
    }

    /// The way to the relay; none when it is too late.
    pub fn remote(&self, account: Option<&Account>) -> Result<Option<Remote>> {
        let Some(token) = &self.token else { return Ok(None) };
        let token = base64url::fixed(token).ok_or_else(|| self.damaged())?;
        Remote::destination(&self.server, account, &token).map(Some)
    }

    /// Seals what is given back, once: from here on there are only these bytes. Stored on return.
    pub fn seal(&mut self, home: &Home, content: &[u8], now: Timestamp) -> Result<()> {
        let key = self.return_key.take().ok_or_else(|| self.damaged())?;
        let key = base64url::fixed(&key).ok_or_else(|| self.damaged())?;
        let class = ReturnSealer::class_of(content).map_err(|error| too_long(&error))?;
        let sealed = ReturnSealer::from_bytes(&key).seal(class, content).map_err(|error| too_long(&error))?;
        self.sealed = Some(base64url::encode(&sealed));
        self.returned_at = Some(now.as_millis());
        self.save(home)
    }

    /// What was sealed.
    pub fn sealed(&self) -> Result<Option<Vec<u8>>> {
        self.sealed.as_deref().map(|sealed| base64url::bytes(sealed).ok_or_else(|| self.damaged())).transpose()
    }

    /// The other device takes nothing back any more: the chat stays here.
    pub fn keep_here(&mut self, home: &Home) -> Result<()> {
        (self.token, self.return_key, self.sealed, self.returned_at) = (None, None, None, None);
        self.save(home)
    }

    /// The other device took the chat back while it came: what came of it stays, as after a return.
    pub fn taken_back(&mut self, home: &Home, now: Timestamp) -> Result<()> {
        (self.token, self.return_key, self.sealed) = (None, None, None);
        (self.returned_at, self.sent) = (Some(now.as_millis()), true);
        self.save(home)
    }

    /// Stores it, for this user only; on return it is on disk.
    pub fn save(&self, home: &Home) -> Result<()> {
        home::create_dir(&home.path("arrived"))?;
        home::write_json(&home.path(&format!("arrived/{}.json", self.session_id)), self)
    }

    /// Where a session came from.
    pub fn find(home: &Home, session_id: &str) -> Result<Option<Self>> {
        home::read_json(&home.path(&format!("arrived/{session_id}.json")))
    }

    /// All that can be read, newest first. After a day nothing can be given back, and no key is kept.
    pub fn all(home: &Home, now: Timestamp) -> Result<Vec<Self>> {
        let mut all: Vec<Self> = notes::readable(home, "arrived").collect();
        for arrival in &mut all {
            let until = Timestamp::from_millis(arrival.at).plus_hours(limits::PAIRING_TOMBSTONE_HOURS);
            if now >= until && arrival.token.is_some() {
                (arrival.token, arrival.return_key, arrival.sealed) = (None, None, None);
                arrival.save(home)?;
            }
        }
        all.sort_by_key(|arrival| std::cmp::Reverse(arrival.at));
        Ok(all)
    }

    /// The session goes on here as one of its own.
    pub fn forget(&self, home: &Home) -> Result<()> {
        home::remove(&home.path(&format!("arrived/{}.json", self.session_id)))
    }
}

/// More than fits into what can be given back.
pub fn too_long(error: &dyn std::fmt::Display) -> CliError {
    CliError::new(Exit::Error, "too_long", format!("more was said here than can be given back: {error}")).hint(
        "It stays here. To move all of it, hand it over from an account: segue join, then segue handoff SESSION --to ADDRESS",
    )
}
