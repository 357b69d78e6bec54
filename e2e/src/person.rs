//! A person with a machine of their own: a home, a project directory, and the real `segue`.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::server::{program, wrapped};

/// One person's machine below a folder.
#[derive(Debug, Clone)]
pub struct Person {
    root: PathBuf,
    variables: Vec<(OsString, OsString)>,
    wrapper: Vec<OsString>,
}

/// What a command did.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its exit code; as in a shell, 128 and the number of a signal that ended it.
    pub code: i32,
    /// What it answered.
    pub stdout: String,
    /// What it said beside that.
    pub stderr: String,
}

impl Ran {
    /// What a process left that has ended.
    pub fn of(output: Output) -> Result<Self> {
        let ended_by = || output.status.signal().map(|signal| 128 + signal);
        Ok(Self {
            code: output.status.code().or_else(ended_by).context("segue ended in no known way")?,
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }

    /// What it said with `--json`, one value a line.
    pub fn events(&self) -> Result<Vec<Value>> {
        self.stdout.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }
}

impl Person {
    /// A person whose machine is empty.
    pub fn new(root: &Path) -> Result<Self> {
        for folder in ["home", "work"] {
            fs::create_dir_all(root.join(folder))?;
        }
        Ok(Self { root: fs::canonicalize(root)?, variables: Vec::new(), wrapper: Vec::new() })
    }

    /// The same person with one more variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// The same person with words before each command: what runs it, as `strace`.
    #[must_use]
    pub fn under(&self, wrapper: Vec<OsString>) -> Self {
        Self { wrapper, ..self.clone() }
    }

    /// Their `HOME`.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Their project directory.
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Their `SEGUE_HOME`.
    pub fn segue_home(&self) -> PathBuf {
        self.root.join("segue")
    }

    /// The command with this person's environment and nothing else of the machine but its PATH.
    pub fn command<Arg: AsRef<OsStr>>(&self, arguments: &[Arg]) -> Result<Command> {
        let mut command = wrapped(&self.wrapper, program("segue")?);
        command.args(arguments).current_dir(self.work()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home()).env("SEGUE_HOME", self.segue_home());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// Runs `segue` to its end.
    pub fn run<Arg: AsRef<OsStr>>(&self, arguments: &[Arg]) -> Result<Ran> {
        self.run_with(arguments, |child| Ok(child.wait_with_output()?))
    }

    /// Runs `segue`; `wait` gets the process, its outputs piped, and sees it to its end.
    pub fn run_with<Arg: AsRef<OsStr>>(
        &self,
        arguments: &[Arg],
        wait: impl FnOnce(Child) -> Result<Output>,
    ) -> Result<Ran> {
        let output = wait(self.command(arguments)?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)?;
        Ran::of(output)
    }

    /// Runs `segue` with `--json`, which must succeed, and reads its answer.
    pub fn json<Arg: AsRef<OsStr>>(&self, arguments: &[Arg]) -> Result<Value> {
        let mut all: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        all.push(OsStr::new("--json"));
        let ran = self.run(&all)?;
        ensure!(ran.code == 0, "segue {all:?} ended with {}: {}{}", ran.code, ran.stdout, ran.stderr);
        serde_json::from_str(&ran.stdout).with_context(|| format!("segue {all:?} did not answer JSON: {}", ran.stdout))
    }

    /// Copies a recorded Claude Code session, a tree with `home/coder/.claude` in it, into this home.
    pub fn record(&self, fixture: &Path) -> Result<()> {
        copy(&fixture.join("home/coder/.claude"), &self.home().join(".claude"))
    }
}

/// The recorded sessions of a tool's version.
pub fn fixture(tool: &str, version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/formats/fixtures").join(tool).join(version)
}

/// The folder that Claude Code keeps a directory's sessions in: every character but letters and digits becomes a dash.
/// Longer paths than a test uses are cut; see `segue-formats`.
pub fn claude_project(home: &Path, directory: &Path) -> PathBuf {
    let plain = |symbol: char| if symbol.is_ascii_alphanumeric() { symbol } else { '-' };
    home.join(".claude/projects").join(directory.display().to_string().chars().map(plain).collect::<String>())
}

/// Copies a folder and all in it.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
