//! `segue device`: moves a chat to another device, and takes one in (SPEC D).

mod claim;
mod give_back;
mod hold;
mod start;
mod take_back;

use crate::{args::device::Device, error::Result, output::Output};

/// Runs one of them.
pub(super) fn run(options: Device, output: &Output) -> Result<()> {
    match options {
        Device::Start(options) => start::run(&options, output),
        Device::Claim(options) => claim::run(&options, output),
        Device::Return(options) => give_back::run(&options, output),
        Device::Status => hold::status(output),
        Device::Revoke { pairing } => hold::revoke(&pairing, output),
        Device::TakeBack { session } => take_back::run(&session, output),
        Device::Fork { session } => hold::fork(&session, output),
    }
}
