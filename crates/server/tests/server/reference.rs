//! What a handoff must do, written once more without looking at the server, and short enough to be read at once (SPEC T9–T14,
//! T18, T19). [`crate::races`] and [`crate::model`] compare the server with it.

/// A person, by number.
pub(crate) type Who = usize;

/// People.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct People(u16);

impl People {
    pub(crate) fn of(people: impl IntoIterator<Item = Who>) -> Self {
        Self(people.into_iter().fold(0, |all, who| all | 1 << who))
    }

    pub(crate) fn has(self, who: Who) -> bool {
        self.0 & 1 << who != 0
    }

    pub(crate) fn with(self, who: Who) -> Self {
        Self(self.0 | 1 << who)
    }

    pub(crate) fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Who> {
        (0..16).filter(move |&who| self.has(who))
    }
}

/// What somebody does to a handoff, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    /// The look that is recorded.
    Look,
    /// What is shown then.
    Read,
    Claim {
        right_proof: bool,
    },
    Revoke,
    Decline,
    Comment,
    /// The sender locks the key for who has the address now.
    LockKey,
    /// Nobody's deed: the sweep.
    Sweep,
}

/// Status, and the word that is the handoff's state or the reason of a refusal.
pub(crate) type Said = (u16, &'static str);

const NOT_THERE: Said = (404, "not_found");

/// Whom a handoff is for, as far as its rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum To {
    Person,
    Team,
    Address,
}

/// A handoff.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Reference {
    pub(crate) sender: Who,
    pub(crate) to: To,
    pub(crate) ends: i64,
    pub(crate) state: &'static str,
    pub(crate) claimer: Option<Who>,
    pub(crate) declined: People,
    pub(crate) viewed: bool,
    pub(crate) key_locked: bool,
    /// What happened, and who did it; the server if nobody.
    pub(crate) log: Vec<(&'static str, Option<Who>)>,
}

impl Reference {
    pub(crate) fn new(sender: Who, to: To, ends: i64) -> Self {
        let log = vec![("created", Some(sender))];
        let (state, claimer, declined) = ("pending", None, People::default());
        Self { sender, to, ends, state, claimer, declined, viewed: false, key_locked: false, log }
    }

    /// Whether it is there at all for who asks. `may_claim` are its recipients at this moment.
    pub(crate) fn has_right(&self, who: Who, deed: Deed, may_claim: People) -> bool {
        let (sender, recipient, claimer) = (self.sender == who, may_claim.has(who), self.claimer == Some(who));
        match deed {
            Deed::Look | Deed::Read => sender || recipient || claimer,
            Deed::Claim { .. } => recipient || claimer,
            Deed::Revoke | Deed::LockKey => sender,
            Deed::Decline => recipient,
            Deed::Comment => sender || claimer || (recipient && self.claimer.is_none()),
            Deed::Sweep => true,
        }
    }

    /// Whether somebody reads message, comments and log.
    pub(crate) fn concerns(&self, who: Who, may_claim: People) -> bool {
        self.has_right(who, Deed::Comment, may_claim)
    }

    /// The word that is shown.
    pub(crate) fn word(&self, now: i64) -> &'static str {
        if self.is_due(now) { "expired" } else { self.state }
    }

    fn is_due(&self, now: i64) -> bool {
        self.state == "pending" && now >= self.ends
    }

    /// Does it, and says what is answered.
    pub(crate) fn apply(&mut self, who: Who, deed: Deed, may_claim: People, now: i64) -> Said {
        if !self.has_right(who, deed, may_claim) {
            return NOT_THERE;
        }
        if deed == (Deed::Claim { right_proof: false }) {
            return (422, "wrong_proof");
        }
        match (deed, self.to) {
            (Deed::LockKey, To::Person | To::Team) => return (422, "invalid"),
            (Deed::LockKey, To::Address) if self.word(now) == "pending" && may_claim.is_empty() => {
                return (422, "recipient_not_joined");
            }
            _ => {}
        }
        if self.is_due(now) && deed != Deed::Read {
            self.end("expired", None);
        }
        match deed {
            Deed::Look | Deed::Sweep => {
                if deed == Deed::Look && self.state == "pending" && may_claim.has(who) && !self.viewed {
                    self.viewed = true;
                    self.log.push(("viewed", Some(who)));
                }
                (200, self.state)
            }
            Deed::Read => (200, self.word(now)),
            Deed::Comment => {
                self.log.push(("commented", Some(who)));
                (201, "")
            }
            Deed::Claim { .. } if self.claimer == Some(who) => (200, "claimed"),
            _ => self.change(who, deed, may_claim),
        }
    }

    fn change(&mut self, who: Who, deed: Deed, may_claim: People) -> Said {
        match (self.state, deed) {
            ("pending", Deed::Claim { .. }) => {
                self.claimer = Some(who);
                self.end("claimed", Some(who));
            }
            ("pending", Deed::Revoke) => self.end("revoked", Some(who)),
            ("pending", Deed::Decline) => self.decline(who, may_claim),
            ("pending", _) => {
                self.key_locked = true;
                self.log.push(("key_wrapped", Some(who)));
            }
            ("claimed", _) => return (409, "already_claimed"),
            ("expired", _) => return (410, "expired"),
            (state, _) => return (409, state),
        }
        (200, self.state)
    }

    fn decline(&mut self, who: Who, may_claim: People) {
        let again = self.declined.has(who);
        self.declined = self.declined.with(who);
        if self.to != To::Team || may_claim.without(self.declined).is_empty() {
            self.end("declined", Some(who));
        } else if !again {
            self.log.push(("member_declined", Some(who)));
        }
    }

    fn end(&mut self, state: &'static str, who: Option<Who>) {
        self.state = state;
        self.log.push((state, who));
    }
}
