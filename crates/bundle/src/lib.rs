//! A session as sealed segments in packs, a sealed manifest and a signed envelope (`docs/protocol.md` §Bundles).
//!
//! No network and no clock; files are touched only where a bundle is unpacked. Memory is bounded by a few segments.
//!
//! The sender: [`draft::draft`] cuts, compresses and seals what is new into packs; [`seal::seal_bundle`] seals a manifest
//! over a draft's segments and signs an envelope. A handoff seals a new manifest over the same [`Contents`].
//!
//! The receiver: [`open::verify_envelope`] → [`open::VerifiedEnvelope::unwrap`] → [`open::OpenedBundle::open_manifest`] →
//! [`unpack::unpack`]. Each step takes what only the step before gives.
//!
//! * [`path`], [`manifest`], [`contents`]: what lies in a bundle, and which of it is refused.
//! * [`codec`], [`segment`], [`pack`]: bytes on their way in and out.
//!
//! To add a codec: 1. a variant in [`codec::Codec`] with its number; 2. its encoder and its strict decoder; 3. a vector
//! and a bomb in the tests; 4. its rules in `docs/protocol.md`.

pub mod codec;
pub mod contents;
pub mod draft;
pub mod manifest;
pub mod open;
pub mod pack;
pub mod path;
pub mod reader;
pub mod seal;
pub mod segment;
pub mod unpack;

mod cutter;
mod pipeline;
mod reuse;
mod staging;
mod window;
mod writer;
mod zstd_frame;

pub use codec::Compression;
pub use contents::Contents;
pub use draft::{Draft, DraftError, Plan, SourceFile, draft};
pub use manifest::{FileMode, FileRecord, Manifest, SegmentEntry};
pub use open::{Expected, OpenedBundle, Reader, VerifiedEnvelope, verify_envelope};
pub use pack::PackSink;
pub use reader::{PackSource, ReadSeek};
pub use seal::{Heading, Owner, SealError, SealedBundle, seal_bundle};
pub use unpack::{UnpackError, unpack};
