//! Installing what is missing: as root on Debian by itself, elsewhere by saying the one line to run.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// Whether these commands run as root.
pub(crate) fn is_root() -> bool {
    process::read(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0")
}

/// Installs Debian packages, or fails with the line that would.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let by_hand = format!("{what} is missing. Install it: apt-get install -y --no-install-recommends {names}");
    if !Path::new("/etc/debian_version").exists() {
        bail!("{what} is missing. Install it with your system's packages (on Debian: {names}).");
    }
    if !is_root() {
        bail!("{by_hand} (as root)");
    }
    eprintln!("{what} is missing: installing {names}");
    process::read(apt().arg("update")).with_context(|| by_hand.clone())?;
    let install = ["install", "-y", "--no-install-recommends"];
    process::read(apt().args(install).args(packages)).context(by_hand)?;
    Ok(())
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-qq").env("DEBIAN_FRONTEND", "noninteractive");
    command
}
