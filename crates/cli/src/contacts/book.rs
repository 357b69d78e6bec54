//! `contacts.json`.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use segue_signed::KeyCard;
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    home::{self, Home},
};

pub(super) const FILE: &str = "contacts.json";

/// Everybody who was met.
#[derive(Debug, Serialize, Deserialize)]
pub struct Book {
    v: u32,
    /// By lower-case address.
    pub contacts: BTreeMap<String, Pin>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// `usr_…`
    pub user_id: String,
    /// The identity key, hexadecimal.
    pub identity_key: String,
    /// Position of the newest card that was seen.
    pub seq: u32,
    /// SHA-256 of that card, hexadecimal.
    pub card_hash: String,
    /// When they were met, unix milliseconds; unknown of those met before this was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<i64>,
    /// Whether their fingerprint was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// Another key that was shown since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
}

/// A comparison of fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// When, unix milliseconds.
    pub at: i64,
    /// On which of one's devices, `dev_…`.
    pub by_device: String,
}

/// Another key than the pinned one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Whether the pinned key signed it.
    pub signed_by_known: bool,
    /// When it was seen last, unix milliseconds.
    pub seen_at: i64,
}

impl Book {
    /// All of them.
    pub fn load(home: &Home) -> Result<Self> {
        Ok(home::read_json(&home.path(FILE))?.unwrap_or(Self { v: 1, contacts: BTreeMap::new() }))
    }

    /// Who has this address.
    pub fn find(&self, email: &str) -> Option<&Pin> {
        self.contacts.get(&email.to_lowercase())
    }

    /// The address under which somebody was met.
    pub fn address_of(&self, user_id: &str) -> Option<&str> {
        self.contacts.iter().find(|(_, pin)| pin.user_id == user_id).map(|(email, _)| email.as_str())
    }

    pub(super) fn save(&self, home: &Home) -> Result<()> {
        home::write_json(&home.path(FILE), self)
    }

    /// Pins the key of who has this address, wherever else they are known.
    pub(super) fn verify(&mut self, email: &str, card: &KeyCard, verified: &Verified) {
        let pin = self.contacts.entry(email.to_owned()).or_insert_with(|| Pin::of(card, verified.at));
        card.user_id.clone_into(&mut pin.user_id);
        for pin in self.contacts.values_mut().filter(|pin| pin.user_id == card.user_id) {
            pin.advance(card);
            pin.verified = Some(verified.clone());
        }
    }

    /// Notes another key of who has this address, or of this account.
    pub(super) fn note(&mut self, email: &str, user_id: &str, changed: &Changed) {
        for (_, pin) in self.contacts.iter_mut().filter(|(known, pin)| *known == email || pin.user_id == user_id) {
            pin.changed = Some(changed.clone());
        }
    }
}

impl Pin {
    pub(super) fn of(card: &KeyCard, now: i64) -> Self {
        Self {
            user_id: card.user_id.clone(),
            identity_key: HEXLOWER.encode(&card.identity_key),
            seq: card.seq,
            card_hash: HEXLOWER.encode(&card.hash()),
            first_seen: Some(now),
            verified: None,
            changed: None,
        }
    }

    /// Takes the key of a card.
    pub(super) fn advance(&mut self, card: &KeyCard) {
        let Self { identity_key, seq, card_hash, .. } = Self::of(card, 0);
        (self.identity_key, self.seq, self.card_hash, self.changed) = (identity_key, seq, card_hash, None);
    }

    /// The identity key; none when the file was changed by hand.
    pub fn key(&self) -> Option<[u8; 32]> {
        HEXLOWER.decode(self.identity_key.as_bytes()).ok()?.try_into().ok()
    }
}
