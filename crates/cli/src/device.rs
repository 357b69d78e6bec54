//! Device Handoff on this machine: moving the active view of a chat to another device and taking one in (SPEC D).
//!
//! ```text
//! start   offering ── shows the code ── judges who enters it ── approval ── moving: view ── backfill
//! claim   entering ── types the code ── answers ── view ── arrival: the native session
//! link    offering … linking: the account    join --code   entering … joining
//! return  returning ── a push, or words ── sealed, stored, sent ── taking back: shown, then put behind
//! ```
//!
//! * `offering` is the source, [`entering`] the destination; both talk to the relay alone and trust it with nothing.
//! * [`linking`] adds a device to an account by the same way (SPEC A1).
//! * [`scene`] makes the view, [`backfill`] what follows it; [`arrival`] puts both in place.
//! * [`shown`] knows the codes of this machine, so that none outlives its process.
//! * [`claiming`] is what a claim that is cut short goes on from.
//! * [`arrived`] knows the way back of what came here; [`returning`] goes it, [`taking_back`] is its other end.
//! * [`held`] knows which sessions another device holds: those are not resumed, pushed or handed over here.

pub mod arrival;
pub mod arrived;
pub mod backfill;
pub mod claiming;
pub mod drafts;
pub mod ending;
pub mod entering;
pub mod given;
pub mod held;
pub mod linking;
pub mod moving;
pub mod notes;
pub mod preview;
pub mod returning;
pub mod scene;
pub mod shown;
pub mod taking_back;

mod ahead;
mod approval;
mod countdown;
mod hearing;
mod offering;
