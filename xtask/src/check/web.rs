//! The step for the web client's code: its types, and its tests on the vectors that the Rust crates make.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::step::step;
use crate::checkout::Checkout;
use crate::{process, tools};

/// Installs what the lock file names, checks the types and runs the tests.
pub(super) fn run(checkout: &Checkout) -> Result<()> {
    let folder = checkout.root.join("web");
    step("web", "cd web && npm ci && npm run check && npm test", || {
        tools::claude::need_node()?;
        process::read(npm(&folder).args(["ci", "--no-audit", "--no-fund"]))?;
        process::run(npm(&folder).args(["run", "--silent", "check"]))?;
        process::run(npm(&folder).args(["run", "--silent", "test"]))
    })
}

fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder);
    command
}
