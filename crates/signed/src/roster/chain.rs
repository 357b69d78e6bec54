//! Following a team's rosters, one by one: no clock, no file, no network. Server and clients use the same steps.
//!
//! A device that was revoked has signed older rosters, and those must stay readable. But who holds a stolen device could,
//! with the server's help, sign a roster that was never there, let it name an accomplice, and let the accomplice's good
//! device sign the next. So a roster of a revoked device counts only once somebody confirms it who did not get their right
//! from it: the *anchor* is the newest roster that needs no such trust, and the head must be signed by an active device of
//! one of the anchor's admins (`docs/decisions/0008-a-team-is-its-signed-roster.md`).

use super::{Roster, SignedRoster};
use crate::{KeyCard, SignedKeyCard, Unverified};

/// Why a roster does not continue its team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RosterRefused {
    /// A signature, key or place in the chain does not hold.
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// Its signer was no admin in the roster before.
    #[error("the roster is signed by somebody who is no admin of the team")]
    NotAdmin,
    /// The team key does not change exactly when somebody leaves.
    #[error("the team key must change when somebody leaves, and only then")]
    Epoch,
    /// Nobody could sign the next one.
    #[error("the roster has no admin")]
    NoAdmin,
    /// The team has ended.
    #[error("the team was dissolved")]
    Dissolved,
    /// The device was revoked, and no admin has signed the roster again.
    #[error("the newest roster is signed by a device that was revoked: an admin must sign it again")]
    Revoked,
}

/// A team's rosters as far as they were followed.
#[derive(Debug, Clone)]
pub struct Chain {
    head: Roster,
    anchor: Roster,
    settled: bool,
}

impl Chain {
    /// Begins with a team's first roster. `card` is its signer's key card.
    ///
    /// # Errors
    /// When it is no first roster, its id is not its hash, its signer is not one of its admins, or the signature is wrong.
    pub fn begin(first: &SignedRoster, card: &SignedKeyCard) -> Result<Self, RosterRefused> {
        Self::begin_now(first, card, &card.card)
    }

    /// The same with the card that the signer has now, which may be of a later identity key: it says whether the device was revoked.
    ///
    /// # Errors
    /// The same.
    pub fn begin_now(first: &SignedRoster, card: &SignedKeyCard, now: &KeyCard) -> Result<Self, RosterRefused> {
        let signer = first.signer(card)?;
        first.roster.begins(&first.signer_id)?;
        if !first.roster.is_admin(&first.signer_id, &signer.identity_fp) {
            return Err(RosterRefused::NotAdmin);
        }
        Ok(Self {
            head: first.roster.clone(),
            anchor: first.roster.clone(),
            settled: signer.active && is_active(first, now),
        })
    }

    /// Goes on from a roster that whoever asks has taken and kept: the server's own newest.
    pub fn after(kept: Roster) -> Self {
        Self { anchor: kept.clone(), head: kept, settled: true }
    }

    /// Goes on from a roster that was believed before: one whose hash is pinned.
    ///
    /// # Errors
    /// When its signature does not hold under `card`.
    pub fn resume(known: &SignedRoster, card: &SignedKeyCard) -> Result<Self, RosterRefused> {
        Self::resume_now(known, card, &card.card)
    }

    /// The same with the card that the signer has now.
    ///
    /// # Errors
    /// The same.
    pub fn resume_now(known: &SignedRoster, card: &SignedKeyCard, now: &KeyCard) -> Result<Self, RosterRefused> {
        let signer = known.signer(card)?;
        let settled = signer.active && is_active(known, now);
        Ok(Self { head: known.roster.clone(), anchor: known.roster.clone(), settled })
    }

    /// Takes the next roster. `card` is its signer's key card, of the identity key that the roster before names.
    ///
    /// # Errors
    /// When it does not continue the head; the chain stays as it was.
    pub fn push(&mut self, next: &SignedRoster, card: &SignedKeyCard) -> Result<(), RosterRefused> {
        self.push_now(next, card, &card.card)
    }

    /// The same with the card that the signer has now.
    ///
    /// # Errors
    /// The same.
    pub fn push_now(&mut self, next: &SignedRoster, card: &SignedKeyCard, now: &KeyCard) -> Result<(), RosterRefused> {
        let signer = next.signer(card)?;
        next.roster.follows(&self.head)?;
        if !self.head.is_admin(&next.signer_id, &signer.identity_fp) {
            return Err(RosterRefused::NotAdmin);
        }
        let active = signer.active && is_active(next, now);
        self.settled = active && self.anchor.is_admin(&next.signer_id, &signer.identity_fp);
        self.head = next.roster.clone();
        if self.settled {
            self.anchor.clone_from(&self.head);
        }
        Ok(())
    }

    /// The newest roster taken, believed or not: to find out whose key card the next one needs.
    pub fn newest(&self) -> &Roster {
        &self.head
    }

    /// The newest roster, to be acted upon.
    ///
    /// # Errors
    /// [`RosterRefused::Revoked`] when it rests on a device that was revoked.
    pub fn head(&self) -> Result<&Roster, RosterRefused> {
        if self.settled { Ok(&self.head) } else { Err(RosterRefused::Revoked) }
    }
}

fn is_active(signed: &SignedRoster, now: &KeyCard) -> bool {
    now.user_id == signed.signer_id && now.active_device(&signed.device_key).is_some()
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
