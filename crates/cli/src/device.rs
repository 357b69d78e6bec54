//! Device Handoff on this machine: moving the active view of a chat to another device and taking one in (SPEC D).
//!
//! ```text
//! start   offering ── shows the code ── judges who enters it ── approval ── moving: view ── backfill
//! claim   entering ── types the code ── answers ── view ── arrival: the native session
//! link    offering … linking: the account    join --code   entering … joining
//! ```
//!
//! * `offering` is the source, [`entering`] the destination; both talk to the relay alone and trust it with nothing.
//! * [`linking`] adds a device to an account by the same way (SPEC A1).
//! * [`scene`] makes the view, [`backfill`] what follows it; [`arrival`] puts both in place.
//! * [`held`] knows which sessions another device holds: those are not resumed, pushed or handed over here.

pub mod arrival;
pub mod backfill;
pub mod entering;
pub mod held;
pub mod linking;
pub mod moving;
pub mod preview;
pub mod scene;

mod approval;
mod hearing;
mod offering;
