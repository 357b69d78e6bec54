//! One step of the check: announced, timed, and on failure told with how to run just it.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::process;

/// Runs one step. `again` is what a person types to run just this step.
#[expect(clippy::disallowed_methods, reason = "a person wants to know how long a step took")]
pub(super) fn step<T>(name: &str, again: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\n── {name}");
    let start = Instant::now();
    let done = work();
    let seconds = start.elapsed().as_secs_f64();
    println!("── {name}: {} after {seconds:.1} s", if done.is_ok() { "done" } else { "FAILED" });
    // The command stands alone at the very end, ready to be copied.
    done.map_err(|error| anyhow!("{error:#}\n\ncheck stopped at `{name}`. To run just it again:\n  {again}"))
}

/// Runs one cargo command as a step.
pub(super) fn cargo_step(name: &str, command: &mut Command) -> Result<()> {
    step(name, &process::line(command), || process::run(command))
}
