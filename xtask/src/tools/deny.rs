//! cargo-deny: licences, banned crates, sources and advisories of what we link.

use std::env::consts::EXE_SUFFIX;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::process;

/// The version that is built where none is on the PATH.
const VERSION: &str = "0.20.2";

/// The path of cargo-deny: the one on the PATH, else ours, built once (minutes on two cores).
pub(crate) fn install(checkout: &Checkout) -> Result<PathBuf> {
    if let Some(program) = process::find("cargo-deny") {
        return Ok(program);
    }
    let folder = super::installed(checkout);
    let program = folder.join("bin").join(format!("cargo-deny{EXE_SUFFIX}"));
    if !program.is_file() {
        println!("cargo-deny is missing: building {VERSION}");
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "--quiet", "cargo-deny", "--locked", "--version", VERSION, "--root"]).arg(&folder);
        // Its own build folder, so that it disturbs nothing of ours; cargo would keep it under CARGO_TARGET_DIR.
        process::run(cargo.env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(program)
}
