//! The real `segue-server`, as a process of its own.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// A program of this workspace, beside the running one.
///
/// # Errors
/// When it was not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let this = env::current_exe()?;
    let found = this.ancestors().skip(1).take(3).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} was not built: cargo build -p segue-server -p segue"))
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    // Kept open: the server's line on it may not fail.
    stdout: Option<BufReader<ChildStdout>>,
    url: String,
    owner_link: Option<String>,
    data: PathBuf,
}

/// How to start a server.
#[derive(Debug, Default)]
pub struct Options {
    /// More arguments.
    pub arguments: Vec<OsString>,
    /// More variables.
    pub variables: Vec<(OsString, OsString)>,
    /// Words before the program: what runs it, as `strace`. It must become the program's process.
    pub wrapper: Vec<OsString>,
}

impl Server {
    /// Starts a server on `data` and a free port of this machine, and waits until it is ready.
    pub fn start(data: &Path, options: &Options) -> Result<Self> {
        fs::create_dir_all(data)?;
        let log = data.with_extension("log");
        let log = File::options().create(true).append(true).open(&log).context("cannot write the server's log")?;
        let mut child = wrapped(&options.wrapper, program("segue-server")?)
            .arg("--data")
            .arg(data)
            .args(["--listen", "127.0.0.1:0", "--json", "--requests-per-minute", "1000000"])
            .args(&options.arguments)
            .envs(options.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().context("stdout was asked for")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            // It may be under way still, and say so to nobody.
            drop(child.kill());
            let status = child.wait()?;
            bail!("the server did not start: {status}: {line}{}", fs::read_to_string(data.with_extension("log"))?);
        };
        Ok(Self {
            child,
            stdout: Some(stdout),
            url: ready["url"].as_str().context("the ready line names no url")?.to_owned(),
            owner_link: ready["owner_link"].as_str().map(str::to_owned),
            data: data.to_owned(),
        })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The one-time link for its owner, while nobody has joined.
    pub fn owner_link(&self) -> Option<&str> {
        self.owner_link.as_deref()
    }

    /// Where it keeps what it keeps.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// All it wrote to its log so far.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.data.with_extension("log"))?)
    }

    /// Something to wait with, in another thread, until it has ended.
    ///
    /// # Errors
    /// When it was taken before.
    pub fn end(&mut self) -> Result<End> {
        Ok(End(self.stdout.take().context("somebody waits for the end already")?))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without a warning, as a power cut would, and waits until it is gone.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// The end of a server.
pub struct End(BufReader<ChildStdout>);

impl End {
    /// Waits for it.
    pub fn wait(mut self) -> Result<()> {
        // Nothing is said behind the first line: what ends is the process that could.
        Ok(io::copy(&mut self.0, &mut io::sink()).map(drop)?)
    }
}

/// A command that runs `program`, with words before it.
pub(crate) fn wrapped(wrapper: &[OsString], program: PathBuf) -> Command {
    let mut words = wrapper.iter().cloned().chain([program.into()]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
