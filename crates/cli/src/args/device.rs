//! `segue device`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use url::Url;

/// Move a chat to another device.
#[derive(Debug, Clone, Subcommand)]
pub enum Device {
    /// Show a code for a chat; whoever enters it on another device, and is let in, goes on with it there
    Start(Start),
    /// Enter a code and go on here; it is read from SEGUE_DEVICE_CODE, standard input or a prompt. Needs no account
    Claim(ClaimCode),
    /// Give a chat back to the device that it came from, with what was said here; within a day
    Return(GiveBack),
    /// Which chats of this machine other devices hold, and which came from others
    Status,
    /// End a code that is shown
    Revoke {
        /// The pairing's id, par_…
        pairing: String,
    },
    /// Make a chat this machine's again, with what the other device has given back
    TakeBack {
        /// Session id, or the beginning of one
        session: String,
    },
    /// Go on with a chat here beside the device that holds it; they are two chats from then on
    Fork {
        /// Session id, or the beginning of one
        session: String,
    },
}

/// Show a code.
#[derive(Debug, Clone, Args)]
pub struct Start {
    /// Session id, or the beginning of one; the newest in the current directory when left out
    pub session: Option<String>,
    /// Show a link as well, for a device that cannot type
    #[arg(long)]
    pub link: bool,
    /// Move at once, also while a reply is being written
    #[arg(long)]
    pub now: bool,
    /// What you were writing, to go with it; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub draft: Option<PathBuf>,
}

/// Enter a code.
#[derive(Debug, Clone, Args)]
pub struct ClaimCode {
    /// The server that the other device names; a link names it by itself, and one's own needs no name
    #[arg(long, value_name = "URL", env = "SEGUE_SERVER")]
    pub server: Option<Url>,
    /// Show what arrives and take nothing in; the code is used up, and the other device takes the chat back
    #[arg(long)]
    pub dry_run: bool,
    /// Take in a chat of its own; the other device is told that it is not held, and takes its own back
    #[arg(long)]
    pub fork: bool,
    /// The directory to continue in
    #[arg(long, value_name = "PATH")]
    pub project: Option<PathBuf>,
    /// Print the command instead of starting the tool
    #[arg(long)]
    pub print: bool,
}

/// Give a chat back.
#[derive(Debug, Clone, Args)]
pub struct GiveBack {
    /// Session id, or the beginning of one; the newest in the current directory when left out
    pub session: Option<String>,
    /// What you were writing, to go with it; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub draft: Option<PathBuf>,
    /// Give it back at once, also while a reply is being written
    #[arg(long)]
    pub now: bool,
}
