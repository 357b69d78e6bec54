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

/// Whether a card was met before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// The first time: the fingerprint is worth comparing.
    First,
    /// The same identity as before.
    Again,
}

/// Verifies a key card and pins it to `email`; shows the fingerprint on first contact.
///
/// # Errors
/// Verification (exit 9) when the signature does not hold, when the address now belongs to another account or identity
/// key, or when the card is older than, or a fork of, one seen before.
pub fn meet(home: &Home, output: &Output, email: &str, card: &SignedKeyCard) -> Result<Met> {
    let verified = card.verify_alone().map_err(|error| {
        CliError::verification(format!("the key card of {} does not verify: {error}", Untrusted(email)))
            .hint("Nothing was sent or opened. The server, or something on the way, serves a key that is not theirs.")
    })?;
    let _lock = home.lock()?;
    let path = home.path(FILE);
    let mut book = home::read_json::<Book>(&path)?.unwrap_or(Book { v: 1, contacts: BTreeMap::new() });
    let key = email.to_lowercase();
    let pin = Pin::of(verified);
    let met = match book.contacts.get(&key) {
        Some(known) if *known == pin => return Ok(Met::Again),
        Some(known) => continues(known, &pin, email).map(|()| Met::Again)?,
        None => Met::First,
    };
    book.contacts.insert(key, pin);
    home::write_json(&path, &book)?;
    if met == Met::First {
        let shown = fingerprint(&verified.user_id, &verified.identity_key);
        output.notice(format!("First contact with {}: fingerprint {shown}", Untrusted(email)));
    }
    Ok(met)
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
}
