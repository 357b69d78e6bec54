//! The real Claude Code, run without a terminal against a model server of ours.

use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The variable that names the program; `cargo xtask check` sets it to the pinned version.
const PROGRAM: &str = "SEGUE_E2E_CLAUDE";

/// A turn against the stub takes seconds; what takes longer waits for something that will not come.
const TIME_LIMIT: Duration = Duration::from_secs(90);

/// The real tool.
pub struct Claude {
    program: PathBuf,
}

impl Claude {
    /// The tool that `SEGUE_E2E_CLAUDE` names. Panics where none is: a test without it would prove nothing.
    pub fn from_env() -> Self {
        let program = env::var_os(PROGRAM).expect("run cargo xtask check, or set SEGUE_E2E_CLAUDE");
        Self { program: PathBuf::from(program) }
    }

    /// Runs it to its end, with this home, in this folder, and with nothing else of the machine but its PATH.
    pub fn run<Arg: AsRef<OsStr>>(&self, home: &Path, cwd: &Path, stub_url: &str, args: &[Arg]) -> Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(cwd).env_clear();
        command.env("HOME", home).env("PATH", env::var_os("PATH").unwrap_or_default());
        command.env("ANTHROPIC_BASE_URL", stub_url).env("ANTHROPIC_API_KEY", "dummy");
        for switch in [
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
            "DISABLE_AUTOUPDATER",
            "DISABLE_ERROR_REPORTING",
            "DISABLE_TELEMETRY",
        ] {
            command.env(switch, "1");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        wait(child)
    }
}

/// Waits until both outputs are closed, which is when it and all it started have ended.
fn wait(mut child: Child) -> Result<Output> {
    let stdout = read_all(child.stdout.take().context("stdout was asked for")?);
    let stderr = read_all(child.stderr.take().context("stderr was asked for")?);
    let (Ok(stdout), Ok(stderr)) = (stdout.recv_timeout(TIME_LIMIT), stderr.recv_timeout(TIME_LIMIT)) else {
        child.kill()?;
        child.wait()?;
        bail!("claude was still running after {} s and was ended", TIME_LIMIT.as_secs());
    };
    Ok(Output { status: child.wait()?, stdout, stderr })
}

fn read_all(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (all, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if pipe.read_to_end(&mut bytes).is_ok() {
            // Nobody waits any more once the time limit has passed.
            drop(all.send(bytes));
        }
    });
    receiver
}
