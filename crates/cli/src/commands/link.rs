//! `segue link`: shows a code that adds a device to the account (SPEC A1).

use crate::{args, device::linking, error::Result, output::Output, upload::Uploader};

/// Shows a code until a device has joined.
pub(super) fn run(options: &args::Link, output: &Output) -> Result<()> {
    linking::run(&Uploader::open(output)?, options.link, output)
}
