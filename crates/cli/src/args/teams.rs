//! The options of teams.

use clap::Subcommand;

/// Work on teams.
#[derive(Debug, Clone, Subcommand)]
pub enum Team {
    /// Begin a team; you are its first admin
    Create {
        /// What to call it
        name: String,
    },
    /// List the teams that you are in
    List,
    /// Show one team, its members and its fingerprint
    Show {
        /// The team's id, the beginning of one, or its name
        team: String,
    },
    /// Take people into a team; they may claim what waits for it
    Add {
        /// The team's id, the beginning of one, or its name
        team: String,
        /// Their e-mail addresses; they must have joined
        #[arg(required = true)]
        emails: Vec<String>,
        /// Let them change the team; makes members admins, too
        #[arg(long)]
        admin: bool,
    },
    /// Take the present keys of members who have new ones, and sign again what a removed device had signed; as an admin
    Mend {
        /// The team's id, the beginning of one, or its name
        team: String,
    },
    /// Take somebody out of a team, as its admin; everybody else gets a new team key. Who wants to leave asks an admin
    Remove {
        /// The team's id, the beginning of one, or its name
        team: String,
        /// Their e-mail address or user id
        person: String,
    },
    /// Call a team something else
    Rename {
        /// The team's id, the beginning of one, or its name
        team: String,
        /// What to call it
        name: String,
    },
    /// End a team for good; what waits for it can be claimed by nobody
    Delete {
        /// The team's id, the beginning of one, or its name
        team: String,
    },
    /// Compare a team's fingerprint with the one that its admin told you
    Trust {
        /// The team's id, the beginning of one, or its name
        team: String,
        /// The fingerprint, as `segue team show` shows it to its admin
        fingerprint: String,
    },
}
