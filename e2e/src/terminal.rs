//! `segue` on a terminal of its own, as a person has one: `script` makes it.

use std::{
    fs,
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{fault::signal, person::Person};

/// A terminal in which a command runs.
#[derive(Debug)]
pub struct Terminal {
    script: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    shown: Vec<u8>,
}

impl Terminal {
    /// Runs `segue` in it. No argument may hold what a shell reads otherwise.
    pub fn start(person: &Person, arguments: &[&str]) -> Result<Self> {
        let command = person.command(arguments)?;
        let words: Vec<_> =
            [command.get_program()].into_iter().chain(command.get_args()).map(|word| word.to_string_lossy()).collect();
        let mut script = Command::new("script");
        let inside = format!("exec {}", words.join(" "));
        script.args(["--quiet", "--return", "--command", &inside, "/dev/null"]).current_dir(person.work());
        script.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("script cannot start")?;
        let keys = script.stdin.take().context("no keys")?;
        let screen = script.stdout.take().context("no screen")?;
        Ok(Self { script, keys, screen, shown: Vec::new() })
    }

    /// All that it has shown when it shows `text`.
    pub fn until(&mut self, text: &str) -> Result<String> {
        let mut piece = [0; 4096];
        loop {
            // A character may be cut where a piece ends.
            let shown = String::from_utf8_lossy(&self.shown);
            if shown.contains(text) {
                return Ok(shown.into_owned());
            }
            let read = self.screen.read(&mut piece)?;
            ensure!(read > 0, "it ended before it showed {text}: {shown}");
            self.shown.extend_from_slice(&piece[..read]);
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &[u8]) -> Result<()> {
        Ok(self.keys.write_all(keys)?)
    }

    /// The command's own process.
    pub fn process(&self) -> Result<u32> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.script.id()))?;
        children.trim().parse().context("it runs no command")
    }

    /// Stops the command while something else happens. `script` stops with it.
    pub fn stopped(&self, meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
        let command = self.process()?;
        signal("STOP", command)?;
        let done = meanwhile();
        signal("CONT", command)?;
        signal("CONT", self.script.id())?;
        done
    }

    /// Closes it, whatever runs in it.
    pub fn close(&mut self) -> Result<()> {
        Ok(self.script.kill()?)
    }

    /// Waits until it has ended.
    pub fn end(mut self) -> Result<()> {
        self.script.wait()?;
        Ok(())
    }
}
