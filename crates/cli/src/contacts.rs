//! People one has met: address → account → identity key, pinned on first use (`docs/protocol.md` §Keys).
//!
//! The server says which account an address belongs to; from the second time on, it cannot change its mind unnoticed. A changed key
//! blocks until a person has compared fingerprints: `Book::verify`.

mod book;

use data_encoding::HEXLOWER;
use segue_crypto::fingerprint::fingerprint;
use segue_signed::{KeyCard, SignedKeyCard, sig};

use self::book::Changed;
pub use self::book::{Book, Pin, Verified};
use crate::{
    environment::SystemClock,
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    untrusted::Untrusted,
};
use segue_domain::Clock as _;

/// A key card that verifies and contradicts nothing that is pinned. Nothing is stored before [`Acquaintance::pin`].
#[must_use = "pin it once everything else about it was verified"]
pub struct Acquaintance {
    email: String,
    pin: Pin,
    fingerprint: String,
}

/// How a key card contradicts what is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contradiction {
    /// Another identity key, which the pinned one has signed: a device was removed.
    Renewed,
    /// Another identity key or account, which nothing connects with the pinned one.
    Replaced,
    /// An older card than was seen, or another one of the same position.
    Older,
}

/// Verifies a key card and compares it with what is known of `email` and of its account. A changed key is noted.
///
/// # Errors
/// Verification (exit 9) when the signature does not hold, when the address or the account now belongs to another
/// identity key, or when the card is older than, or a fork of, one seen before.
pub fn check(home: &Home, email: &str, card: &SignedKeyCard) -> Result<Acquaintance> {
    let acquaintance = Acquaintance::of(email, card)?;
    let Some(contradiction) = acquaintance.compare(&Book::load(home)?, card) else { return Ok(acquaintance) };
    if contradiction != Contradiction::Older {
        acquaintance.note(home, contradiction)?;
    }
    Err(contradiction.error(&acquaintance.email))
}

/// Whether one has met who has this address.
pub fn is_known(home: &Home, email: &str) -> Result<bool> {
    Ok(Book::load(home)?.find(email).is_some())
}

/// Takes over one's own new identity key, which one need not compare with anybody. The caller has the folder's lock.
pub fn renew_own(home: &Home, card: &KeyCard) -> Result<()> {
    let mut book = Book::load(home)?;
    let mut changed = false;
    for pin in book.contacts.values_mut().filter(|pin| pin.user_id == card.user_id) {
        pin.advance(card);
        changed = true;
    }
    if changed { book.save(home) } else { Ok(()) }
}

/// Remembers that the fingerprint of who has this address was compared, and takes their key whatever was pinned before.
///
/// # Errors
/// Verification (exit 9) when the card does not verify or is older than one seen before.
pub fn verify(home: &Home, email: &str, card: &SignedKeyCard, by_device: &str) -> Result<()> {
    let acquaintance = Acquaintance::of(email, card)?;
    let _lock = home.lock()?;
    let mut book = Book::load(home)?;
    if acquaintance.compare(&book, card) == Some(Contradiction::Older) {
        return Err(Contradiction::Older.error(&acquaintance.email));
    }
    let now = SystemClock.now().as_millis();
    book.verify(&acquaintance.email, &card.card, &Verified { at: now, by_device: by_device.to_owned() });
    book.save(home)
}

impl Acquaintance {
    fn of(email: &str, card: &SignedKeyCard) -> Result<Self> {
        let verified = card.verify_alone().map_err(|error| {
            CliError::verification(format!("the key card of {} does not verify: {error}", Untrusted(email))).hint(
                "Nothing was sent or opened. The server, or something on the way, serves a key that is not theirs.",
            )
        })?;
        Ok(Self {
            email: email.to_lowercase(),
            pin: Pin::of(verified, SystemClock.now().as_millis()),
            fingerprint: fingerprint(&verified.user_id, &verified.identity_key),
        })
    }

    fn compare(&self, book: &Book, card: &SignedKeyCard) -> Option<Contradiction> {
        let by_address = book.find(&self.email);
        // The same account under another address must be the same identity.
        let by_account = book.contacts.values().filter(|known| known.user_id == self.pin.user_id);
        by_address.into_iter().chain(by_account).find_map(|known| contradiction(known, &self.pin, card))
    }

    /// Notes that another key was shown, so that a list of contacts says so.
    fn note(&self, home: &Home, contradiction: Contradiction) -> Result<()> {
        let _lock = home.lock()?;
        let mut book = Book::load(home)?;
        let changed = Changed {
            fingerprint: self.fingerprint.clone(),
            signed_by_known: contradiction == Contradiction::Renewed,
            seen_at: SystemClock.now().as_millis(),
        };
        book.note(&self.email, &self.pin.user_id, &changed);
        book.save(home)
    }

    /// Remembers the contact; shows the fingerprint on first contact.
    pub fn pin(self, home: &Home, output: &Output) -> Result<()> {
        let _lock = home.lock()?;
        let mut book = Book::load(home)?;
        let known = book.find(&self.email).cloned();
        // Again, behind the lock: another command may have met them meanwhile.
        let both = known.iter().chain(book.contacts.values().filter(|known| known.user_id == self.pin.user_id));
        for known in both {
            if known.identity_key != self.pin.identity_key || known.user_id != self.pin.user_id {
                return Err(Contradiction::Replaced.error(&self.email));
            }
        }
        match known {
            Some(known) if known.seq >= self.pin.seq && known.changed.is_none() => {}
            Some(mut known) => {
                if self.pin.seq > known.seq {
                    (known.seq, known.card_hash) = (self.pin.seq, self.pin.card_hash);
                }
                known.changed = None;
                book.contacts.insert(self.email, known);
                book.save(home)?;
            }
            None => {
                book.contacts.insert(self.email.clone(), self.pin.clone());
                book.save(home)?;
                output.warn(format!("First contact with {}: fingerprint {}", Untrusted(&self.email), self.fingerprint));
            }
        }
        Ok(())
    }
}

fn contradiction(known: &Pin, next: &Pin, card: &SignedKeyCard) -> Option<Contradiction> {
    if known.user_id == next.user_id && known.identity_key == next.identity_key {
        let older = next.seq < known.seq || (next.seq == known.seq && next.card_hash != known.card_hash);
        return older.then_some(Contradiction::Older);
    }
    if known.user_id == next.user_id && next.seq <= known.seq {
        return Some(Contradiction::Older);
    }
    let key = HEXLOWER.decode(known.identity_key.as_bytes()).ok().and_then(|key| <[u8; 32]>::try_from(key).ok());
    let signed = key.zip(card.old_signature).is_some_and(|(key, signature)| {
        sig::verify(&key, KeyCard::SIGNATURE_LABEL, &card.card.encode(), &signature).is_ok()
    });
    let renewed = known.user_id == next.user_id && signed;
    Some(if renewed { Contradiction::Renewed } else { Contradiction::Replaced })
}

impl Contradiction {
    fn error(self, email: &str) -> CliError {
        let who = Untrusted(email);
        let blocked = |code, text: String| CliError::new(Exit::Verification, code, text);
        match self {
            Self::Renewed => blocked("contact_renewed", format!("{who} has new keys: they removed a device, and the key that you know signed the new one"))
                .hint(format!("Nothing was sent or opened. Compare your fingerprints once more, then: segue verify {who}")),
            Self::Replaced => blocked("contact_replaced", format!("the identity key of {who} has changed, and the key that you know has not signed the new one"))
                .hint(format!(
                    "Nothing was sent or opened. They joined anew or changed keys more than once, or somebody is in their place. Ask them, not by \
                     Segue, to read you their fingerprint (segue whoami). Only if it is the one that this shows: segue verify {who}"
                )),
            Self::Older => CliError::verification(format!("the server serves an old or forked key card of {who}"))
                .hint("Nothing was sent or opened. Tell whoever runs the server."),
        }
    }
}

#[cfg(test)]
#[path = "contacts_tests.rs"]
mod tests;
