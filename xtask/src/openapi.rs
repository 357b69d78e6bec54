//! `cargo xtask openapi`: writes the HTTP contract from the code. A test of the server fails while it is not current.

use std::process::Command;

use anyhow::Result;

use crate::process;

/// Writes `crates/api/openapi.json`.
pub(crate) fn run() -> Result<()> {
    let mut test = Command::new("cargo");
    test.args(["test", "--quiet", "-p", "segue-server", "--test", "server", "openapi"]);
    process::run(test.env("UPDATE_OPENAPI", "1").env("SEGUE_SQLITE_ONLY", "1"))
}
