//! `cargo xtask pg`: a throw-away PostgreSQL cluster for the tests, and the same as a value for `check`.

mod account;
mod place;
mod programs;

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::checkout::Checkout;
use crate::process;
use account::Account;
use place::Place;
use programs::Programs;

/// What to do with the cluster.
#[derive(Args)]
pub(crate) struct Options {
    #[arg(value_enum, default_value_t = Action::Start)]
    action: Action,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    /// Starts it unless it runs, and prints its address.
    Start,
    /// Stops it; the data stays for the next start.
    Stop,
    /// Prints the address of the running cluster.
    Url,
}

/// Does what was typed.
pub(crate) fn run(checkout: &Checkout, options: &Options) -> Result<()> {
    match options.action {
        Action::Start => println!("{}", Cluster::start(checkout)?.keep()),
        Action::Stop => Cluster::find(checkout)?.stop()?,
        Action::Url => {
            let port = Cluster::find(checkout)?.port();
            println!("{}", url(port.context("the cluster is not running: cargo xtask pg start")?));
        }
    }
    Ok(())
}

/// A PostgreSQL cluster of this checkout. One that [`Cluster::start`] had to start is stopped when it is dropped.
pub(crate) struct Cluster {
    programs: Programs,
    account: Account,
    place: Place,
    started: Option<u16>,
}

/// How often a start is tried: the free port may be taken between asking for it and using it.
const TRIES: usize = 3;

impl Cluster {
    /// A running cluster: the one that runs, else a new one on a free port of 127.0.0.1.
    pub(crate) fn start(checkout: &Checkout) -> Result<Self> {
        let mut cluster = Self::find(checkout)?;
        let lock = File::create(checkout.target.join("pg").join("lock"))?;
        lock.lock().context("cannot wait for another start")?;
        if cluster.port().is_some() {
            return Ok(cluster);
        }
        cluster.create()?;
        let mut refusal = None;
        for _ in 0..TRIES {
            match cluster.serve() {
                Ok(port) => {
                    cluster.started = Some(port);
                    return Ok(cluster);
                }
                Err(error) => refusal = Some(error),
            }
        }
        let log = fs::read_to_string(cluster.log()).unwrap_or_default();
        let last = log.lines().rev().take(5).collect::<Vec<_>>();
        let tail = last.into_iter().rev().collect::<Vec<_>>().join("\n");
        Err(refusal.context("no start was tried")?.context(format!("PostgreSQL does not start; its log ends:\n{tail}")))
    }

    /// The address for `TEST_DATABASE_URL`.
    pub(crate) fn url(&self) -> Result<String> {
        Ok(url(self.started.or_else(|| self.port()).context("the cluster stopped")?))
    }

    fn find(checkout: &Checkout) -> Result<Self> {
        let account = Account::choose()?;
        let programs = Programs::find_or_install()?;
        let place = Place::choose(&checkout.target.join("pg"), &account)?;
        Ok(Self { programs, account, place, started: None })
    }

    /// Leaves the cluster running and returns its address.
    fn keep(mut self) -> String {
        let port = self.started.take().or_else(|| self.port());
        port.map(url).unwrap_or_default()
    }

    /// The port it answers on. A pid file left by a crash names one where nothing of ours answers.
    fn port(&self) -> Option<u16> {
        let lines = fs::read_to_string(self.pid_file()).ok()?;
        let port = lines.lines().nth(3)?.trim().parse::<u16>().ok()?;
        let mut probe = self.account.command(&self.programs.path("psql"), &self.place.folder);
        probe.args(["-X", "-q", "-t", "-A", "-h"]).arg(&self.place.folder);
        probe.args(["-p", &port.to_string(), "-U", "segue", "-d", "postgres", "-c", "SHOW data_directory"]);
        let answer = process::read(&mut probe).ok()?;
        (answer.trim() == self.data().to_string_lossy()).then_some(port)
    }

    /// Makes the data folder under another name first, so that an interrupted initdb leaves nothing half done.
    fn create(&self) -> Result<()> {
        if self.data().exists() {
            return Ok(());
        }
        let fresh = self.place.folder.join("fresh");
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        let mut initdb = self.account.command(&self.programs.path("initdb"), &self.place.folder);
        initdb.args(["--username=segue", "--auth=trust", "--locale=C", "--encoding=UTF8", "--pgdata"]).arg(&fresh);
        process::read(&mut initdb)?;
        fs::rename(&fresh, self.data())?;
        Ok(())
    }

    fn serve(&self) -> Result<u16> {
        if self.pid_file().exists() {
            // `port` found nothing that answers with this data folder, so the file is from a crash.
            fs::remove_file(self.pid_file())?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let socket = self.place.folder.display();
        let settings = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c max_connections=200 -c unix_socket_directories={socket}"
        );
        let mut command = self.control("start");
        process::read(command.arg("--log").arg(self.log()).args(["--wait", "--options", &settings]))?;
        Ok(port)
    }

    fn stop(&self) -> Result<()> {
        if self.port().is_none() {
            println!("the cluster is not running");
            return Ok(());
        }
        process::read(self.control("stop").args(["--wait", "--mode=fast"]))?;
        Ok(())
    }

    fn control(&self, action: &str) -> std::process::Command {
        let mut command = self.account.command(&self.programs.path("pg_ctl"), &self.place.folder);
        command.arg(action).arg("--pgdata").arg(self.data());
        command
    }

    /// One folder for each major version: the data of one cannot be read by another.
    fn data(&self) -> PathBuf {
        self.place.folder.join(format!("data-{}", self.programs.major))
    }

    fn pid_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    fn log(&self) -> PathBuf {
        self.place.folder.join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.started.is_some()
            && let Err(error) = self.stop()
        {
            eprintln!("PostgreSQL did not stop: {error:#}");
        }
    }
}

fn url(port: u16) -> String {
    format!("postgres://segue@127.0.0.1:{port}/postgres")
}
