//! Keys, sealing and wraps: the only crate that sees a secret (`docs/protocol.md` §Keys, §Bundles).
//!
//! Pure: randomness is an argument, there is no clock, no file and no network. Every secret is zeroed when dropped and
//! prints as its name only.
//!
//! * [`root`]: the user root and the keys of one epoch.
//! * [`identity`], [`device`], [`encryption`], [`owner`]: what those keys do.
//! * [`recovery`]: the code that brings the user root back.
//! * [`mod@fingerprint`]: what two people compare.
//! * [`sealing`]: one ciphertext under one fresh key.
//! * [`bundle_key`]: the key of a bundle and what is derived from it.
//! * [`team_key`]: a team's key, locked for its members.
//! * [`invite`]: what a claim link holds, for somebody who has no key yet.
//! * [`pairing`]: two devices that find each other by a short code.
//! * [`keyring`]: the roots of older epochs. [`root_wrap`]: the next root, locked for a device that stays.
//! * [`wrap`]: a bundle key locked for one recipient.
//!
//! To add a derived key: 1. a label of its own in the module that uses it; 2. its bytes in that module's docs and in
//! `docs/protocol.md`; 3. a vector in `vectors/`.

pub mod bundle_key;
pub mod device;
pub mod encryption;
pub mod fingerprint;
pub mod identity;
pub mod invite;
pub mod keyring;
pub mod owner;
pub mod pairing;
pub mod recovery;
pub mod root;
pub mod root_wrap;
pub mod sealing;
pub mod team_key;
pub mod wrap;

mod crockford;
mod derive;
mod secret;

pub use bundle_key::{BundleKey, FreshBundleKey, SealedBodies};
pub use device::DeviceKey;
pub use encryption::EncryptionKey;
pub use fingerprint::fingerprint;
pub use identity::IdentityKey;
pub use invite::InviteSecret;
pub use keyring::{Keyring, KeyringPlace};
pub use owner::OwnerKey;
pub use recovery::RecoveryCode;
pub use root::{EpochKeys, KeyringKey, UserRoot};
pub use sealing::SegmentKey;
pub use team_key::TeamKeyRef;
pub use wrap::{BundleRef, RecipientKey};
