//! Measures `segue` and `segue-server` as they are built for people, beside what people would use instead.
//!
//! To add a measurement: 1. a module with a public `run`, 2. a variant of [`Command`] with a line of help, 3. an arm in
//! [`run`], 4. a paragraph in README.md that says what its numbers mean and what they do not.
#![expect(clippy::print_stdout, reason = "the tables are for the person who asked for them")]
#![expect(clippy::print_stderr, reason = "what goes wrong must not end up among the tables")]

mod bytes;
mod device;
mod existence;
mod generate;
mod handoff;
mod http;
mod measure;
mod memory;
mod peers;
mod proxy;
mod report;
mod stage;
mod start;
mod streams;
mod throughput;
mod tools;
mod under_load;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;

/// Measures Segue beside what people would use instead.
#[derive(Parser)]
#[command(name = "segue-bench")]
enum Command {
    /// Write a synthetic Claude Code session, or let one grow.
    Gen(generate::Options),
    /// Bring sessions from one person to another by every way, and compare.
    Handoff(handoff::Options),
    /// Move chats to another device by a code, beside a file by `wormhole-rs`.
    Device(device::Options),
    /// Count what a session that goes on costs on the wire, beside git.
    Bytes(bytes::Options),
    /// Time commands that talk to nobody, beside git.
    Start(start::Options),
    /// Time short requests while a push is being processed.
    UnderLoad(under_load::Options),
    /// Count handoffs and claims a second, by 1, 8 and 64 callers.
    Throughput(throughput::Options),
    /// Keep live connections open, and see what they cost.
    Streams(streams::Options),
    /// Compare how long a stranger waits for what exists and for what does not.
    Existence(existence::Options),
    /// Watch how much memory commands and server hold.
    Memory(memory::Options),
}

fn main() -> ExitCode {
    match run(&Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let measures = !matches!(command, Command::Gen(_));
    ensure!(
        !(measures && cfg!(debug_assertions)),
        "only release builds are measured: cargo build --release -p segue -p segue-server -p segue-bench"
    );
    match command {
        Command::Gen(options) => generate::run(options),
        Command::Handoff(options) => handoff::run(options),
        Command::Device(options) => device::run(options),
        Command::Bytes(options) => bytes::run(options),
        Command::Start(options) => start::run(options),
        Command::UnderLoad(options) => under_load::run(options),
        Command::Throughput(options) => throughput::run(options),
        Command::Streams(options) => streams::run(options),
        Command::Existence(options) => existence::run(options),
        Command::Memory(options) => memory::run(options),
    }
}
