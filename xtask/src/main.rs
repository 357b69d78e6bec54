//! The project's own commands: `cargo xtask demo`, `check`, `arrows`, `openapi`, `pg`.
//!
//! To add one: 1. a module with a public `run`, 2. a variant of [`Command`] with a line of help, 3. an arm in [`run`].
#![expect(clippy::print_stdout, reason = "these commands talk to the person who typed them")]
#![expect(clippy::print_stderr, reason = "what goes wrong must not end up in `$(cargo xtask pg)`")]

mod arrows;
mod check;
mod checkout;
mod debian;
mod demo;
mod openapi;
mod pg;
mod process;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use checkout::Checkout;

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Command {
    /// Ann hands a session to Ben, on this machine, step by step.
    Demo(demo::Options),
    /// Everything a change must pass, one step after the other. CI runs exactly this.
    Check(check::Options),
    /// Who may depend on whom, and the rules that only the text can show.
    Arrows,
    /// Writes the HTTP contract, crates/api/openapi.json, from the code.
    Openapi,
    /// A throw-away PostgreSQL cluster for the tests.
    Pg(pg::Options),
}

fn main() -> ExitCode {
    match run(&Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let checkout = Checkout::find()?;
    match command {
        Command::Demo(options) => demo::run(&checkout, options),
        Command::Check(options) => check::run(&checkout, options),
        Command::Arrows => arrows::run(&checkout),
        Command::Openapi => openapi::run(),
        Command::Pg(options) => pg::run(&checkout, options),
    }
}
