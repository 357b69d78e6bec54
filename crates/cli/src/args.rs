//! Every command, its options and its help.

pub mod device;
pub mod projects;
pub mod teams;
pub mod tokens;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, error::ErrorKind};

/// Hands a live AI coding session to a teammate: sealed on this machine, resumed in the real tool on theirs.
#[derive(Debug, Clone, Parser)]
#[command(name = "segue", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Global {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only what was asked for, no progress and no notices
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Answer every question with yes
    #[arg(long, short, global = true)]
    pub yes: bool,
    /// Never ask; fail where an answer is needed
    #[arg(long, global = true)]
    pub no_input: bool,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Join a server with an invite link; makes this device's keys
    Join(Join),
    /// Show a code that adds a device to your account; enter it there with segue join --code
    Link(Link),
    /// Invite somebody; prints the link to give them
    Invite(Invite),
    /// Become a device of your account again, or with one more machine, by its recovery code; the code is read from
    /// SEGUE_RECOVERY_CODE, standard input or a prompt
    Recover(Recover),
    /// List your devices, and remove one
    Devices(Devices),
    /// Verify a person: compare fingerprints, and take a key that has changed. Without one your own e-mail address, with a code that
    /// comes by mail; it is read from SEGUE_VERIFY_CODE, standard input or a prompt
    Verify(Verify),
    /// List the people whose keys are known here
    Contacts,
    /// Vouch that an address is somebody's who has joined (owners only; recorded)
    Vouch(Vouch),
    /// List the sessions on this machine
    List(List),
    /// Show one session
    Show(Show),
    /// Seal a session and store it on the server
    Push(Push),
    /// Hand a session to somebody, as it is now
    Handoff(Handoff),
    /// Look at handoffs and answer them
    #[command(subcommand)]
    Handoffs(Handoffs),
    /// Claim a handoff and bring its session to this machine
    #[command(visible_alias = "claim")]
    PullHandoff(PullHandoff),
    /// Continue a session in its tool
    Resume(Resume),
    /// Move a chat to another device, or take one in
    #[command(subcommand)]
    Device(device::Device),
    /// Delete a session from the server; copies that were handed over stay
    Delete(Delete),
    /// Work on teams, to hand sessions to
    #[command(subcommand)]
    Team(teams::Team),
    /// Work on projects: what their members share
    #[command(subcommand)]
    Project(projects::Project),
    /// Work on the tickets of a project
    #[command(subcommand)]
    Ticket(projects::Tickets),
    /// Work on the personas of a project: ways to work, for a model
    #[command(subcommand)]
    Persona(projects::Records<projects::Named>),
    /// Work on the knowledge base of a project
    #[command(subcommand)]
    Kb(projects::Records<projects::Titled>),
    /// Work on the wiki pages of a project
    #[command(subcommand)]
    Wiki(projects::Records<projects::Named>),
    /// Make tokens for CI and agents: used with SEGUE_TOKEN and SEGUE_SERVER
    #[command(subcommand)]
    Token(tokens::Token),
    /// Show who is signed in here
    Whoami,
    /// Check this installation and the way to the server
    Doctor,
}

/// Join a server.
#[derive(Debug, Clone, Args)]
pub struct Join {
    /// The invite link; read from standard input or SEGUE_JOIN_LINK when left out. With --email also a server's address, which
    /// mails you a link where people may sign up
    pub link: Option<String>,
    /// Become a device of an account by the code that another device of it shows (segue link); LINK is then the server's address.
    /// The code is read from SEGUE_DEVICE_CODE, standard input or a prompt
    #[arg(long, conflicts_with_all = ["email", "name"])]
    pub code: bool,
    /// Your e-mail address; needed with the owner link, which names none, and to sign up
    #[arg(long)]
    pub email: Option<String>,
    /// Your name, as others will see it
    #[arg(long)]
    pub name: Option<String>,
    /// What to call this device
    #[arg(long)]
    pub device: Option<String>,
}

/// Become a device of an account.
#[derive(Debug, Clone, Args)]
pub struct Recover {
    /// The server's address; asked for when left out
    pub server: Option<String>,
    /// The account's e-mail address; asked for when left out
    pub email: Option<String>,
    /// What to call this device
    #[arg(long)]
    pub device: Option<String>,
    /// Make another recovery code, on a device that is signed in; the one before is worth nothing then
    #[arg(long, conflicts_with_all = ["server", "email", "device"])]
    pub new_code: bool,
}

/// Verify somebody, or one's own address.
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Their e-mail address, or their user id if you have met them
    #[arg(value_name = "PERSON")]
    pub person: Option<String>,
    /// The fingerprint as they told it you, not by Segue; it is compared instead of asking you
    #[arg(requires = "person")]
    pub fingerprint: Option<String>,
}

/// List devices.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Devices {
    /// Also those that were removed
    #[arg(long)]
    pub all: bool,
    /// What to do with one
    #[command(subcommand)]
    pub command: Option<DevicesCommand>,
}

/// What to do with a device.
#[derive(Debug, Clone, Subcommand)]
pub enum DevicesCommand {
    /// Remove a device: its access ends at once, your keys and your recovery code are new. This machine: sign out
    Remove {
        /// Its id, the beginning of it, or its name
        device: String,
    },
}

/// Show a code for a new device.
#[derive(Debug, Clone, Args)]
pub struct Link {
    /// Show a link as well, for a device that cannot type
    #[arg(long)]
    pub link: bool,
}

/// Invite somebody.
#[derive(Debug, Clone, Args)]
pub struct Invite {
    /// Whom to invite
    pub email: String,
    /// Vouch that the address is theirs, so that handoffs to it reach them (owners only; recorded)
    #[arg(long)]
    pub vouch: bool,
    /// Let the server mail the link, which verifies the address
    #[arg(long)]
    pub mail: bool,
}

/// Vouch for somebody.
#[derive(Debug, Clone, Args)]
pub struct Vouch {
    /// Their e-mail address, or their user id where several joined under one address
    #[arg(value_name = "EMAIL|USER")]
    pub who: String,
}

/// List sessions.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Sessions of the current directory only
    #[arg(long)]
    pub here: bool,
    /// At most so many, newest first
    #[arg(long, default_value_t = 20)]
    pub limit: usize,
}

/// Show one session.
#[derive(Debug, Clone, Args)]
pub struct Show {
    /// Session, handoff or the tool's own session id, or the beginning of one; the newest here when left out
    pub session: Option<String>,
    /// How many of the last messages to show
    #[arg(long, default_value_t = 6)]
    pub messages: usize,
}

/// Push a session.
#[derive(Debug, Clone, Args)]
pub struct Push {
    /// Session id, or the beginning of one; the newest in the current directory when left out
    pub session: Option<String>,
    /// Tell the server nothing about the session: no title, no remote, no counts
    #[arg(long)]
    pub private: bool,
    /// Compress what was appended by itself: more bytes, whose number tells less about them
    #[arg(long)]
    pub no_prefix: bool,
    /// Make it a session of its own, beside the one that another device pushed meanwhile
    #[arg(long)]
    pub as_new: bool,
}

/// Hand a session over.
#[derive(Debug, Clone, Args)]
pub struct Handoff {
    /// Session id, or the beginning of one; the newest in the current directory when left out
    pub session: Option<String>,
    /// The recipient's e-mail address; exactly one of this and the next two is needed
    #[arg(long, value_name = "EMAIL")]
    pub to: Option<String>,
    /// The recipient's user id
    #[arg(long, value_name = "USER", conflicts_with = "to")]
    pub to_user_id: Option<String>,
    /// The receiving team: its id, the beginning of one, or its name; one of its members claims it
    #[arg(long, value_name = "TEAM", conflicts_with_all = ["to", "to_user_id"])]
    pub to_team_id: Option<String>,
    /// What to tell them, at most 2000 characters; the server can read it
    #[arg(long, short, default_value = "", hide_default_value = true)]
    pub message: String,
    /// How long they may claim it; 168 when left out, at most what the plan allows
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..))]
    pub expires_hours: Option<u32>,
    /// The ticket that it is work on; the session's own when left out
    #[arg(long, value_name = "TICKET")]
    pub ticket: Option<String>,
    /// The persona that it works as; the session's own when left out
    #[arg(long, value_name = "NAME")]
    pub persona: Option<String>,
    /// A record of its project to go with it: kb_entry:NUMBER, wiki_page:SLUG or ticket:ID; up to 50 times
    #[arg(long, value_name = "KIND:ID")]
    pub attach: Vec<String>,
    /// Tell the server nothing about the session; refuses a message, which the server could read
    #[arg(long, conflicts_with_all = ["message", "ticket", "persona", "attach"])]
    pub private: bool,
    /// Print the claim link also with --json, when the recipient has not joined; whoever has it and the mailbox may claim
    #[arg(long)]
    pub show_link: bool,
    /// Compress what was appended by itself: more bytes, whose number tells less about them
    #[arg(long)]
    pub no_prefix: bool,
}

/// Look at handoffs.
#[derive(Debug, Clone, Subcommand)]
pub enum Handoffs {
    /// Handoffs to you
    Inbox(Page),
    /// Handoffs from you
    Sent(Page),
    /// One handoff: where it stands, its card, message and summary
    Get(OneHandoff),
    /// What was done in the session, in its sender's words; also before you claim it
    Summary(OneHandoff),
    /// Wait for what happens to your handoffs, one line each; a connection that breaks is taken up again, and nothing is missed
    Watch {
        /// Begin after this number, the first of a line: what came since is told first. From now on when left out
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..))]
        after: Option<i64>,
    },
    /// Take back a handoff that you gave and nobody claimed
    Revoke {
        /// The handoff's id
        handoff: String,
        /// Why, at most 500 characters; the other side reads it
        #[arg(long, short)]
        reason: String,
    },
    /// Refuse a handoff; of a team, for yourself
    Decline {
        /// The handoff's id
        handoff: String,
        /// Why, at most 500 characters; the sender reads it
        #[arg(long, short)]
        reason: Option<String>,
    },
    /// Write to the other side
    Comment {
        /// The handoff's id
        handoff: String,
        /// What, at most 10000 characters; read from standard input when it is `-`
        #[arg(long, short)]
        body: String,
    },
    /// What both sides wrote, oldest first
    Comments(OneHandoff),
    /// Lock the key of a handoff that you gave for somebody who has joined since; asks you to compare fingerprints
    ShareKey(OneHandoff),
    /// What happened to it, oldest first; says when the log was rewritten since you last looked
    Events(OneHandoff),
}

/// One handoff.
#[derive(Debug, Clone, Args)]
pub struct OneHandoff {
    /// The handoff's id
    pub handoff: String,
}

/// One page of a list.
#[derive(Debug, Clone, Args)]
pub struct Page {
    /// Where to begin: the `next` of the page before
    #[arg(long)]
    pub cursor: Option<String>,
}

/// Claim a handoff.
#[derive(Debug, Clone, Args)]
pub struct PullHandoff {
    /// The handoff's id, or the address in its mail. Without one, and if you joined after it was sent: the claim link, from
    /// SEGUE_CLAIM_LINK, standard input or a prompt
    pub handoff: Option<String>,
}

/// Continue a session.
#[derive(Debug, Clone, Args)]
pub struct Resume {
    /// Session, handoff or the tool's own session id, or the beginning of one
    pub session: String,
    /// The tool to continue in; the session's own when left out
    #[arg(long = "in", value_name = "TOOL")]
    pub tool: Option<String>,
    /// The directory to continue in
    #[arg(long, value_name = "PATH")]
    pub project: Option<PathBuf>,
    /// Write the session and print the command instead of starting the tool
    #[arg(long)]
    pub print: bool,
}

/// Delete a session from the server.
#[derive(Debug, Clone, Args)]
pub struct Delete {
    /// Session id, or the beginning of one
    pub session: String,
}

/// Prints clap's own answer: help and version on standard output with code 0, mistakes on standard error with code 2.
pub fn refuse(error: &clap::Error) -> ExitCode {
    let wanted = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    // A closed pipe (`segue --help | head`) is no failure of ours.
    drop(error.print());
    if wanted { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
