//! `docs/protocol.md` and the vectors are enough to open a bundle: an independent script, in another language and
//! without a line of this project's code, does.

use std::{env, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

#[test]
fn an_independent_script_opens_the_bundle_in_the_vectors() -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = env::var_os("SEGUE_E2E_PYTHON").context("run cargo xtask check, or set SEGUE_E2E_PYTHON")?;
    let vectors = here.join("../crates/crypto/vectors/bundle.json");
    let run = |vectors: &Path| Command::new(&python).arg(here.join("tests/open_bundle.py")).arg(vectors).output();
    let output = run(&vectors)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let opened: Value = serde_json::from_slice(&output.stdout)?;
    assert!(opened["files"].as_array().is_some_and(|files| files.len() > 1), "{opened}");

    // The script verifies: one changed digit in the pack, and it refuses.
    let text = std::fs::read_to_string(&vectors)?;
    let pack = text.find("\"pack\"").or_else(|| text.find("\"packs\"")).context("the vector has no pack")?;
    let at = pack + text[pack..].find("00").or_else(|| text[pack..].find("11")).context("no digits to change")?;
    let folder = tempfile::tempdir()?;
    let changed = folder.path().join("bundle.json");
    std::fs::write(&changed, format!("{}7{}", &text[..at], &text[at + 1..]))?;
    assert!(!run(&changed)?.status.success());
    Ok(())
}
