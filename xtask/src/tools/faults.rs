//! What the fault tests break programs with: strace, wrong clocks, and small disks by user namespaces. Linux alone has them.

use std::env::consts::OS;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{debian, process};

/// Installs what is missing and tries that it may be used here: containers often forbid it.
pub(crate) fn install() -> Result<()> {
    if OS != "linux" {
        println!("not Linux: the fault tests are left out");
        return Ok(());
    }
    for (program, package) in
        [("strace", "strace"), ("faketime", "faketime"), ("unshare", "util-linux"), ("nsenter", "util-linux")]
    {
        if process::find(program).is_none() {
            debian::install(program, &[package])?;
        }
    }
    if !process::succeeds(Command::new("strace").args(["-qq", "-o", "/dev/null", "true"])) {
        bail!("strace may not trace here. In a container, allow it: --cap-add SYS_PTRACE");
    }
    let mount = ["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"];
    if !process::succeeds(Command::new("unshare").args(mount)) {
        bail!("no small disk can be made here. Allow user namespaces, or in a container: --cap-add SYS_ADMIN");
    }
    println!("strace, wrong clocks and small disks can be used");
    Ok(())
}
