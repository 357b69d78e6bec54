//! A handoff's life, as one pure function (SPEC T9–T13).
//!
//! ```text
//!             ┌─ claim ───────────────▶ claimed
//!  pending ───┼─ revoke ──────────────▶ revoked      all four are final
//!             ├─ decline (last one) ──▶ declined
//!             └─ the time comes ──────▶ expired
//! ```
//!
//! [`Handoff::apply`] decides; it neither reads nor writes. Who may send which event is decided before (eligibility
//! comes first, so that a stranger learns nothing), and facts that need the database travel inside the event. The whole
//! table of states and events is a reviewed snapshot: `tests/snapshots`.
//!
//! To add an event: 1. a variant of [`Event`]; 2. the compiler asks about every state; 3. review the snapshot.

use crate::{SessionId, Timestamp, UserId};

/// Where a handoff stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Waiting for its recipient.
    Pending,
    /// Taken: by whom, and as which session.
    Claimed {
        /// The winner.
        by: UserId,
        /// The winner's new session, generated before the claim.
        session: SessionId,
        /// When.
        at: Timestamp,
    },
    /// Taken back by its sender.
    Revoked {
        /// When.
        at: Timestamp,
    },
    /// Refused by its recipient, or by every member of the team.
    Declined {
        /// When.
        at: Timestamp,
    },
    /// Its time ran out.
    Expired {
        /// When this was recorded.
        at: Timestamp,
    },
}

impl State {
    /// The word in the API, the database and on a screen.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed { .. } => "claimed",
            Self::Revoked { .. } => "revoked",
            Self::Declined { .. } => "declined",
            Self::Expired { .. } => "expired",
        }
    }

    /// Whether nothing can change any more.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Pending)
    }
}

/// What happens to a handoff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A recipient looked at it.
    View,
    /// A recipient takes it.
    Claim {
        /// Who.
        by: UserId,
        /// The id that the session will have, drawn before.
        session: SessionId,
    },
    /// Its sender takes it back.
    Revoke,
    /// A recipient refuses it.
    Decline {
        /// Eligible members who have not declined, after this one did; 0 for a person's handoff.
        members_left: u32,
    },
    /// A party wrote a comment.
    Comment,
    /// A key was wrapped for someone who joined later (SPEC T19).
    WrapKey,
    /// Nothing but time passing: the sweep.
    Tick,
}

/// What must be written in the same transaction as the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// One audit event (SPEC T11).
    Audit(Audit),
    /// A mail to the other party (SPEC T12).
    Mail(Audit),
    /// Live news of the event before it, for all parties.
    Announce,
    /// The claimer's new session over the same bundle.
    OpenSession,
    /// The sealed content is no longer needed by anybody.
    ReleaseBundle,
}

/// Kinds of audit events that a state machine emits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audit {
    /// First look by a recipient.
    Viewed,
    /// Taken.
    Claimed,
    /// Taken back.
    Revoked,
    /// Refused by all.
    Declined,
    /// Refused by one member of a team.
    MemberDeclined,
    /// A comment was written.
    Commented,
    /// The time ran out.
    Expired,
    /// A key was wrapped for a late joiner.
    KeyWrapped,
}

impl Audit {
    /// The word in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewed => "viewed",
            Self::Claimed => "claimed",
            Self::Revoked => "revoked",
            Self::Declined => "declined",
            Self::MemberDeclined => "member_declined",
            Self::Commented => "commented",
            Self::Expired => "expired",
            Self::KeyWrapped => "key_wrapped",
        }
    }
}

/// Why an event changes nothing. All of these are conflicts but [`Rejected::Expired`], which is "gone".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Somebody took it.
    #[error("this handoff was already claimed")]
    AlreadyClaimed,
    /// Its sender took it back.
    #[error("this handoff was revoked by its sender")]
    Revoked,
    /// It was refused.
    #[error("this handoff was declined")]
    Declined,
    /// Its time ran out.
    #[error("this handoff has expired")]
    Expired,
}

/// A handoff, as far as its rules need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handoff {
    /// Where it stands.
    pub state: State,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When a recipient first looked at it.
    pub viewed_at: Option<Timestamp>,
}

impl Handoff {
    /// A handoff that was just created.
    pub fn new(expires_at: Timestamp) -> Self {
        Self { state: State::Pending, expires_at, viewed_at: None }
    }

    /// Whether it waits and its time is not over.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == State::Pending && now < self.expires_at
    }

    /// The next handoff and what must happen because of it, or why not. Pure: same input, same answer.
    ///
    /// An event that comes too late records the expiry instead: `Ok` with [`State::Expired`]; the caller then answers
    /// "gone". A comment is never lost to that.
    #[must_use = "effects must be written in the same transaction as the state"]
    pub fn apply(&self, event: &Event, now: Timestamp) -> Result<(Self, Vec<Effect>), Rejected> {
        if self.state == State::Pending && now >= self.expires_at {
            return Ok(self.expire(event, now));
        }
        match event {
            Event::View => Ok(self.view(now)),
            Event::Comment => Ok((
                self.clone(),
                vec![Effect::Audit(Audit::Commented), Effect::Mail(Audit::Commented), Effect::Announce],
            )),
            Event::Tick => Ok((self.clone(), Vec::new())),
            Event::Claim { by, session } => self.claim(*by, *session, now),
            Event::Revoke => self.end(State::Revoked { at: now }, Audit::Revoked),
            Event::Decline { members_left: 0 } => self.end(State::Declined { at: now }, Audit::Declined),
            Event::Decline { .. } => self.stay(&[Effect::Audit(Audit::MemberDeclined), Effect::Announce]),
            Event::WrapKey => self.stay(&[Effect::Audit(Audit::KeyWrapped), Effect::Announce]),
        }
    }

    fn expire(&self, event: &Event, now: Timestamp) -> (Self, Vec<Effect>) {
        let mut effects = vec![Effect::Audit(Audit::Expired), Effect::Announce, Effect::ReleaseBundle];
        if *event == Event::Comment {
            effects.extend([Effect::Audit(Audit::Commented), Effect::Mail(Audit::Commented), Effect::Announce]);
        }
        (self.with(State::Expired { at: now }), effects)
    }

    fn view(&self, now: Timestamp) -> (Self, Vec<Effect>) {
        if self.viewed_at.is_some() || self.state.is_final() {
            return (self.clone(), Vec::new());
        }
        let viewed = Self { viewed_at: Some(now), ..self.clone() };
        (viewed, vec![Effect::Audit(Audit::Viewed), Effect::Announce])
    }

    fn claim(&self, by: UserId, session: SessionId, now: Timestamp) -> Result<(Self, Vec<Effect>), Rejected> {
        match self.state {
            // Repeating one's own won claim gives the session of the first time (SPEC T13).
            State::Claimed { by: winner, .. } if winner == by => Ok((self.clone(), Vec::new())),
            _ => self.open().map(|()| {
                let effects = [Effect::Audit(Audit::Claimed), Effect::Mail(Audit::Claimed), Effect::Announce];
                let mut effects = effects.to_vec();
                effects.push(Effect::OpenSession);
                (self.with(State::Claimed { by, session, at: now }), effects)
            }),
        }
    }

    fn end(&self, state: State, audit: Audit) -> Result<(Self, Vec<Effect>), Rejected> {
        self.open()?;
        let effects = vec![Effect::Audit(audit), Effect::Mail(audit), Effect::Announce, Effect::ReleaseBundle];
        Ok((self.with(state), effects))
    }

    fn stay(&self, effects: &[Effect]) -> Result<(Self, Vec<Effect>), Rejected> {
        self.open()?;
        Ok((self.clone(), effects.to_vec()))
    }

    fn open(&self) -> Result<(), Rejected> {
        match self.state {
            State::Pending => Ok(()),
            State::Claimed { .. } => Err(Rejected::AlreadyClaimed),
            State::Revoked { .. } => Err(Rejected::Revoked),
            State::Declined { .. } => Err(Rejected::Declined),
            State::Expired { .. } => Err(Rejected::Expired),
        }
    }

    fn with(&self, state: State) -> Self {
        Self { state, ..self.clone() }
    }
}
