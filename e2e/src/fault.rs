//! Real faults: `strace` ends a program at its N-th call, or lets that call fail.
//!
//! strace counts for each call and each thread by itself. Whoever goes up from the first call until nothing is hit has been
//! at every call of the thread that does most; a client does nearly all in one thread.

use std::{
    collections::hash_map::RandomState, env, ffi::OsString, fs, hash::BuildHasher as _, path::Path, process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// The variable that names a seed, to see a run again.
const SEED: &str = "SEGUE_E2E_SEED";

/// A fault at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The call's name.
    pub call: &'static str,
    /// Which one, from 1.
    pub nth: u32,
    /// What happens there.
    pub what: What,
}

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The program is gone before the call is made.
    Kill,
    /// The call is not made and fails with this error, as `EIO`.
    Fail(&'static str),
}

impl Fault {
    /// The words before a command that make it meet this fault, with strace's log at `log`. The command keeps its process
    /// id and its way to end.
    pub fn wrapper(&self, log: &Path) -> Vec<OsString> {
        let what = match self.what {
            What::Kill => "signal=KILL".to_owned(),
            What::Fail(error) => format!("error={error}"),
        };
        let (trace, inject) =
            (format!("trace={}", self.call), format!("inject={}:{what}:when={}", self.call, self.nth));
        let mut words: Vec<_> =
            ["strace", "-D", "-f", "-qq", "-e", &trace, "-e", &inject, "-o"].map(OsString::from).into();
        words.push(log.into());
        words
    }

    /// Whether the fault was met, by strace's log, when nobody else kills the program.
    pub fn was_met(log: &Path) -> Result<bool> {
        let log = fs::read_to_string(log)?;
        Ok(log.contains("(INJECTED)") || log.contains("killed by SIGKILL"))
    }
}

/// Sends a signal, by its name, to a process that this one started and has not waited for.
pub fn signal(name: &str, process: u32) -> Result<()> {
    let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status()?;
    ensure!(sent.success(), "process {process} cannot be sent {name}");
    Ok(())
}

/// Numbers that a seed gives: SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From `SEGUE_E2E_SEED`, else from the machine; prints the seed, which a failing test shows.
    #[expect(clippy::print_stdout, reason = "a failing test must say how to see its run again")]
    pub fn seeded() -> Result<Self> {
        let seed = match env::var(SEED) {
            Ok(text) => text.parse().with_context(|| format!("{SEED} is no number"))?,
            Err(_) => RandomState::new().hash_one(0),
        };
        println!("to see this run again: {SEED}={seed}");
        Ok(Self::new(seed))
    }

    /// From a known seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }
}
