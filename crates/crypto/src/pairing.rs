//! Pairing: two devices find each other by a short code, and the relay between them learns nothing
//! (`docs/protocol.md` §6; SPEC D6, D7).
//!
//! CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21, initiator and responder, with explicit key confirmation, the destination's
//! first. The types are the order of steps; each is used up by the next, and none can be written to a disk:
//!
//! ```text
//!  source       Source ──answer──▶ Confirmed ──approval──▶ Approved ──release──▶ Released ──acknowledgement──▶ ReturnOpener
//!                 └─ wrong: a fresh Source, the third time none
//!  destination  Destination ──answer──▶ Answered ──release──▶ Received ──acknowledge──▶ ReturnSealer
//! ```
//!
//! The relay is the adversary, so both count guesses themselves: a source takes [`GUESSES_MAX`] wrong confirmations, a
//! destination confirms [`TRIES_MAX`] times in one pairing.
//!
//! To add a message: 1. a row of `message::Message`, with a number and a sequence of its own; 2. the state that may send it
//! and the one that may open it; 3. its bytes in `docs/protocol.md`; 4. its vectors in `vectors_tests.rs`.

mod code;
mod cpace;
mod destination;
mod hello;
mod link;
mod message;
mod returning;
mod schedule;
mod secret;
mod source;

pub use code::{CodeSecret, NotACode};
pub use destination::{Answered, Destination, Received, Refused, Unconfirmed};
pub use hello::{ClientKind, Hello, HelloAccount, Introduction};
pub use link::{LinkSecret, NotALink};
pub use message::TooLong;
pub use returning::{RETURN_KEY_BYTES, ReturnOpener, ReturnSealer};
pub use secret::PairingSecret;
pub use segue_signed::pairing::{Answer, Method, Nameplate, Offer, Purpose, Release, SizeClass};
pub use source::{Approved, Confirmed, Judgement, Released, Source};

use segue_signed::{SUITE, lv::Writer};

/// Wrong confirmations that burn a code, over both methods together (SPEC D7). The relay counts the same number; a source
/// that stops by itself need not believe it.
pub const GUESSES_MAX: u8 = 3;
/// Confirmations that a destination sends in one pairing, whatever is typed: a source that lies gets one guess for each.
pub const TRIES_MAX: u8 = 2;

/// Which pairing it is: both sides must name the same, or nothing opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From this client's own screen, never from the other side.
    pub purpose: Purpose,
    /// The server that both are connected to.
    pub server_id: [u8; 16],
    /// The pairing's id, drawn by the source.
    pub hid: [u8; 16],
}

impl Place {
    /// CI, the channel identifier of CPace.
    fn channel(&self, method: Method) -> Vec<u8> {
        Writer::labelled("segue/pair/1")
            .u8(SUITE)
            .text(self.purpose.as_str())
            .text(method.as_str())
            .bytes(&self.server_id)
            .bytes(&self.hid)
            .text("src")
            .text("dst")
            .finish()
    }
}

#[cfg(test)]
mod attacks_tests;
#[cfg(test)]
#[path = "../tests/vectors/file.rs"]
mod file;
#[cfg(test)]
mod flow_tests;
#[cfg(test)]
mod vectors_tests;
