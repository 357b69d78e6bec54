//! The commands, one file each.

mod contacts;
mod delete;
mod device;
mod devices;
mod doctor;
mod handoff;
mod handoffs;
mod invite;
mod join;
mod link;
mod list;
mod project;
mod pull_handoff;
mod push;
mod records;
mod recover;
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
    account::Account,
    args::{Arguments, Command},
    error::Result,
    home::Home,
    output::Output,
    remote::{KEYS_CHANGED, newest_event},
};

/// Runs one command. What other devices of the account did meanwhile is followed: before it, where it takes the account's present
/// keys, else after it.
pub fn run(arguments: &Arguments, output: &Output) -> Result<()> {
    let mut done = run_once(arguments.clone(), output);
    if done.as_ref().is_err_and(|error| error.code == KEYS_CHANGED) {
        catch_up(output)?;
        done = run_once(arguments.clone(), output);
    }
    let behind = || Ok(Account::find(&Home::find()?)?.is_some_and(|account| account.device_events < newest_event()));
    if newest_event() > 0 && behind()? {
        // What the command did, it did; what takes keys says it again.
        if let Err(error) = catch_up(output) {
            output.tell(&[format!("What other devices of your account did cannot be followed: {}", error.message)]);
        }
    }
    done
}

fn catch_up(output: &Output) -> Result<()> {
    crate::devices::catch_up(&Home::find()?, output)
}

fn run_once(arguments: Arguments, output: &Output) -> Result<()> {
    match arguments.command {
        Command::Join(options) => join::run(&options, output),
        Command::Link(options) => link::run(&options, output),
        Command::Recover(options) => recover::run(&options, output),
        Command::Devices(options) => devices::run(&options, output),
        Command::Invite(options) => invite::run(&options, output),
        Command::Verify(options) => verify::run(&options, output),
        Command::Contacts => contacts::run(output),
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
