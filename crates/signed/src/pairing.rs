//! What two devices that pair say to each other through the relay (`docs/protocol.md` §6). The relay reads which
//! pairing and attempt a message is for; shares and tags are opaque to it, and hello, view and acknowledgement are sealed.

mod message;
mod words;

pub use message::{Answer, Offer, Release};
pub use words::{Method, NAMEPLATE_SYMBOLS, Nameplate, NotANameplate, Purpose, SizeClass};

/// Version of the pairing protocol that stands in both sides' associated data. Any other is refused.
pub const PAIRING_VERSION: u8 = 1;
/// A sealed hello, in bytes: a name of 100 characters, two ids and a signature fit.
pub const HELLO_BYTES_MAX: usize = 1024;
