//! Segue's signed structures: parse, verify, and nothing else.
//!
//! The server links this crate to check what it stores and mails; clients link it to check everything again. It holds
//! no secret-key type, no key agreement and no encryption, so that a program that links only this crate cannot read a
//! session (ARCHITECTURE.md, invariant 1). Bytes and rules: `docs/protocol.md`.
//!
//! * [`lv`]: the one encoding under every hash and signature.
//! * [`sig`]: Ed25519, verified strictly.
//! * [`keycard`]: who a person is: identity key, encryption key, devices.
//! * [`root_wrap`]: a user root locked for one device; opaque here.
//! * [`card`]: the small public description of a session.
//! * [`header`], [`envelope`]: what a bundle says about itself, signed by a device.
//! * [`event`]: an entry of a handoff's audit log.
//! * [`wrap`]: a bundle key locked for one recipient; opaque here.
//! * [`roster`]: who is in a team; [`team_key`]: the team's key locked for one member, opaque here.
//! * [`pairing`]: what two devices that pair say to each other through the relay.
//! * [`parcel`]: all of a bundle that one request sends. Neither signed nor hashed.
//!
//! To add a structure: 1. a struct with `encode` and `parse` that consumes all input; 2. a label `segue/NAME/1` as its
//! first field; 3. vectors in `crates/crypto/vectors`, with a flip of every byte as negatives; 4. its bytes in
//! `docs/protocol.md`.

pub mod card;
pub mod envelope;
pub mod event;
pub mod header;
pub mod keycard;
pub mod lv;
pub mod pairing;
pub mod parcel;
pub mod root_wrap;
pub mod roster;
pub mod sig;
pub mod team_key;
pub mod wrap;

pub use card::Card;
pub use envelope::{Envelope, PackEntry, SignedEnvelope};
pub use event::Event;
pub use header::{BundleKind, Header, Recipient};
pub use keycard::{CardChange, Device, DeviceKind, KeyCard, SignedKeyCard};
pub use parcel::{InlinePack, Parcel};
pub use root_wrap::RootWrap;
pub use roster::{Member, MemberRole, Roster, SignedRoster};
pub use sig::Signature;
pub use team_key::TeamKeyWrap;
pub use wrap::{Wrap, WrapKind};

use sha2::{Digest, Sha256};

/// The one cryptographic suite of protocol version 1: X25519 + HKDF-SHA256 + ChaCha20-Poly1305 wraps, AES-256-GCM
/// bodies, Ed25519 signatures. Any other value is refused; there is no fallback.
pub const SUITE: u8 = 1;

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Why bytes are not the structure they claim to be. The text names the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A field is missing, over-long, of the wrong length or not minimal.
    #[error("malformed {0}")]
    Field(&'static str),
    /// Bytes follow where the structure ends.
    #[error("trailing bytes after {0}")]
    Trailing(&'static str),
    /// The label or suite is unknown: a newer or foreign structure.
    #[error("unknown {0}: made by a newer Segue, or not by Segue")]
    Unknown(&'static str),
}

/// Why a well-formed structure is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The signature does not match, strictly (RFC 8032 with small-order keys refused).
    #[error("the signature does not verify")]
    Signature,
    /// A public key is of small order or not a curve point.
    #[error("a public key is weak or not a key")]
    WeakKey,
    /// The signing device is not in the person's key card, or was revoked.
    #[error("the signing device is not an active device of its owner")]
    Device,
    /// The structure names another person or identity key than the card it is checked against.
    #[error("the structure belongs to another identity")]
    Identity,
    /// A key card does not follow the one before it.
    #[error("the key card does not continue the one before it")]
    Chain,
}
