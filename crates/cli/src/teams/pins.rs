//! What is remembered of each team: its first roster, how far its chain was followed, and the public keys of its epochs.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use segue_crypto::fingerprint::team_fingerprint;
use segue_domain::TeamId;
use segue_signed::Roster;
use serde::{Deserialize, Serialize};

use crate::{
    error::{CliError, Result},
    home::{self, Home},
};

const FILE: &str = "teams.json";

/// The teams that were met.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Book {
    v: u32,
    /// By id.
    pub(super) teams: BTreeMap<String, Pin>,
}

/// One team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pin {
    /// What it was called last.
    pub(super) name: String,
    /// SHA-256 of its first roster.
    pub(super) first_hash: String,
    /// The highest version that was seen.
    pub(super) version: u32,
    /// SHA-256 of that roster.
    pub(super) hash: String,
    /// Public team keys by epoch.
    pub(super) keys: BTreeMap<u32, String>,
    /// Whether its fingerprint was compared.
    pub(super) trusted: bool,
}

impl Book {
    /// All of them.
    pub(super) fn load(home: &Home) -> Result<Self> {
        Ok(home::read_json(&home.path(FILE))?.unwrap_or(Self { v: 1, teams: BTreeMap::new() }))
    }

    fn save(&self, home: &Home) -> Result<()> {
        home::write_json(&home.path(FILE), self)
    }
}

impl Pin {
    /// A team that begins with `first`.
    pub(super) fn begin(first: &Roster, name: &str) -> Self {
        let mut pin = Self {
            name: name.to_owned(),
            first_hash: HEXLOWER.encode(&first.hash()),
            version: 0,
            hash: String::new(),
            keys: BTreeMap::new(),
            trusted: false,
        };
        pin.advance(first);
        pin
    }

    /// Goes on to a roster that follows.
    pub(super) fn advance(&mut self, roster: &Roster) {
        self.version = roster.version;
        self.hash = HEXLOWER.encode(&roster.hash());
        self.keys.insert(roster.epoch, HEXLOWER.encode(&roster.team_key));
    }

    /// Whether this is the roster that was seen last.
    pub(super) fn is_at(&self, roster: &Roster) -> bool {
        self.version == roster.version && self.hash == HEXLOWER.encode(&roster.hash())
    }

    /// The public team key of an epoch, if there was one.
    pub(super) fn key(&self, epoch: u32) -> Option<[u8; 32]> {
        HEXLOWER.decode(self.keys.get(&epoch)?.as_bytes()).ok()?.try_into().ok()
    }

    /// The team's fingerprint.
    pub(super) fn fingerprint(&self) -> Result<String> {
        let hash = HEXLOWER.decode(self.first_hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
        Ok(team_fingerprint(&hash.ok_or_else(damaged)?))
    }
}

fn damaged() -> CliError {
    CliError::new(crate::error::Exit::Error, "file", "teams.json is damaged")
        .hint("Restore it from a backup; move it away only if you can compare your teams' fingerprints anew.")
}

/// Remembers a team. A pin never goes back: another command may have followed the chain further meanwhile.
pub(super) fn remember(home: &Home, id: TeamId, mut pin: Pin) -> Result<()> {
    let _lock = home.lock()?;
    let mut book = Book::load(home)?;
    if let Some(known) = book.teams.get(&id.to_string()) {
        if known.first_hash != pin.first_hash || (known.version == pin.version && known.hash != pin.hash) {
            return Err(super::forked());
        }
        let trusted = known.trusted || pin.trusted;
        if known.version > pin.version {
            pin = known.clone();
        }
        pin.trusted = trusted;
        if *known == pin {
            return Ok(());
        }
    }
    book.teams.insert(id.to_string(), pin);
    book.save(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(version: u32, epoch: u32, key: u8) -> Roster {
        Roster { team_id: [1; 16], version, previous: None, epoch, team_key: [key; 32], members: Vec::new() }
    }

    #[test]
    fn a_pin_never_goes_back_nor_aside() {
        let root = tempfile::tempdir().unwrap();
        let (home, id) = (Home::at(root.path()), TeamId::from_bytes([1; 16]));
        let old = Pin::begin(&roster(1, 1, 7), "Parsers");
        let mut new = old.clone();
        new.advance(&roster(2, 2, 8));
        remember(&home, id, new.clone()).unwrap();
        remember(&home, id, Pin { trusted: true, ..old.clone() }).unwrap();
        let kept = Book::load(&home).unwrap().teams.remove(&id.to_string()).unwrap();
        assert_eq!(kept, Pin { trusted: true, ..new.clone() }, "an older one takes nothing back");
        assert_eq!((kept.key(1), kept.key(2), kept.key(3)), (Some([7; 32]), Some([8; 32]), None));
        let mut fork = old;
        fork.advance(&roster(2, 2, 9));
        assert!(remember(&home, id, fork).is_err());
        let mut other_beginning = Pin::begin(&roster(1, 1, 9), "Parsers");
        other_beginning.advance(&roster(3, 2, 9));
        assert!(remember(&home, id, other_beginning).is_err());
        assert!(kept.is_at(&roster(2, 2, 8)) && !kept.is_at(&roster(2, 2, 9)) && !kept.is_at(&roster(1, 1, 7)));
    }
}
