//! Python with the `cryptography` package, a second, independent implementation that verifies what ours seals, with `aiosmtpd`,
//! an SMTP server that takes what ours mails, and with `schemathesis`, which asks the server whatever its contract allows.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::checkout::Checkout;
use crate::{debian, process};

/// The path of a Python that has the pinned packages, made unless it is there already.
pub(crate) fn install(checkout: &Checkout) -> Result<PathBuf> {
    let pins = super::pins(checkout).join("requirements.txt");
    let folder = super::installed(checkout).join("venv");
    let python = folder.join("bin").join("python3");
    let wanted = fs::read_to_string(&pins).with_context(|| format!("cannot read {}", pins.display()))?;
    let stamp = folder.join("requirements.txt");
    let current = fs::read_to_string(&stamp).is_ok_and(|had| had == wanted);
    if !current || !process::succeeds(Command::new(&python).args(["-c", "import aiosmtpd, cryptography, schemathesis"]))
    {
        if !process::succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"])) {
            debian::install("Python with venv", &["python3", "python3-venv"])?;
        }
        process::read(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&pins);
        process::read(&mut pip)?;
        fs::write(&stamp, &wanted)?;
    }
    println!("Python with {}: {}", wanted.lines().last().unwrap_or_default(), python.display());
    Ok(python)
}
