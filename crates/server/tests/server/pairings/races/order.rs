//! Whether what was answered can have happened one after the other, each as [`Pairing::apply`] says.

use segue_api::pairings::Pairing as Seen;
use segue_domain::{
    Pairing, Timestamp,
    pairing::{Claim, End, Event, Purpose, Rejected, Revocation, State},
};

use super::{What, Who};
use crate::harness::person::Answer;

/// What there is at one moment of an order.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) pairing: Pairing,
    /// What the clock shows.
    pub(super) now: Timestamp,
    /// Hashes of the destinations' tokens.
    pub(super) tokens: Vec<[u8; 32]>,
}

/// What is told of a pairing: state, reason, and whether there is something sealed for who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    words: (String, String),
    release: bool,
    refused: bool,
    answer: bool,
    acknowledgement: bool,
    returned: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Leased,
    Told(Box<Told>),
    Refused(u16, String),
}

/// What was asked, and what came of it. The times are moments; what is not answered has nothing said.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) what: What,
    pub(super) sent: u64,
    pub(super) done: u64,
    pub(super) said: Option<Said>,
}

impl Said {
    /// What a server said.
    pub(super) fn of(what: What, answer: &Answer) -> Self {
        if !answer.status.is_success() {
            let (status, code) = answer.refused();
            return Self::Refused(status, code);
        }
        if matches!(what, What::Lease(_)) {
            return Self::Leased;
        }
        let seen: Seen = answer.ok();
        Self::Told(Box::new(Told {
            words: (seen.state, seen.reason.unwrap_or_default()),
            release: seen.release.is_some(),
            refused: seen.refused,
            answer: seen.answer.is_some(),
            acknowledgement: seen.acknowledgement.is_some(),
            returned: seen.returned.is_some(),
        }))
    }

    fn refused(rejected: Rejected) -> Self {
        let (status, code) = match rejected {
            Rejected::AlreadyClaimed => (409, "already_claimed"),
            Rejected::Revoked(_) => (409, "revoked"),
            Rejected::Expired(_) | Rejected::Ended(_) => (410, "expired"),
            Rejected::Busy => (409, "busy"),
            Rejected::Mismatch => (409, "code_mismatch"),
            Rejected::NoLease => (409, "lease_lost"),
            Rejected::OtherPurpose => (409, "other_purpose"),
            Rejected::Unclaimed | Rejected::StaleAttempt | Rejected::Unconfirmed | Rejected::Frozen => {
                (409, "conflict")
            }
        };
        Self::Refused(status, code.to_owned())
    }
}

impl What {
    /// Which side is told, when it is a destination.
    fn destination(self) -> Option<Who> {
        match self {
            Self::Lease(who) | Self::Answer(who) | Self::Acknowledge(who) | Self::Complete(who) | Self::Return(who) => {
                Some(who)
            }
            Self::Look(side) => side,
            Self::Refuse | Self::Claim(_) | Self::Revoke | Self::TakeBack | Self::Sweep | Self::Step(_) => None,
        }
    }
}

impl World {
    fn event(&self, what: What) -> Event {
        let token_hash = what.destination().map_or([0; 32], |who| self.tokens[who]);
        match what {
            // The last is a device of the source's account.
            What::Lease(who) => {
                Event::Lease { purpose: Purpose::Handoff, token_hash, same_account: who + 1 == self.tokens.len() }
            }
            What::Answer(who) => Event::Confirm { token_hash, attempt: 1, hash: [u8::try_from(who).unwrap(); 32] },
            What::Refuse => Event::Mismatch { attempt: 1 },
            What::Claim(which) => Event::Claim { attempt: 1, hash: [u8::try_from(which).unwrap(); 32] },
            What::Revoke => Event::Revoke { reason: Revocation::User },
            What::Acknowledge(_) => Event::Acknowledge { token_hash },
            What::Complete(_) => Event::Complete { token_hash },
            What::Return(_) => Event::Return { token_hash, hash: [9; 32] },
            What::TakeBack => Event::TakeBack,
            What::Look(_) | What::Sweep | What::Step(_) => Event::Tick,
        }
    }

    /// One deed more, and what is answered.
    pub(super) fn then(&mut self, what: What) -> Option<Said> {
        match what {
            What::Step(millis) => {
                self.now = self.now.plus_millis(millis);
                return None;
            }
            What::Lease(_) if self.pairing.state.is_final() => return Some(hidden()),
            What::Revoke if matches!(self.pairing.state, State::Revoked { .. }) => return Some(self.told(what)),
            _ => {}
        }
        let after = match self.pairing.apply(&self.event(what), self.now) {
            Ok((after, _)) => after,
            Err(rejected) => return Some(Said::refused(rejected)),
        };
        let before = std::mem::replace(&mut self.pairing, after);
        let looked = matches!(what, What::Look(_));
        // What is sent or taken back is taken after its time as well.
        let late = !looked && !matches!(what, What::Return(_) | What::TakeBack);
        match (what, &before.state, &self.pairing.state) {
            (What::Sweep, ..) => None,
            (What::Lease(_), State::Issued, State::Expired { .. }) => Some(hidden()),
            (What::Lease(_), ..) => Some(Said::Leased),
            (_, State::Issued, State::Expired { reason, .. }) if !looked => {
                Some(Said::refused(Rejected::Expired(*reason)))
            }
            (_, State::Claimed(Claim { end: None, .. }), State::Claimed(Claim { end: Some((_, End::Lapsed)), .. }))
                if late =>
            {
                Some(Said::refused(Rejected::Ended(End::Lapsed)))
            }
            _ => Some(self.told(what)),
        }
    }

    fn told(&self, what: What) -> Said {
        let (pairing, mut told) = (&self.pairing, Told::default());
        let mut reason = pairing.state.reason().unwrap_or_default();
        let claim = if let State::Claimed(claim) = &pairing.state { Some(claim) } else { None };
        match what.destination().map(|who| self.tokens[who]) {
            None => {
                told.answer = pairing.confirmation().is_some();
                told.acknowledgement = claim.is_some_and(|claim| claim.acknowledged_at.is_some());
                told.returned = claim.is_some_and(|claim| claim.returned.is_some());
            }
            Some(token) => {
                let own = pairing.lease.as_ref().filter(|lease| lease.token_hash == token);
                told.refused = own.and_then(|lease| lease.confirmation).is_some_and(|sent| sent.refused);
                told.release = pairing.view_is_readable(&token, self.now);
                if claim.is_some_and(|claim| claim.token_hash != token) {
                    reason = "taken";
                }
            }
        }
        told.words = (pairing.state.as_str().to_owned(), reason.to_owned());
        Said::Told(Box::new(told))
    }
}

fn hidden() -> Said {
    Said::Refused(404, "not_found".to_owned())
}

/// Whether there is an order that explains the answers. Between any two, a stream may have noticed that time is over.
pub(super) fn explain(asked: &[Asked], begin: &World) -> bool {
    let earliest = asked.iter().map(|one| one.done).min();
    let mut noticed = begin.clone();
    noticed.then(What::Sweep);
    asked.is_empty()
        || asked.iter().enumerate().filter(|(_, one)| Some(one.sent) <= earliest).any(|(at, one)| {
            let mut rest = asked.to_vec();
            rest.remove(at);
            [begin, &noticed].into_iter().any(|world| {
                let mut world = world.clone();
                world.then(one.what) == one.said && explain(&rest, &world)
            })
        })
}

/// What was asked, a line each, for who reads why a test failed.
pub(super) fn described(asked: &[Asked], begin: &World) -> String {
    let lines = asked.iter().map(|Asked { what, sent, done, said }| format!("{sent}..{done}: {what:?}: {said:?}"));
    [format!("{begin:?}")].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}
