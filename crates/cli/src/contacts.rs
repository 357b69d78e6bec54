//! People one has met: address → account → identity key, pinned on first use (`docs/protocol.md` §Keys).
//!
//! The server says which account an address belongs to; from the second time on, it cannot change its mind unnoticed.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use segue_crypto::fingerprint::fingerprint;
use segue_signed::{KeyCard, SignedKeyCard};
use serde::{Deserialize, Serialize};

use crate::{
    error::{CliError, Result},
    home::{self, Home},
    output::Output,
    untrusted::Untrusted,
};

const FILE: &str = "contacts.json";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Book {
    v: u32,
    /// By lower-case address.
    contacts: BTreeMap<String, Pin>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pin {
    user_id: String,
    identity_key: String,
    seq: u32,
    card_hash: String,
}

impl Book {
    fn load(home: &Home) -> Result<Self> {
        Ok(home::read_json(&home.path(FILE))?.unwrap_or(Self { v: 1, contacts: BTreeMap::new() }))
    }
}

impl Pin {
    fn of(card: &KeyCard) -> Self {
        Self {
            user_id: card.user_id.clone(),
            identity_key: HEXLOWER.encode(&card.identity_key),
            seq: card.seq,
            card_hash: HEXLOWER.encode(&card.hash()),
        }
    }
}

/// A key card that verifies and contradicts nothing that is pinned. Nothing is stored before [`Acquaintance::pin`].
#[must_use = "pin it once everything else about it was verified"]
pub struct Acquaintance {
    email: String,
    pin: Pin,
    fingerprint: String,
}

/// Verifies a key card and compares it with what is known of `email` and of its account.
///
/// # Errors
/// Verification (exit 9) when the signature does not hold, when the address or the account now belongs to another
/// identity key, or when the card is older than, or a fork of, one seen before.
pub fn check(home: &Home, email: &str, card: &SignedKeyCard) -> Result<Acquaintance> {
    let verified = card.verify_alone().map_err(|error| {
        CliError::verification(format!("the key card of {} does not verify: {error}", Untrusted(email)))
            .hint("Nothing was sent or opened. The server, or something on the way, serves a key that is not theirs.")
    })?;
    let acquaintance = Acquaintance {
        email: email.to_lowercase(),
        pin: Pin::of(verified),
        fingerprint: fingerprint(&verified.user_id, &verified.identity_key),
    };
    acquaintance.compare(&Book::load(home)?)?;
    Ok(acquaintance)
}

/// Whether one has met who has this address.
pub fn is_known(home: &Home, email: &str) -> Result<bool> {
    Ok(Book::load(home)?.contacts.contains_key(&email.to_lowercase()))
}

impl Acquaintance {
    fn compare(&self, book: &Book) -> Result<()> {
        if let Some(known) = book.contacts.get(&self.email) {
            continues(known, &self.pin, &self.email)?;
        }
        // The same account under another address must be the same identity.
        for known in book.contacts.values().filter(|known| known.user_id == self.pin.user_id) {
            continues(known, &self.pin, &self.email)?;
        }
        Ok(())
    }

    /// Remembers the contact; shows the fingerprint on first contact.
    pub fn pin(self, home: &Home, output: &Output) -> Result<()> {
        let _lock = home.lock()?;
        let mut book = Book::load(home)?;
        // Again, behind the lock: another command may have met them meanwhile.
        self.compare(&book)?;
        let known = book.contacts.insert(self.email.clone(), self.pin.clone());
        if known.as_ref() != Some(&self.pin) {
            home::write_json(&home.path(FILE), &book)?;
        }
        if known.is_none() {
            output.warn(format!("First contact with {}: fingerprint {}", Untrusted(&self.email), self.fingerprint));
        }
        Ok(())
    }
}

fn continues(known: &Pin, next: &Pin, email: &str) -> Result<()> {
    let who = Untrusted(email);
    if known.user_id != next.user_id || known.identity_key != next.identity_key {
        let changed = CliError::verification(format!("the identity key of {who} has changed"));
        return Err(changed.hint(
            "Nothing was sent or opened. Ask them, not by Segue, whether they joined anew. If they did, remove their \
             entry from contacts.json in the client's folder (segue doctor says where it is).",
        ));
    }
    if next.seq < known.seq || (next.seq == known.seq && next.card_hash != known.card_hash) {
        return Err(CliError::verification(format!("the server serves an old or forked key card of {who}"))
            .hint("Nothing was sent or opened. Tell whoever runs the server."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(user: &str, key: &str, seq: u32, hash: &str) -> Pin {
        Pin { user_id: user.into(), identity_key: key.into(), seq, card_hash: hash.into() }
    }

    #[test]
    fn a_pin_only_moves_forward_under_the_same_identity() {
        let known = pin("usr_a", "k", 2, "h2");
        assert!(continues(&known, &pin("usr_a", "k", 3, "h3"), "a@x").is_ok());
        for next in [
            pin("usr_a", "other", 3, "h3"),
            pin("usr_b", "k", 3, "h3"),
            pin("usr_a", "k", 1, "h1"),
            pin("usr_a", "k", 2, "fork"),
        ] {
            assert!(continues(&known, &next, "a@x").is_err(), "{next:?}");
        }
    }

    /// A card of `user` under the identity of `seed`.
    fn card(user: &str, seed: u8) -> SignedKeyCard {
        let keys = segue_crypto::UserRoot::from_bytes([seed; 32]).epoch(1);
        keys.identity.sign_card(KeyCard {
            user_id: user.into(),
            seq: 1,
            previous: None,
            identity_key: keys.identity.public(),
            encryption_key: keys.encryption.public(),
            epoch: 1,
            devices: Vec::new(),
            keyring_version: 0,
            keyring_hash: None,
            created_at: 0,
        })
    }

    #[test]
    fn who_is_known_is_compared_by_address_and_by_account() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::at(root.path());
        let contacts = [("ann@x".to_owned(), Pin::of(&card("usr_ann", 1).card))].into();
        home::write_json(&home.path(FILE), &Book { v: 1, contacts }).unwrap();
        let refused = |email: &str, user: &str, seed| check(&home, email, &card(user, seed)).is_err();
        assert!(
            !refused("Ann@x", "usr_ann", 1) && !refused("ann@new", "usr_ann", 1) && !refused("ben@x", "usr_ben", 2)
        );
        assert!(refused("Ann@x", "usr_ann", 2), "another identity key");
        assert!(refused("ann@x", "usr_ben", 2), "another account");
        assert!(refused("ann@new", "usr_ann", 2), "another identity key under another address");
        let mut forged = card("usr_ben", 2);
        forged.signature[0] ^= 1;
        assert!(check(&home, "ben@x", &forged).is_err());
    }
}
