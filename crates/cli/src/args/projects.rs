//! The options of projects and their records.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Work on projects.
#[derive(Debug, Clone, Subcommand)]
pub enum Project {
    /// Make a project; you are its first admin
    Create {
        /// What to call it
        name: String,
        /// Its git remote, to recognise the repository by; it gives nobody access
        #[arg(long, value_name = "URL")]
        git_remote: Option<String>,
    },
    /// List the projects that you are a member of
    List,
    /// Show one project and its members
    Show {
        /// Its id or name; that of the current directory when left out
        project: Option<String>,
    },
    /// Make somebody a member, or change a member's role
    Add {
        /// The project's id or name
        project: String,
        /// Their e-mail address
        email: String,
        /// Let them manage members and delete the project
        #[arg(long)]
        admin: bool,
    },
    /// End a membership; everybody may end their own
    Remove {
        /// The project's id or name
        project: String,
        /// Their e-mail address
        email: String,
    },
    /// Delete a project with its records; its sessions and handoffs stay
    Delete {
        /// The project's id or name
        project: String,
    },
    /// Bind the current repository, or the current directory, to a project
    Use {
        /// The project's id or name
        project: String,
    },
    /// Unbind it
    Unuse,
}

/// Work on records that a person names.
#[derive(Debug, Clone, Subcommand)]
pub enum Records<New: Args> {
    /// Make one
    Create(New),
    /// List them, newest first
    List {
        /// Which project.
        #[command(flatten)]
        of: Of,
        /// Where to begin: the `next` of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show one
    Show(One),
    /// Change one; fails when somebody else did meanwhile
    Edit {
        /// Which one.
        #[command(flatten)]
        one: One,
        /// Its new title; as it was when left out
        #[arg(long)]
        title: Option<String>,
        /// Its new text.
        #[command(flatten)]
        content: Content,
    },
    /// Delete one
    Delete(One),
}

/// Work on tickets.
#[derive(Debug, Clone, Subcommand)]
pub enum Tickets {
    /// What all records have.
    #[command(flatten)]
    Record(Records<Titled>),
    /// Close one
    Close(One),
    /// Open one that was closed
    Reopen(One),
}

/// A record that the server names.
#[derive(Debug, Clone, Args)]
pub struct Titled {
    /// Its title
    pub title: String,
    /// Its text.
    #[command(flatten)]
    pub content: Content,
    /// Which project.
    #[command(flatten)]
    pub of: Of,
}

/// A record that its maker names.
#[derive(Debug, Clone, Args)]
pub struct Named {
    /// What to call it: a-z, 0-9, '.', '_' and '-'
    pub name: String,
    /// Its title; its name when left out
    #[arg(long)]
    pub title: Option<String>,
    /// Its text.
    #[command(flatten)]
    pub content: Content,
    /// Which project.
    #[command(flatten)]
    pub of: Of,
}

/// One record.
#[derive(Debug, Clone, Args)]
pub struct One {
    /// Its id, name, number or slug
    pub name: String,
    /// Which project.
    #[command(flatten)]
    pub of: Of,
}

/// The project of a record.
#[derive(Debug, Clone, Args)]
pub struct Of {
    /// The project's id or name; that of the current directory when left out
    #[arg(long)]
    pub project: Option<String>,
}

/// The text of a record.
#[derive(Debug, Clone, Args)]
pub struct Content {
    /// Its text, at most 65536 bytes; the server can read it
    #[arg(long, conflicts_with = "file")]
    pub body: Option<String>,
    /// A file with its text; `-` for standard input
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
}
