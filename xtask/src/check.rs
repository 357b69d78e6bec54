//! `cargo xtask check`: everything a change must pass, one step after the other. CI runs exactly this.
//!
//! To add a step: 1. a line in [`run`] where it belongs, 2. what it needs in `tools` or `surroundings`.

mod deny;
mod step;
mod surroundings;
mod tally;
mod web;

use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::checkout::Checkout;
use crate::{arrows, process};
use step::{cargo_step, step};
use surroundings::Surroundings;

/// How much to check.
#[derive(Args)]
pub(crate) struct Options {
    /// Also the tests marked `#[ignore = "long: …"]`.
    #[arg(long)]
    long: bool,
    /// Without PostgreSQL. The tests that need it are left out, which is why this must be typed.
    #[arg(long)]
    sqlite_only: bool,
}

/// Runs every step; stops at the first that fails, saying its name and how to run just it.
pub(crate) fn run(checkout: &Checkout, options: &Options) -> Result<()> {
    cargo_step("fmt", &mut cargo("fmt --all --check"))?;
    cargo_step("clippy", &mut cargo("clippy --workspace --all-targets -- -D warnings"))?;
    step("arrows", "cargo xtask arrows", || arrows::run(checkout))?;
    let passed = run_tests(checkout, options)?;
    web::run(checkout)?;
    cargo_step("docs", cargo("doc --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"))?;
    deny::run(checkout)?;
    println!("{passed} passed, 0 failed");
    Ok(())
}

/// The steps between making what the tests need and stopping it again; returns how many tests passed.
fn run_tests(checkout: &Checkout, options: &Options) -> Result<u64> {
    let surroundings = Surroundings::prepare(checkout, options.sqlite_only)?;
    // The end-to-end tests start these two as a person would.
    cargo_step("build", &mut cargo("build -p segue-server -p segue"))?;
    let nextest = process::find("cargo-nextest").is_some();
    if !nextest {
        println!("cargo-nextest is not installed: the tests run with cargo test");
    }
    let (short, long) = if nextest {
        ("nextest run --workspace", "nextest run --workspace --profile long --run-ignored only --no-tests warn")
    } else {
        ("test --workspace --bins --lib --tests", "test --workspace --bins --lib --tests -- --ignored")
    };
    let mut passed = surroundings.test("tests", cargo(short), nextest)?;
    if options.long {
        passed += surroundings.test("long tests", cargo(long), nextest)?;
    }
    if passed == 0 {
        bail!("no test ran");
    }
    cargo_step("doctests", &mut cargo("test --quiet --doc --workspace"))?;
    Ok(passed)
}

/// A cargo command, written as it would be typed.
fn cargo(words: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(words.split(' '));
    command
}
