//! What happens to a pairing, what follows, and why not.

use super::{
    Purpose,
    state::{End, Expiry, Revocation},
};

/// What happens to a pairing. Tokens and bytes are known by their SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A destination typed the nameplate and asks for the offers.
    Lease {
        /// What its own screen says that the code is for.
        purpose: Purpose,
        /// Hash of the token that it drew.
        token_hash: [u8; 32],
        /// Whether it is signed in as the source's account. Such a one is served first.
        same_account: bool,
    },
    /// The destination that holds the lease posts its confirmation.
    Confirm {
        /// Hash of its token.
        token_hash: [u8; 32],
        /// Number of the offer that it answers.
        attempt: u8,
        /// Hash of what it posts.
        hash: [u8; 32],
    },
    /// The source found the confirmation wrong and publishes fresh offers, unless this burns the code.
    Mismatch {
        /// Number of the offer that was answered.
        attempt: u8,
    },
    /// The source releases the view to the destination that confirmed.
    Claim {
        /// Number of the offer that was answered.
        attempt: u8,
        /// Hash of what it releases.
        hash: [u8; 32],
    },
    /// The source ends it.
    Revoke {
        /// Why.
        reason: Revocation,
    },
    /// The claimer acknowledges the view.
    Acknowledge {
        /// Hash of its token.
        token_hash: [u8; 32],
    },
    /// The claimer has everything.
    Complete {
        /// Hash of its token.
        token_hash: [u8; 32],
    },
    /// The claimer sends something back, once. What it was given may have ended by then.
    Return {
        /// Hash of its token.
        token_hash: [u8; 32],
        /// Hash of what it sends.
        hash: [u8; 32],
    },
    /// The source takes the chat back after the claim.
    TakeBack,
    /// Nothing but time passing: the sweep.
    Tick,
}

/// What must be written in the same transaction as the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Live news for both sides.
    Announce,
    /// Offers and answers of all attempts so far are deleted.
    DropHandshake,
    /// The sealed view is deleted.
    DropView,
    /// The bundle that was made for this pairing, and the token that reads it, are deleted.
    DropBackfill,
}

/// Why an event changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Another device has it, or this is another release than the first.
    #[error("this code was already claimed")]
    AlreadyClaimed,
    /// It was revoked.
    #[error("this code was revoked ({})", .0.as_str())]
    Revoked(Revocation),
    /// Its time ran out.
    #[error("this code has expired ({})", .0.as_str())]
    Expired(Expiry),
    /// It is claimed and over.
    #[error("this delivery has ended ({})", .0.as_str())]
    Ended(End),
    /// It was not claimed yet.
    #[error("nobody has claimed this code yet")]
    Unclaimed,
    /// Another destination holds the lease.
    #[error("another device is entering this code right now; try again in half a minute")]
    Busy,
    /// The source found this destination's confirmation wrong.
    #[error("the code did not match: if it was typed correctly, somebody may be interfering; ask for a new one")]
    Mismatch,
    /// The lease ended, or was never this one's.
    #[error("too slow, or another device of the account came first: enter the code again")]
    NoLease,
    /// The code is for something else.
    #[error("this code is for something else")]
    OtherPurpose,
    /// The offer was replaced.
    #[error("this answers an offer that was replaced")]
    StaleAttempt,
    /// There is nothing to judge or to release to.
    #[error("no device has confirmed this code")]
    Unconfirmed,
    /// A confirmation, or something sent back, is there already.
    #[error("something else was sent already and cannot be changed")]
    Frozen,
}
