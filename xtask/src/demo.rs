//! `cargo xtask demo`: Ann hands a recorded session to Ben, on this machine. Needs nothing but Rust; where npm is there,
//! the real tool is fetched and resumes what Ben got.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::{checkout::Checkout, process, tools};

/// How to show it.
#[derive(Args)]
pub(crate) struct Options {
    /// End after the story instead of leaving the server running.
    #[arg(long)]
    once: bool,
}

/// Builds, and tells the story.
pub(crate) fn run(checkout: &Checkout, options: &Options) -> Result<()> {
    println!("Building the server and the command line …");
    process::run(Command::new("cargo").args([
        "build",
        "--quiet",
        "-p",
        "segue-server",
        "-p",
        "segue",
        "-p",
        "segue-e2e",
    ]))?;
    let mut story = Command::new(checkout.target.join("debug").join("segue-demo"));
    if options.once {
        story.arg("--once");
    }
    if process::find("npm").is_some() {
        println!("Fetching the pinned Claude Code with npm …");
        match tools::claude::install(checkout) {
            Ok(claude) => drop(story.env("SEGUE_E2E_CLAUDE", claude)),
            Err(error) => println!("The real tool is not shown: {error:#}"),
        }
    } else {
        println!("npm is not installed, so the real tool is not shown.");
    }
    process::run(&mut story)
}
