//! The commands, one file each.

mod delete;
mod doctor;
mod handoff;
mod handoffs;
mod invite;
mod join;
mod list;
mod pull_handoff;
mod push;
mod resume;
mod show;
mod whoami;

use crate::{
    args::{Arguments, Command},
    error::Result,
    output::Output,
};

/// Runs one command.
pub fn run(arguments: Arguments, output: &Output) -> Result<()> {
    match arguments.command {
        Command::Join(options) => join::run(&options, output),
        Command::Invite(options) => invite::run(&options, output),
        Command::List(options) => list::run(&options, output),
        Command::Show(options) => show::run(&options, output),
        Command::Push(options) => push::run(&options, output),
        Command::Handoff(options) => handoff::run(&options, output),
        Command::Handoffs(options) => handoffs::run(options, output),
        Command::PullHandoff(options) => pull_handoff::run(&options, output),
        Command::Resume(options) => resume::run(&options, output),
        Command::Delete(options) => delete::run(&options, output),
        Command::Whoami => whoami::run(output),
        Command::Doctor => doctor::run(output),
    }
}
