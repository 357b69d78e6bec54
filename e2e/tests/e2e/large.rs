//! Large sessions go through in bounded memory, on every side.

#![expect(clippy::print_stdout, reason = "what was held is worth knowing where it passes too")]

use std::{
    env, fs,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    fault::Random,
    native::Native,
    person::Person,
    story::{BEN, Story, id},
};
use serde_json::Value;
use tempfile::TempDir;

/// The most that a command may hold, in KiB.
const CLIENT_KIB_MAX: u64 = 64 * 1024;
/// The most that the server may hold, in KiB.
const SERVER_KIB_MAX: u64 = 96 * 1024;

/// Runs a command, and says on standard error what it held at most, in KiB.
const MEASURED: &str = "import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)";

#[test]
fn of_100_mb() -> Result<()> {
    goes_through(100_000_000)
}

#[test]
#[ignore = "long: a gibibyte"]
fn of_a_gibibyte() -> Result<()> {
    goes_through(1 << 30)
}

fn goes_through(bytes: usize) -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    let session = Native::begin(&story.ann, &mut Random::new(7), bytes)?;
    measured(&story.ann, &["push", session.id()])?;
    let handoff = id(&measured(&story.ann, &["handoff", session.id(), "--to", BEN])?, "handoff_id")?;
    let pulled = id(&measured(&story.ben, &["pull-handoff", &handoff])?, "session_id")?;

    let content = story.ben.segue_home().join("sessions").join(pulled).join("content/native/session.jsonl");
    ensure!(fs::read(content)? == session.transcript()?, "it arrived changed");
    let status = fs::read_to_string(format!("/proc/{}/status", story.server.id()))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak of the server")?;
    let peak: u64 = peak.trim().trim_end_matches("kB").trim().parse()?;
    println!("{bytes} bytes: the server held {peak} KiB");
    assert!(peak < SERVER_KIB_MAX, "the server held {peak} KiB");
    Ok(())
}

/// The answer of a command that kept within its memory.
fn measured(person: &Person, arguments: &[&str]) -> Result<Value> {
    let command = person.command(arguments)?;
    let python = env::var_os("SEGUE_E2E_PYTHON").context("run cargo xtask check, or set SEGUE_E2E_PYTHON")?;
    let mut measured = Command::new(python);
    measured.args(["-c", MEASURED]).arg(command.get_program()).args(command.get_args()).arg("--json").env_clear();
    measured.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = measured.current_dir(person.work()).stdin(Stdio::null()).output()?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.success(), "segue {arguments:?}: {said}");
    let held: u64 = said.lines().last().context("the measuring program said nothing")?.parse()?;
    println!("segue {}: {held} KiB", arguments[0]);
    assert!(held < CLIENT_KIB_MAX, "segue {arguments:?} held {held} KiB");
    Ok(serde_json::from_slice(&output.stdout)?)
}
