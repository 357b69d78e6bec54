//! What a killed program, a failing disk and a cut network leave behind: nothing that was acknowledged is lost, nothing
//! half-written is in anybody's way, and the same command run again completes. See `docs/testing.md`, "Faults".

#![expect(clippy::print_stdout, reason = "a failing run shows how far it came")]

mod calls;
mod cuts;
mod errors;
mod full;
mod kills;
mod moving;
mod random;
mod round;
