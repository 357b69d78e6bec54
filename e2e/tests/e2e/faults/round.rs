//! One session's way from Ann's tool to Ben's, with a fault at each of its commands.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    fault::{Fault, Random, What},
    native::Native,
    person::{Person, Ran, claude_project},
    rig::Rig,
    story::{BEN, id},
};
use serde_json::Value;

/// More than travels inside a request: packs are uploaded.
const BYTES: usize = 400 * 1024;
/// What is appended: travels inside a request.
const MORE_BYTES: usize = 10 * 1024;
/// The exit code of a program that was killed.
const KILLED: i32 = 137;

/// Who meets the fault.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    /// Each command of Ann's and Ben's.
    Client,
    /// The server of each command.
    Server,
}

/// One way.
pub(super) struct Round<'a> {
    rig: &'a mut Rig,
    at: At,
    fault: Fault,
    native: Native,
    met: u32,
}

#[derive(Clone, Copy)]
enum Who {
    Ann,
    Ben,
}

impl Who {
    fn of<'a>(self, ann: &'a Person, ben: &'a Person) -> &'a Person {
        match self {
            Self::Ann => ann,
            Self::Ben => ben,
        }
    }
}

/// Pushes, pushes more, hands over, pulls and resumes, each with the fault, and again where it did not succeed. How many
/// of the five met it.
pub(super) fn round(rig: &mut Rig, random: &mut Random, at: At, fault: Fault) -> Result<u32> {
    let native = Native::begin(&rig.ann, random, BYTES)?;
    let mut round = Round { rig, at, fault, native, met: 0 };
    round.walk(random).with_context(|| format!("{at:?} {fault:?}, session {}", round.native.id()))?;
    Ok(round.met)
}

impl Round<'_> {
    fn walk(&mut self, random: &mut Random) -> Result<()> {
        let native_id = self.native.id().to_owned();
        let first = self.step(Who::Ann, &["push", &native_id])?;
        self.native.grow(&self.rig.ann, random, MORE_BYTES)?;
        let second = self.step(Who::Ann, &["push", &native_id])?;
        ensure!(id(&first, "session_id")? == id(&second, "session_id")?, "two sessions: {first} {second}");
        self.native.grow(&self.rig.ann, random, MORE_BYTES)?;
        let handed = self.step(Who::Ann, &["handoff", &native_id, "--to", BEN])?;
        ensure!(id(&first, "session_id")? == id(&handed, "session_id")?, "two sessions: {first} {handed}");
        let handoff = id(&handed, "handoff_id")?;
        let session = id(&self.step(Who::Ben, &["pull-handoff", &handoff])?, "session_id")?;
        let resumed = self.step(Who::Ben, &["resume", &session, "--project", ".", "--print"])?;
        ensure!(id(&resumed, "native_id")? == native_id, "another id than the sender's: {resumed}");
        let restored = PathBuf::from(id(&resumed, "native_path")?);
        ensure!(self.native.is_at(&self.rig.ben, &restored)?, "Ben's is not what Ann's is");
        self.nothing_is_left()?;
        self.rig.check()
    }

    /// A command that meets the fault, and is run again if it did not succeed.
    fn step(&mut self, who: Who, words: &[&str]) -> Result<Value> {
        let mut words = words.to_vec();
        words.push("--json");
        let (ran, met) = match self.at {
            At::Client => {
                let log = self.rig.data().with_extension("client-strace");
                let person = who.of(&self.rig.ann, &self.rig.ben).under(self.fault.wrapper(&log));
                (person.run(&words)?, Fault::was_met(&log)?)
            }
            At::Server => {
                let (ran, met) = self.rig.with_fault(&self.fault, |ann, ben| who.of(ann, ben).run(&words))?;
                (ran?, met)
            }
        };
        self.met += u32::from(met);
        self.judge(&ran)
            .with_context(|| format!("segue {words:?} ended with {}: {}{}", ran.code, ran.stdout, ran.stderr))?;
        self.nothing_is_half_written().with_context(|| format!("after segue {words:?}"))?;
        if ran.code == 0 {
            return Ok(serde_json::from_str(&ran.stdout)?);
        }
        let again = who.of(&self.rig.ann, &self.rig.ben).run(&words)?;
        ensure!(again.code == 0, "segue {words:?} again: {}{}, at first: {}", again.stdout, again.stderr, ran.stderr);
        Ok(serde_json::from_str(&again.stdout)?)
    }

    /// A program that was not killed says what failed.
    fn judge(&self, ran: &Ran) -> Result<()> {
        ensure!(!ran.stderr.contains("panicked"), "it panicked");
        if ran.code == 0 || (ran.code == KILLED && self.fault.what == What::Kill) {
            return Ok(());
        }
        let said: Value = serde_json::from_str(&ran.stderr).context("no error was told")?;
        ensure!(said["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "no error was told");
        ensure!(matches!(ran.code, 1 | 6), "an exit code that means something else");
        Ok(())
    }

    /// What is in its final place is whole.
    fn nothing_is_half_written(&self) -> Result<()> {
        let ben = &self.rig.ben;
        let restored = claude_project(&ben.home(), &ben.work()).join(format!("{}.jsonl", self.native.id()));
        ensure!(!restored.exists() || self.native.is_at(ben, &restored)?, "half a session is in the tool's folder");
        for session in read_dir(&ben.segue_home().join("sessions"))? {
            let header = fs::read_to_string(session.join("content/session.json")).unwrap_or_default();
            let pulled = session.join("content/native/session.jsonl");
            let whole = !header.contains(self.native.id()) || fs::read(pulled)? == self.native.transcript()?;
            ensure!(whole && session.join("content").exists() != header.is_empty(), "half a session was pulled");
        }
        Ok(())
    }

    /// No temporary file is left of a command that did not end well, once it was run again.
    fn nothing_is_left(&self) -> Result<()> {
        for person in [&self.rig.ann, &self.rig.ben] {
            let mut left = Vec::new();
            temporary_files(&person.segue_home(), &mut left)?;
            temporary_files(&person.home().join(".claude"), &mut left)?;
            ensure!(left.is_empty(), "left behind: {left:?}");
        }
        Ok(())
    }
}

fn read_dir(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn temporary_files(folder: &Path, left: &mut Vec<PathBuf>) -> io::Result<()> {
    for path in read_dir(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The one temporary name of a file is written over when the file is.
        let waits = name.ends_with(".part") && path.is_file();
        if (name.starts_with('.') && !waits) || (folder.ends_with("tmp") && name != "lock") {
            left.push(path);
        } else if path.is_dir() {
            temporary_files(&path, left)?;
        }
    }
    Ok(())
}
