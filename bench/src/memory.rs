//! `segue-bench memory`: the most memory that each command and the server hold while a large session goes through.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use segue_e2e::{
    person::Person,
    story::{BEN, id},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::generate::{self, MB};
use crate::measure::{checked, forget_peak, pause, peak_kb};
use crate::report::{machine, table};
use crate::stage::{Stage, Way, native_id};

/// How often a command is looked at. Its peak only rises, so that no more than what it rises in its last moment is missed.
const LOOK: Duration = Duration::from_millis(1);

/// How much to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Size of the session, in MB
    #[arg(long, default_value_t = 100)]
    mb: u64,
    /// Also a session of 1 GiB
    #[arg(long)]
    long: bool,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    println!("{}\n", machine());
    let long = if options.long { vec![1 << 30] } else { Vec::new() };
    for bytes in [vec![options.mb * MB], long].concat() {
        let root = TempDir::new()?;
        let stage = Stage::begin(root.path(), true, Way::Direct)?;
        let session = generate::create(&stage.ann.home().join(".claude"), &stage.ann.work(), bytes, 1)?;
        println!(
            "### Peak of resident memory in MiB, a session of {} MB\n\n{}",
            bytes / MB,
            go_through(&stage, &session)?
        );
    }
    Ok(())
}

fn go_through(stage: &Stage, session: &Path) -> Result<String> {
    let native = native_id(session)?;
    let mut rows = Vec::new();
    let mut step = |name: &str, person: &Person, arguments: &[&str]| {
        forget_peak(stage.server.id())?;
        let (answer, client) = watched(person, arguments)?;
        let server = peak_kb(stage.server.id()).context("the server is gone")?;
        rows.push(vec![name.to_owned(), mib(client), mib(server)]);
        anyhow::Ok(answer)
    };
    step("push", &stage.ann, &["push", native])?;
    let handoff = id(&step("handoff", &stage.ann, &["handoff", native, "--to", BEN])?, "handoff_id")?;
    step("pull-handoff", &stage.ben, &["pull-handoff", &handoff])?;
    Ok(table(&["step", "command", "server"], &rows))
}

/// Runs a command with `--json` to its end; its answer and its peak in kB.
fn watched(person: &Person, arguments: &[&str]) -> Result<(Value, u64)> {
    let mut command = person.command(arguments)?;
    let mut child = command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut errors = child.stderr.take().context("stderr was asked for")?;
    // Read beside, so that the command never waits for somebody to read it.
    let errors = thread::spawn(move || {
        let mut bytes = Vec::new();
        errors.read_to_end(&mut bytes).map(|_| bytes)
    });
    let peak = peak_of(&mut child)?;
    let mut output = child.wait_with_output()?;
    let Ok(said) = errors.join() else { bail!("the reading thread panicked") };
    output.stderr = said?;
    let output = checked(&format!("segue {arguments:?}"), output)?;
    Ok((serde_json::from_slice(&output.stdout)?, peak))
}

/// The answer in JSON is shorter than a pipe holds, so that the command can end while nobody reads it.
fn peak_of(child: &mut Child) -> Result<u64> {
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        peak = peak.max(peak_kb(child.id()).unwrap_or_default());
        pause(LOOK);
    }
    Ok(peak)
}

/// The kernel's kB are of 1024 bytes.
fn mib(kb: u64) -> String {
    format!("{}.{}", kb / 1024, kb % 1024 * 10 / 1024)
}
