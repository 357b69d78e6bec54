//! The programs of others that are measured beside ours; those that are missing are installed below `target/tools`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::measure::run;

/// The newest release when this was written. Its mailbox and relay are Python's.
const WORMHOLE: &str = "magic-wormhole-cli@0.8.1";
const WORMHOLE_SERVERS: [&str; 2] = ["magic-wormhole-mailbox-server==0.8.0", "magic-wormhole-transit-relay==0.5.0"];
/// `sshd` insists on being started by its whole path.
const SSHD: &str = "/usr/sbin/sshd";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bench")
}

/// `wormhole-rs`.
pub(crate) fn wormhole() -> Result<PathBuf> {
    let root = folder().join("wormhole-rs");
    let program = root.join("bin/wormhole-rs");
    if !program.is_file() {
        announce("wormhole-rs");
        // Its own, so that the workspace's settings and lock have no say.
        let target = root.join("target");
        run(Command::new("cargo")
            .args(["install", "--locked", WORMHOLE, "--root"])
            .arg(&root)
            .arg("--target-dir")
            .arg(target))?;
    }
    Ok(program)
}

/// `twist`, with the plugins `wormhole-mailbox` and `transitrelay`.
pub(crate) fn twist() -> Result<PathBuf> {
    let root = folder().join("wormhole-servers");
    let program = root.join("bin/twist");
    if !program.is_file() {
        announce("the servers of magic wormhole");
        run(Command::new("python3").args([OsStr::new("-m"), OsStr::new("venv"), root.as_os_str()]))?;
        run(Command::new(root.join("bin/pip")).args(["install", "--quiet"]).args(WORMHOLE_SERVERS))?;
    }
    Ok(program)
}

/// `sshd`, with `scp` and `ssh-keygen` beside it.
pub(crate) fn sshd() -> Result<PathBuf> {
    let packages = ["openssh-server", "openssh-client"];
    if !Path::new(SSHD).is_file() {
        let by_hand = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
        let may = Path::new("/etc/debian_version").exists() && user()? == "root";
        ensure!(may, "sshd is missing. On Debian, as root: {by_hand}");
        announce(SSHD);
        let mut install = Command::new("apt-get");
        install.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-qq", "-y", "--no-install-recommends"]);
        run(install.args(packages)).with_context(|| format!("try: apt-get update && {by_hand}"))?;
    }
    Ok(SSHD.into())
}

/// Who runs this.
pub(crate) fn user() -> Result<String> {
    Ok(String::from_utf8(run(Command::new("id").arg("-un"))?.stdout)?.trim().to_owned())
}

fn announce(what: &str) {
    eprintln!("{what} is missing: installing it");
}
