//! The contract: every type that crosses HTTP, and nothing else.
//!
//! Ids are text (`hnd_…`), times are unix milliseconds, bytes are base64url without padding ([`Bytes`]). The generated
//! document is `openapi.json` beside this crate; a test in the server fails when it is not current.
//!
//! To add a type: 1. here, in the module that carries the route's name; 2. `cargo xtask openapi`.

pub mod account;
pub mod bundles;
pub mod bytes;
pub mod devices;
pub mod handoffs;
pub mod invites;
pub mod news;
pub mod pairings;
pub mod people;
pub mod problem;
pub mod projects;
pub mod sessions;
pub mod teams;
pub mod tokens;

pub use bytes::Bytes;
pub use problem::{Code, Problem};

/// Header that makes the repeat of a changing request give the first answer (SPEC T18).
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Header of a pack upload: SHA-256 of the whole pack, lower-case hexadecimal.
pub const PACK_SHA256: &str = "x-segue-sha256";
/// Header of a pack upload: how many of its bytes came before, or are there.
pub const UPLOAD_OFFSET: &str = "upload-offset";
/// Header of an answer about a pack upload: `?1` when all of it is there, else `?0`.
pub const UPLOAD_COMPLETE: &str = "upload-complete";
