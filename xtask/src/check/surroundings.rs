//! What the tests find around them: a PostgreSQL, the real tools, a second implementation to verify with.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::step::step;
use super::tally;
use crate::checkout::Checkout;
use crate::pg::Cluster;
use crate::process::{self, Stream};
use crate::tools;

/// Everything the tests need, made before the first one runs.
pub(super) struct Surroundings {
    database: Option<Cluster>,
    claude: PathBuf,
    python: PathBuf,
}

impl Surroundings {
    /// Installs and starts it all; what cannot be had is an error that says what to install.
    pub(super) fn prepare(checkout: &Checkout, sqlite_only: bool) -> Result<Self> {
        let database = if sqlite_only {
            println!("\n── PostgreSQL: left out, as --sqlite-only asks");
            None
        } else {
            Some(step("PostgreSQL", "cargo xtask pg", || Cluster::start(checkout))?)
        };
        let again = "cargo xtask check";
        let claude = step("real tools", again, || tools::claude::install(checkout))?;
        let python = step("python", again, || tools::python::install(checkout))?;
        step("faults", again, tools::faults::install)?;
        Ok(Self { database, claude, python })
    }

    /// Runs tests among these, as one step, and returns how many passed.
    pub(super) fn test(&self, name: &str, mut command: Command, nextest: bool) -> Result<u64> {
        command.env("SEGUE_E2E_CLAUDE", &self.claude).env("SEGUE_E2E_PYTHON", &self.python);
        let again = if let Some(cluster) = &self.database {
            // The cluster stops with the check, so who runs the step again starts it anew.
            let again = format!("TEST_DATABASE_URL=$(cargo xtask pg) {}", process::line(&command));
            command.env("TEST_DATABASE_URL", cluster.url()?);
            again
        } else {
            command.env_remove("TEST_DATABASE_URL").env("SEGUE_SQLITE_ONLY", "1");
            process::line(&command)
        };
        let stream = if nextest { Stream::Err } else { Stream::Out };
        let mut passed = 0;
        let count = |line: &str| passed += tally::passed(line).unwrap_or(0);
        step(name, &again, || process::watch(&mut command, stream, count))?;
        Ok(passed)
    }
}
