//! A pairing's life on the relay, as one pure function (SPEC D6–D10).
//!
//! ```text
//!            ┌─ the source releases the view ──▶ claimed    delivering → acknowledged → completed | taken back | lapsed
//!  issued ───┼─ revoke, or a third mismatch ───▶ revoked
//!            └─ the time comes ────────────────▶ expired
//! ```
//!
//! Four words, each final one with a reason beside it. A lease is not a state: it says which destination may answer the
//! offers now, lasts [`limits::PAIRING_LEASE_MS`], and is frozen as soon as its confirmation is there, until the source has
//! judged it. Only the source's release claims, so there is one claimer: who held the lease.
//!
//! [`Pairing::apply`] decides; it neither reads nor writes. Who may send which event is decided before: `Mismatch`,
//! `Claim`, `Revoke` and `TakeBack` are the source's, the others are a destination's. The relay is not trusted with any of
//! this: both clients count guesses and watch the clock themselves. The whole table is a reviewed snapshot: `tests/snapshots`.
//!
//! To add an event: 1. a variant of [`Event`]; 2. the compiler asks about every state; 3. review the snapshot.

mod event;
mod lease;
mod state;

use crate::{Timestamp, limits};

pub use event::{Effect, Event, Rejected};
pub use lease::{Confirmation, Lease};
pub use state::{Claim, End, Expiry, Revocation, State};

/// What a code is for. It stands in every key, so that a code for one never does the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Moves the active view of a chat (SPEC D1).
    Handoff,
    /// Adds a device to an account (SPEC A1).
    Link,
}

impl Purpose {
    /// The word in the API, the database and the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handoff => "handoff",
            Self::Link => "link",
        }
    }

    /// The purpose with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Handoff, Self::Link].into_iter().find(|purpose| purpose.as_str() == word)
    }
}

/// A pairing, as far as its rules need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairing {
    /// What its code is for.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: State,
    /// When it ends by itself, unless its clock stands still: see [`Self::deadline`].
    pub expires_at: Timestamp,
    /// Confirmations that the source refused, over both methods together.
    pub failures: u8,
    /// Who may answer, or who answered last.
    pub lease: Option<Lease>,
}

impl Pairing {
    /// A pairing that was just issued, with a lifetime inside the operator's range (SPEC D8).
    pub fn issue(purpose: Purpose, lifetime_seconds: u32, now: Timestamp) -> Self {
        let seconds = lifetime_seconds.clamp(limits::PAIRING_SECONDS_MIN, limits::PAIRING_SECONDS_MAX);
        let expires_at = now.plus_millis(i64::from(seconds) * 1000);
        Self { purpose, state: State::Issued, expires_at, failures: 0, lease: None }
    }

    /// Number of the offers that stand now, from 1. Each refused confirmation makes the source publish fresh ones.
    pub fn attempt(&self) -> u8 {
        self.failures.saturating_add(1)
    }

    /// When it ends by itself as things stand: a confirmation that waits for the source stops the clock (SPEC D8).
    pub fn deadline(&self) -> Timestamp {
        match self.confirmation() {
            Some(_) => self.expires_at.plus_millis(limits::PAIRING_APPROVAL_MS),
            None => self.expires_at,
        }
    }

    /// Whether a destination may still take it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == State::Issued && now < self.deadline()
    }

    /// The lease that is held now.
    pub fn held(&self, now: Timestamp) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| self.state == State::Issued && lease.is_held(now))
    }

    /// The confirmation that waits for the source.
    pub fn confirmation(&self) -> Option<&Confirmation> {
        let lease = self.lease.as_ref().filter(|_| self.state == State::Issued)?;
        lease.confirmation.as_ref().filter(|confirmation| !confirmation.refused)
    }

    /// Whether the holder of this lease token may read the view now: after the claim, the claimer, until the acknowledgement.
    pub fn view_is_readable(&self, token_hash: &[u8; 32], now: Timestamp) -> bool {
        self.backfill_is_readable(token_hash, now)
            && matches!(&self.state, State::Claimed(claim) if claim.acknowledged_at.is_none())
    }

    /// Whether the claimer's access to what follows the view lasts: until the final acknowledgement, the take-back or an hour.
    pub fn backfill_is_readable(&self, token_hash: &[u8; 32], now: Timestamp) -> bool {
        matches!(&self.state, State::Claimed(claim)
            if claim.token_hash == *token_hash && claim.end.is_none() && now < claim.lapses_at())
    }

    /// When the last trace of it, and with it its nameplate, may be forgotten; none while it is issued.
    pub fn forgotten_at(&self) -> Option<Timestamp> {
        self.state.since().map(|at| at.plus_hours(limits::PAIRING_TOMBSTONE_HOURS))
    }

    /// The next pairing and what must happen because of it, or why not. Pure: same input, same answer.
    ///
    /// An event that comes too late records that instead: `Ok` with [`State::Expired`], or with a claim that lapsed; the
    /// caller then answers as for the new state.
    #[must_use = "effects must be written in the same transaction as the state"]
    pub fn apply(&self, event: &Event, now: Timestamp) -> Result<(Self, Vec<Effect>), Rejected> {
        if let Some((ended, mut effects)) = self.overdue(now) {
            let (after, more) = match (event, &ended.state) {
                (Event::Return { token_hash, hash }, State::Claimed(_)) => ended.send_back(token_hash, hash)?,
                (Event::TakeBack, State::Claimed(_)) => ended.take_back(now)?,
                _ => return Ok((ended, effects)),
            };
            effects.extend(more);
            return Ok((after, effects));
        }
        match event {
            Event::Lease { purpose, token_hash, same_account } => {
                self.take_lease(*purpose, token_hash, *same_account, now)
            }
            Event::Confirm { token_hash, attempt, hash } => self.confirm(token_hash, *attempt, hash, now),
            Event::Mismatch { attempt } => self.mismatch(*attempt, now),
            Event::Claim { attempt, hash } => self.claim(*attempt, hash, now),
            Event::Revoke { reason } => {
                self.open()?;
                Ok(self.revoked(*reason, now))
            }
            Event::Acknowledge { token_hash } => self.acknowledge(token_hash, now),
            Event::Complete { token_hash } => {
                self.claimed_by(token_hash)?;
                self.finish(End::Completed, now)
            }
            Event::Return { token_hash, hash } => self.send_back(token_hash, hash),
            Event::TakeBack => self.take_back(now),
            Event::Tick => Ok((self.clone(), Vec::new())),
        }
    }

    /// What became of it because its time is over.
    fn overdue(&self, now: Timestamp) -> Option<(Self, Vec<Effect>)> {
        match &self.state {
            State::Issued if now >= self.deadline() => {
                let reason = if self.confirmation().is_some() { Expiry::Unanswered } else { Expiry::Unclaimed };
                Some(self.over(State::Expired { reason, at: now }))
            }
            State::Claimed(claim) if claim.end.is_none() && now >= claim.lapses_at() => {
                Some(self.ended(claim, End::Lapsed, now))
            }
            State::Issued | State::Claimed(_) | State::Revoked { .. } | State::Expired { .. } => None,
        }
    }

    fn revoked(&self, reason: Revocation, now: Timestamp) -> (Self, Vec<Effect>) {
        self.over(State::Revoked { reason, at: now })
    }

    /// Nobody took it: nothing of it stays but the word and the reason.
    fn over(&self, state: State) -> (Self, Vec<Effect>) {
        (self.with(state), vec![Effect::Announce, Effect::DropHandshake, Effect::DropBackfill])
    }

    fn open(&self) -> Result<(), Rejected> {
        match &self.state {
            State::Issued => Ok(()),
            State::Claimed(_) => Err(Rejected::AlreadyClaimed),
            State::Revoked { reason, .. } => Err(Rejected::Revoked(*reason)),
            State::Expired { reason, .. } => Err(Rejected::Expired(*reason)),
        }
    }

    fn with(&self, state: State) -> Self {
        Self { state, ..self.clone() }
    }
}

/// Whether a source may show a new code by itself: not when two were burned by wrong guesses within ten minutes, since
/// somebody who guesses would then be served new codes for ever (`docs/protocol.md` §6).
pub fn may_reissue(burned_at: &[Timestamp], now: Timestamp) -> bool {
    let since = now.plus_millis(-limits::PAIRING_BURNED_MS);
    burned_at.iter().filter(|at| **at > since).count() < limits::PAIRING_BURNED_MAX
}
