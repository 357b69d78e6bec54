//! Who runs PostgreSQL: it refuses root, so then it is the system user that Debian's package makes.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{debian, process};

/// The user that Debian's package makes.
const SYSTEM_USER: &str = "postgres";

/// The user who owns the data and runs the programs.
pub(super) enum Account {
    /// Whoever typed the command.
    Own,
    /// The system user, because root typed it.
    System,
}

impl Account {
    /// Root runs PostgreSQL as the system user, everybody else as themselves.
    pub(super) fn choose() -> Result<Self> {
        if !debian::is_root() {
            return Ok(Self::Own);
        }
        if !has_system_user() {
            debian::install("PostgreSQL's system user", &["postgresql"])?;
        }
        Ok(Self::System)
    }

    /// A command of this user, in a folder that this user can enter.
    pub(super) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = match self {
            Self::Own => Command::new(program),
            Self::System => {
                let mut command = Command::new("runuser");
                command.args(["-u", SYSTEM_USER, "--"]).arg(program);
                command
            }
        };
        command.current_dir(folder);
        command
    }

    /// Gives a folder to this user.
    pub(super) fn own(&self, folder: &Path) -> Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::System => process::read(Command::new("chown").arg(format!("{SYSTEM_USER}:")).arg(folder)).map(drop),
        }
    }

    /// Whether this user can enter a folder, all the way down to it.
    pub(super) fn can_enter(&self, folder: &Path) -> bool {
        let open = |part: &Path| part.metadata().is_ok_and(|metadata| metadata.mode() & 0o001 != 0);
        matches!(self, Self::Own) || folder.ancestors().all(open)
    }
}

fn has_system_user() -> bool {
    process::succeeds(Command::new("id").arg(SYSTEM_USER))
}
