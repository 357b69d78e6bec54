//! Who may answer a pairing's offers, and what comes of the answer.

use super::{
    Effect, Pairing, Purpose, Rejected,
    state::{Claim, End, Revocation, State},
};
use crate::{Timestamp, limits};

/// One destination's turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// SHA-256 of the token that it drew.
    pub token_hash: [u8; 32],
    /// Whether it is signed in as the source's account.
    pub same_account: bool,
    /// When its turn is over, unless it confirmed before.
    pub until: Timestamp,
    /// Its confirmation, as soon as it is there.
    pub confirmation: Option<Confirmation>,
}

impl Lease {
    /// Whether nobody else may take it: it waits for the source, or has not answered and is in time.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.confirmation.map_or(now < self.until, |confirmation| !confirmation.refused)
    }

    /// Whether it makes room for a device of the source's account.
    fn gives_way(&self) -> bool {
        !self.same_account && self.confirmation.is_none()
    }
}

/// That a destination answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// When: from here on the clock stands still.
    pub at: Timestamp,
    /// SHA-256 of what it posted: its repeat is the same confirmation.
    pub hash: [u8; 32],
    /// Whether the source found it wrong. The lease is over then and is known only so that its holder hears why.
    pub refused: bool,
}

type Applied = Result<(Pairing, Vec<Effect>), Rejected>;

impl Pairing {
    pub(super) fn take_lease(
        &self,
        purpose: Purpose,
        token_hash: &[u8; 32],
        same_account: bool,
        now: Timestamp,
    ) -> Applied {
        if purpose != self.purpose {
            return Err(Rejected::OtherPurpose);
        }
        self.open()?;
        match self.held(now) {
            Some(lease) if lease.token_hash == *token_hash => return Ok((self.clone(), Vec::new())),
            Some(lease) if !(same_account && lease.gives_way()) => return Err(Rejected::Busy),
            Some(_) | None => {}
        }
        let until = now.plus_millis(limits::PAIRING_LEASE_MS);
        let lease = Lease { token_hash: *token_hash, same_account, until, confirmation: None };
        Ok((Self { lease: Some(lease), ..self.clone() }, vec![Effect::Announce]))
    }

    pub(super) fn confirm(&self, token_hash: &[u8; 32], attempt: u8, hash: &[u8; 32], now: Timestamp) -> Applied {
        let lease = self.lease.as_ref().filter(|lease| lease.token_hash == *token_hash);
        let sent = lease.and_then(|lease| lease.confirmation);
        if sent.is_some_and(|sent| sent.hash == *hash && !sent.refused) && self.stands_for(token_hash) {
            return Ok((self.clone(), Vec::new()));
        }
        self.open()?;
        match (lease, sent) {
            (_, Some(sent)) if sent.refused => Err(Rejected::Mismatch),
            (_, Some(_)) => Err(Rejected::Frozen),
            (Some(lease), None) if lease.is_held(now) => {
                if attempt != self.attempt() {
                    return Err(Rejected::StaleAttempt);
                }
                let confirmation = Some(Confirmation { at: now, hash: *hash, refused: false });
                let lease = Lease { confirmation, ..lease.clone() };
                Ok((Self { lease: Some(lease), ..self.clone() }, vec![Effect::Announce]))
            }
            (Some(_) | None, None) => Err(Rejected::NoLease),
        }
    }

    /// Whether a confirmation by the holder of this token still stands: nothing was decided, or it was the one.
    fn stands_for(&self, token_hash: &[u8; 32]) -> bool {
        match &self.state {
            State::Issued => true,
            State::Claimed(claim) => claim.token_hash == *token_hash,
            State::Revoked { .. } | State::Expired { .. } => false,
        }
    }

    pub(super) fn mismatch(&self, attempt: u8, now: Timestamp) -> Applied {
        self.open()?;
        if attempt < self.attempt() {
            return Ok((self.clone(), Vec::new()));
        }
        let confirmation = self.judged(attempt)?;
        let failures = self.attempt();
        if failures >= limits::PAIRING_GUESSES_MAX {
            return Ok(Self { failures, ..self.clone() }.revoked(Revocation::TooManyGuesses, now));
        }
        let stood = (now.as_millis() - confirmation.at.as_millis()).clamp(0, limits::PAIRING_APPROVAL_MS);
        let refused = Some(Confirmation { refused: true, ..confirmation });
        let lease = self.lease.clone().map(|lease| Lease { confirmation: refused, ..lease });
        let next = Self { failures, lease, expires_at: self.expires_at.plus_millis(stood), ..self.clone() };
        Ok((next, vec![Effect::Announce, Effect::DropHandshake]))
    }

    pub(super) fn claim(&self, attempt: u8, hash: &[u8; 32], now: Timestamp) -> Applied {
        if matches!(&self.state, State::Claimed(claim) if claim.hash == *hash) {
            return Ok((self.clone(), Vec::new()));
        }
        self.open()?;
        self.judged(attempt)?;
        let token_hash = self.lease.as_ref().ok_or(Rejected::Unconfirmed)?.token_hash;
        let claim = Claim { at: now, token_hash, hash: *hash, acknowledged_at: None, end: None, returned: None };
        Ok((self.with(State::Claimed(claim)), vec![Effect::Announce, Effect::DropHandshake]))
    }

    /// The confirmation that the source judges, which answers the offers of `attempt`.
    fn judged(&self, attempt: u8) -> Result<Confirmation, Rejected> {
        if attempt != self.attempt() {
            return Err(Rejected::StaleAttempt);
        }
        self.confirmation().copied().ok_or(Rejected::Unconfirmed)
    }

    pub(super) fn acknowledge(&self, token_hash: &[u8; 32], now: Timestamp) -> Applied {
        let claim = self.claimed_by(token_hash)?;
        match (claim.end, claim.acknowledged_at) {
            (Some((_, end @ (End::TakenBack | End::Lapsed))), None) => Err(Rejected::Ended(end)),
            (None, None) => {
                let claim = Claim { acknowledged_at: Some(now), ..claim.clone() };
                Ok((self.with(State::Claimed(claim)), vec![Effect::Announce, Effect::DropView]))
            }
            (_, Some(_)) | (Some((_, End::Completed)), None) => Ok((self.clone(), Vec::new())),
        }
    }

    /// What is sent back is taken once, also when access to the rest has ended by itself.
    pub(super) fn send_back(&self, token_hash: &[u8; 32], hash: &[u8; 32]) -> Applied {
        let claim = self.claimed_by(token_hash)?;
        match (claim.returned, claim.end, claim.acknowledged_at) {
            (Some(known), _, _) if known == *hash => Ok((self.clone(), Vec::new())),
            (Some(_), _, _) => Err(Rejected::Frozen),
            (None, Some((_, end @ End::TakenBack)), _) => Err(Rejected::Ended(end)),
            (None, _, None) => Err(Rejected::Unconfirmed),
            (None, _, Some(_)) => {
                let claim = Claim { returned: Some(*hash), ..claim.clone() };
                Ok((self.with(State::Claimed(claim)), vec![Effect::Announce]))
            }
        }
    }

    /// The source has its chat again: what was not sent back by then is not taken any more, whether or not everything had arrived.
    pub(super) fn take_back(&self, now: Timestamp) -> Applied {
        match self.claimed()? {
            claim @ Claim { end: Some((_, End::Completed | End::Lapsed)), returned: None, .. } => {
                let claim = Claim { end: Some((now, End::TakenBack)), ..claim.clone() };
                Ok((self.with(State::Claimed(claim)), vec![Effect::Announce]))
            }
            _ => self.finish(End::TakenBack, now),
        }
    }

    /// Ends the claimer's access. What has ended already stays as it ended.
    pub(super) fn finish(&self, end: End, now: Timestamp) -> Applied {
        match self.claimed()? {
            claim if claim.end.is_none() => Ok(self.ended(claim, end, now)),
            _ended => Ok((self.clone(), Vec::new())),
        }
    }

    pub(super) fn ended(&self, claim: &Claim, end: End, now: Timestamp) -> (Self, Vec<Effect>) {
        let claim = Claim { end: Some((now, end)), ..claim.clone() };
        (self.with(State::Claimed(claim)), vec![Effect::Announce, Effect::DropView, Effect::DropBackfill])
    }

    /// The claim, when it is this destination's.
    pub(super) fn claimed_by(&self, token_hash: &[u8; 32]) -> Result<&Claim, Rejected> {
        let claim = self.claimed()?;
        if claim.token_hash == *token_hash { Ok(claim) } else { Err(Rejected::AlreadyClaimed) }
    }

    fn claimed(&self) -> Result<&Claim, Rejected> {
        match &self.state {
            State::Issued => Err(Rejected::Unclaimed),
            State::Claimed(claim) => Ok(claim),
            State::Revoked { reason, .. } => Err(Rejected::Revoked(*reason)),
            State::Expired { reason, .. } => Err(Rejected::Expired(*reason)),
        }
    }
}
