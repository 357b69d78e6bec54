//! The git repository that a session was about: remote and branch, for its card.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use segue_signed::card::public_git_remote;

/// The remote of the repository at `directory`, without secrets; `None` without git, repository or remote.
///
/// Reads the configuration and nothing else, so that no hook, filter or file monitor of the repository runs.
pub fn remote(directory: &Path) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["config", "--local", "--no-includes", "--get", "remote.origin.url"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let remote = String::from_utf8(output.stdout).ok()?;
    if output.status.success() { public_git_remote(&remote) } else { None }
}
