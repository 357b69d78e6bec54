//! The commands, one file each.

mod delete;
mod device;
mod doctor;
mod handoff;
mod handoffs;
mod invite;
mod join;
mod list;
mod project;
mod pull_handoff;
mod push;
mod records;
mod resume;
mod show;
mod team;
mod token;
mod verify;
mod vouch;
mod whoami;

use segue_domain::RecordKind;

pub(crate) use self::{
    list::day,
    push::{Prepared, Reading, prepare},
};

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
        Command::Verify => verify::run(output),
        Command::Vouch(options) => vouch::run(&options, output),
        Command::List(options) => list::run(&options, output),
        Command::Show(options) => show::run(&options, output),
        Command::Push(options) => push::run(&options, output),
        Command::Handoff(options) => handoff::run(&options, output),
        Command::Handoffs(options) => handoffs::run(options, output),
        Command::PullHandoff(options) => pull_handoff::run(&options, output),
        Command::Resume(options) => resume::run(&options, output),
        Command::Device(options) => device::run(options, output),
        Command::Delete(options) => delete::run(&options, output),
        Command::Team(options) => team::run(options, output),
        Command::Project(options) => project::run(options, output),
        Command::Ticket(options) => records::tickets(&options, output),
        Command::Persona(options) => records::run(RecordKind::Persona, &options, output),
        Command::Kb(options) => records::run(RecordKind::KbEntry, &options, output),
        Command::Wiki(options) => records::run(RecordKind::WikiPage, &options, output),
        Command::Token(options) => token::run(&options, output),
        Command::Whoami => whoami::run(output),
        Command::Doctor => doctor::run(output),
    }
}
