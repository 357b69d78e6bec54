//! Throws damaged and hostile bytes at everything that parses bytes from others (`docs/testing.md` §Fuzzing).
//!
//! Runs on stable Rust: the generator is in this crate. A run is told by its target and its seed, and finds the same
//! inputs again. A case fails when the target panics, breaks a promise it asserts, allocates more than the target's
//! bound, or takes longer than [`run::HANG_SECONDS`].
//!
//! * [`corpus`]: honest inputs, read from the fixtures and vectors when a run starts.
//! * [`mutate`]: how an honest input becomes a hostile one.
//! * [`targets`]: what is tried, and what must hold.
//! * [`run`]: one run, its clock and its report.
//!
//! To add a target: 1. a file in `targets/` with a type that is a [`targets::Target`]; 2. its line in
//! [`targets::ALL`]; 3. a test for it in `tests/fuzz/`.

pub mod corpus;
pub mod mutate;
pub mod random;
pub mod run;
pub mod targets;
