//! The step that asks cargo-deny. Advisories need the RustSec database from the network; the rest needs nothing.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::step::{cargo_step, step};
use crate::checkout::Checkout;
use crate::{process, tools};

/// Bans, licences and sources always; advisories wherever their database can be fetched, and aloud where not.
pub(super) fn run(checkout: &Checkout) -> Result<()> {
    let program = step("cargo-deny", "cargo install cargo-deny --locked", || tools::deny::install(checkout))?;
    cargo_step("deny", &mut deny(&program, "check --hide-inclusion-graph bans licenses sources"))?;
    if let Err(error) = process::read(&mut deny(&program, "fetch db")) {
        println!("\n── advisories: LEFT OUT. The RustSec database cannot be fetched from here:\n{error:#}");
        return Ok(());
    }
    cargo_step("advisories", &mut deny(&program, "check advisories"))
}

fn deny(program: &Path, words: &str) -> Command {
    let mut command = Command::new(program);
    command.args(words.split(' '));
    command
}
