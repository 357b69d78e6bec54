//! Where a pairing stands, and why (SPEC D9).

use crate::{Timestamp, limits};

/// Where a pairing stands. The words are the same on both devices, in JSON and on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its code works.
    Issued,
    /// The source released the view to the one destination that confirmed.
    Claimed(Claim),
    /// It ended before anybody had it.
    Revoked {
        /// Why.
        reason: Revocation,
        /// When.
        at: Timestamp,
    },
    /// Its time ran out.
    Expired {
        /// What was missing.
        reason: Expiry,
        /// When this was recorded.
        at: Timestamp,
    },
}

impl State {
    /// The word in the API, the database and on a screen.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Claimed(_) => "claimed",
            Self::Revoked { .. } => "revoked",
            Self::Expired { .. } => "expired",
        }
    }

    /// The word beside it; every final state has one, for both sides.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Issued => None,
            Self::Claimed(claim) => Some(claim.as_str()),
            Self::Revoked { reason, .. } => Some(reason.as_str()),
            Self::Expired { reason, .. } => Some(reason.as_str()),
        }
    }

    /// Whether its word can change no more.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Issued)
    }

    /// Since when it is final.
    pub fn since(&self) -> Option<Timestamp> {
        match self {
            Self::Issued => None,
            Self::Claimed(claim) => Some(claim.at),
            Self::Revoked { at, .. } | Self::Expired { at, .. } => Some(*at),
        }
    }
}

/// A claim and how far the delivery came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// When the view was released.
    pub at: Timestamp,
    /// SHA-256 of the lease token of the claimer.
    pub token_hash: [u8; 32],
    /// SHA-256 of what was released: its repeat is the same release.
    pub hash: [u8; 32],
    /// When the claimer acknowledged the view.
    pub acknowledged_at: Option<Timestamp>,
    /// When and how the claimer's access to what follows the view ended.
    pub end: Option<(Timestamp, End)>,
    /// SHA-256 of what the claimer sent back: its repeat is the same return.
    pub returned: Option<[u8; 32]>,
}

impl Claim {
    /// When access ends by itself.
    pub fn lapses_at(&self) -> Timestamp {
        self.at.plus_millis(limits::PAIRING_DELIVERY_MS)
    }

    /// The word beside "claimed". It is the relay's: "ready there" comes from the sealed acknowledgement only.
    pub fn as_str(&self) -> &'static str {
        match (self.end, self.acknowledged_at) {
            (Some((_, end)), _) => end.as_str(),
            (None, Some(_)) => "acknowledged",
            (None, None) => "delivering",
        }
    }
}

/// How a claimer's access ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The claimer has everything.
    Completed,
    /// The source took the chat back.
    TakenBack,
    /// The time for it ran out.
    Lapsed,
}

impl End {
    /// The end with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Completed, Self::TakenBack, Self::Lapsed].into_iter().find(|end| end.as_str() == word)
    }

    /// The word beside "claimed".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::TakenBack => "taken_back",
            Self::Lapsed => "lapsed",
        }
    }
}

/// Why a pairing was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// A person at the source stopped it.
    User,
    /// A newer offer of the same chat and device took its place.
    Superseded,
    /// Too many confirmations were wrong.
    TooManyGuesses,
    /// A person at the source did not approve the destination.
    NotApproved,
    /// The source started anew: its secrets lived in memory only.
    Restarted,
    /// The source was removed from its account.
    DeviceRemoved,
}

impl Revocation {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::User, Self::Superseded, Self::TooManyGuesses, Self::NotApproved, Self::Restarted, Self::DeviceRemoved];

    /// The word in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Superseded => "superseded",
            Self::TooManyGuesses => "too_many_guesses",
            Self::NotApproved => "not_approved",
            Self::Restarted => "restarted",
            Self::DeviceRemoved => "device_removed",
        }
    }

    /// The reason with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// What was missing when a pairing expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expiry {
    /// Nobody confirmed in time.
    Unclaimed,
    /// A destination confirmed; the source did not answer in time.
    Unanswered,
}

impl Expiry {
    /// The word in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unclaimed => "unclaimed",
            Self::Unanswered => "unanswered",
        }
    }

    /// The reason with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Unclaimed, Self::Unanswered].into_iter().find(|reason| reason.as_str() == word)
    }
}
