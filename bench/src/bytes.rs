//! `segue-bench bytes`: what a session that goes on costs on the wire, both directions, beside `git push`.
//!
//! Over plain HTTP, so that the bytes are the protocol's own; TLS adds its handshake and some 22 bytes a record.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;
use segue_e2e::story::BEN;
use tempfile::TempDir;

use crate::generate::{self, MB};
use crate::measure::{Daemon, free_port, run as run_program};
use crate::proxy::{Bytes, Proxy};
use crate::report::{Spread, machine, mean, table};
use crate::stage::{Stage, Way, native_id};

/// How much to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Pushes of one more record each
    #[arg(long, default_value_t = 2_000)]
    pushes: u32,
    /// Size of the session that is pushed again and again, in MB
    #[arg(long, default_value_t = 50)]
    mb: u64,
    /// Size of the session that grows by 1 %, in MB
    #[arg(long, default_value_t = 100)]
    grown_mb: u64,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = TempDir::new()?;
    let stage = Stage::begin(root.path(), false, Way::Counted)?;
    println!("{}\n", machine());
    one_by_one(&stage, options)?;
    against_git(&stage, &root.path().join("git"), options.grown_mb)
}

/// One session, pushed after every record.
fn one_by_one(stage: &Stage, options: &Options) -> Result<()> {
    let session = generate::create(&stage.ann.home().join(".claude"), &stage.ann.work(), options.mb * MB, 1)?;
    let mut rows = vec![row(&format!("first push of {} MB", options.mb), push(stage, &session)?)];
    let len = fs::metadata(&session)?.len();
    let mut pushes = Vec::new();
    for _ in 0..options.pushes {
        generate::append_record(&session)?;
        pushes.push(push(stage, &session)?);
    }
    let appended = (fs::metadata(&session)?.len() - len) / u64::from(options.pushes.max(1));
    if let Some(first) = pushes.first() {
        rows.push(row(&format!("push after one more record (of {appended} bytes on average)"), *first));
    }
    rows.push(row("push of what has not changed", push(stage, &session)?));
    rows.push(row("handoff of what is pushed", counted(stage, &["handoff", native_id(&session)?, "--to", BEN])?));
    println!("### A session of {} MB that goes on\n\n{}", options.mb, table(&HEAD, &rows));
    let spread = |name: &str, of: fn(&Bytes) -> u64| {
        let figures: Vec<f64> = pushes.iter().map(of).map(float).collect();
        vec![name.to_owned(), Spread::of(&figures).text(0), format!("{:.0}", mean(&figures))]
    };
    let rows = [
        spread("up", |bytes| bytes.up),
        spread("down", |bytes| bytes.down),
        spread("both", |bytes| bytes.up + bytes.down),
    ];
    let head = ["bytes of a push", "min / median / max", "mean"];
    println!("### {} pushes, each after one more record\n\n{}", options.pushes, table(&head, &rows));
    Ok(())
}

const HEAD: [&str; 4] = ["what", "bytes up", "bytes down", "both"];

/// A session that grows by 1 %: Segue's push beside git's, over the same kind of proxy.
fn against_git(stage: &Stage, root: &Path, mb: u64) -> Result<()> {
    let session = generate::create(&stage.ann.home().join(".claude"), &stage.ann.work(), mb * MB, 2)?;
    let git = Git::begin(root)?;
    let mut rows = Vec::new();
    for what in ["first push", "push after 1 % more"] {
        rows.push(row(&format!("segue, {what}"), push(stage, &session)?));
        rows.push(row(&format!("git, {what}"), git.push(&session)?));
        if rows.len() == 2 {
            generate::grow(&session, mb * MB / 100)?;
        }
    }
    println!("### A session of {mb} MB that grows by 1 %\n\n{}", table(&HEAD, &rows));
    Ok(())
}

fn push(stage: &Stage, session: &Path) -> Result<Bytes> {
    counted(stage, &["push", native_id(session)?])
}

/// What a command of Ann's sends and receives.
fn counted(stage: &Stage, arguments: &[&str]) -> Result<Bytes> {
    let proxy = stage.proxy.as_ref().context("a counted stage has a proxy")?;
    proxy.take();
    stage.ann.json(arguments)?;
    Ok(proxy.take())
}

fn row(what: &str, bytes: Bytes) -> Vec<String> {
    vec![what.to_owned(), bytes.up.to_string(), bytes.down.to_string(), (bytes.up + bytes.down).to_string()]
}

#[expect(clippy::cast_precision_loss, reason = "no push is 2^53 bytes long")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}

/// A working copy and a bare repository behind `git daemon`, which neither encrypts nor asks who one is.
struct Git {
    copy: PathBuf,
    proxy: Proxy,
    _daemon: Daemon,
}

impl Git {
    fn begin(root: &Path) -> Result<Self> {
        let (copy, bare, port) = (root.join("copy"), root.join("served/sessions.git"), free_port()?);
        run_program(Command::new("git").args(["init", "-q", "-b", "main"]).arg(&copy))?;
        run_program(Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(&bare))?;
        let mut daemon = Command::new("git");
        daemon.args(["daemon", "--listen=127.0.0.1", "--export-all", "--enable=receive-pack"]);
        daemon.arg(format!("--port={port}")).arg(format!("--base-path={}", root.join("served").display()));
        let daemon = Daemon::start(&mut daemon, port)?;
        Ok(Self { copy, proxy: Proxy::start(port, None)?, _daemon: daemon })
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new("git");
        // Nobody's own settings.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]).args(arguments);
        run_program(command.current_dir(&self.copy)).map(drop)
    }

    fn push(&self, session: &Path) -> Result<Bytes> {
        fs::copy(session, self.copy.join("session.jsonl"))?;
        self.run(&["add", "session.jsonl"])?;
        self.run(&["commit", "-q", "-m", "session"])?;
        self.proxy.take();
        let url = format!("git://127.0.0.1:{}/sessions.git", self.proxy.port());
        self.run(&["push", "-q", &url, "main"])?;
        Ok(self.proxy.take())
    }
}
