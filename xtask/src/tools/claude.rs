//! The real Claude Code, which the tests hand sessions to.

use std::env::consts::{ARCH, EXE_SUFFIX, OS};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::checkout::Checkout;
use crate::{debian, process};

/// The npm package that is pinned.
const PACKAGE: &str = "@anthropic-ai/claude-code";

/// The path of the pinned version, installed unless it is there already.
pub(crate) fn install(checkout: &Checkout) -> Result<PathBuf> {
    let pins = super::pins(checkout);
    let folder = super::installed(checkout);
    let version = pinned(&pins.join("package.json"))?;
    let program = program(&folder);
    if !answers(&program, &version) {
        need_node()?;
        fs::create_dir_all(&folder)?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(pins.join(file), folder.join(file)).with_context(|| format!("cannot copy {file}"))?;
        }
        let mut npm = Command::new("npm");
        process::read(npm.args(["ci", "--no-audit", "--no-fund", "--prefix"]).arg(&folder))?;
        if !answers(&program, &version) {
            bail!("{} was installed, but does not answer --version with {version}", program.display());
        }
    }
    println!("Claude Code {version}: {}", program.display());
    Ok(program)
}

/// Installs Node with npm unless they are there.
pub(crate) fn need_node() -> Result<()> {
    if process::find("npm").is_none() || process::find("node").is_none() {
        debian::install("Node with npm", &["nodejs", "npm"])?;
    }
    Ok(())
}

fn pinned(package: &Path) -> Result<String> {
    let text = fs::read_to_string(package).with_context(|| format!("cannot read {}", package.display()))?;
    let package: Value = serde_json::from_str(&text)?;
    let version = package["dependencies"][PACKAGE].as_str();
    Ok(version.with_context(|| format!("{PACKAGE} is not pinned in xtask/tools/package.json"))?.to_owned())
}

/// The native program of this machine's package: npm puts a placeholder into `.bin` when it runs no install scripts.
fn program(folder: &Path) -> PathBuf {
    let system = if OS == "macos" { "darwin" } else { OS };
    let machine = match ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let package = folder.join("node_modules").join(format!("{PACKAGE}-{system}-{machine}"));
    package.join(format!("claude{EXE_SUFFIX}"))
}

fn answers(program: &Path, version: &str) -> bool {
    program.is_file()
        && process::read(Command::new(program).arg("--version"))
            .is_ok_and(|said| said.split_whitespace().next() == Some(version))
}
