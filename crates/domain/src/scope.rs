//! What a personal access token may be used for (SPEC A3). A token holds no keys: it reads and manages what the server can
//! read, and never seals, claims or opens a session.
//!
//! To add one: 1. a variant; 2. its routes in the server's `http/scopes.rs`; 3. `docs/protocol.md` §5.

use std::{fmt, str::FromStr};

/// One right of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Lists and reads handoffs, their comments and logs.
    HandoffsRead,
    /// Revokes, declines and comments.
    HandoffsWrite,
    /// Lists sessions: cards, not content.
    SessionsRead,
    /// Reads projects and their records.
    ProjectsRead,
    /// Writes records.
    ProjectsWrite,
    /// Reads teams.
    TeamsRead,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::HandoffsRead,
        Self::HandoffsWrite,
        Self::SessionsRead,
        Self::ProjectsRead,
        Self::ProjectsWrite,
        Self::TeamsRead,
    ];

    /// The word in requests and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HandoffsRead => "handoffs:read",
            Self::HandoffsWrite => "handoffs:write",
            Self::SessionsRead => "sessions:read",
            Self::ProjectsRead => "projects:read",
            Self::ProjectsWrite => "projects:write",
            Self::TeamsRead => "teams:read",
        }
    }
}

/// A word that is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such scope: they are handoffs:read, handoffs:write, sessions:read, projects:read, projects:write and teams:read"
)]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_back_and_the_refusal_names_all() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert!(UnknownScope.to_string().contains(scope.as_str()));
        }
        assert_eq!("*".parse::<Scope>(), Err(UnknownScope));
    }
}
