//! `segue device start` and `segue link` as a program sees them: they show a code and go on talking.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::person::{Person, Ran};

/// A source that shows a code.
pub struct Showing {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// Everything that it has said.
    pub said: Vec<Value>,
}

impl Showing {
    /// Starts to show a code for a session.
    pub fn start(person: &Person, arguments: &[&str]) -> Result<Self> {
        Self::of(person, &[&["device", "start"], arguments].concat())
    }

    /// Starts a command that shows a code.
    pub fn of(person: &Person, arguments: &[&str]) -> Result<Self> {
        let all = [&["--json"], arguments].concat();
        let mut command = person.command(&all)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().context("it has no standard output")?);
        Ok(Self { child, stdin, stdout, said: Vec::new() })
    }

    /// The next thing that it says; none when it has ended.
    pub fn hear(&mut self) -> Result<Option<Value>> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let value: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        self.said.push(value.clone());
        Ok(Some(value))
    }

    /// Waits for something that it says; what comes before is passed over.
    pub fn until(&mut self, event: &str) -> Result<Value> {
        while let Some(value) = self.hear()? {
            if value["event"] == event {
                return Ok(value);
            }
        }
        bail!("it ended before it said {event}, with {:?}", self.said)
    }

    /// The code that it shows.
    pub fn code(&mut self) -> Result<String> {
        Ok(self.until("issued")?["code"].as_str().context("no code is shown")?.to_owned())
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        writeln!(self.stdin.as_mut().context("its standard input is closed")?, "{line}")?;
        Ok(())
    }

    /// Closes its standard input.
    pub fn say_no_more(&mut self) {
        drop(self.stdin.take());
    }

    /// Lets in who asks: types what both screens show.
    pub fn approve(&mut self) -> Result<Value> {
        let asked = self.until("approval")?;
        let sas = asked["sas"].as_str().context("nothing is shown to compare")?.to_owned();
        self.type_line(&sas)?;
        Ok(asked)
    }

    /// Reads what it says to its end in the background, and lets in whoever asks.
    pub fn let_anybody_in(mut self) -> JoinHandle<Result<Ran>> {
        thread::spawn(move || {
            let mut line = String::new();
            while self.stdout.read_line(&mut line)? > 0 {
                let value: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
                if let Some(sas) = value["sas"].as_str() {
                    // It may have ended meanwhile.
                    drop(self.type_line(sas));
                }
                line.clear();
            }
            self.end()
        })
    }

    /// Stops it in the middle of whatever it does.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until it has ended.
    pub fn end(mut self) -> Result<Ran> {
        drop(self.stdin.take());
        let mut line = String::new();
        while self.stdout.read_line(&mut line)? > 0 {
            line.clear();
        }
        Ran::of(self.child.wait_with_output()?)
    }
}
