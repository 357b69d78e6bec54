//! What the next session of a project is about: `active_ticket.json`, written when a handoff with a ticket or a persona is
//! pulled (SPEC T6, T16).
//!
//! One entry for each project, so that two never mix. The first session of the project that is captured after the pull,
//! and no other, takes it: an entry is taken under the folder's lock, by the session's native name, and goes away once the
//! session's record has what was taken. Who was killed between takes it again; nobody else can.

use std::{collections::BTreeMap, path::PathBuf};

use segue_api::handoffs::ActiveTicket;
use segue_domain::ProjectId;
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    home::{self, Home},
};

const FILE: &str = "active_ticket.json";

#[derive(Debug, Serialize, Deserialize)]
struct Book {
    v: u32,
    /// By project id.
    projects: BTreeMap<String, Entry>,
}

/// What waits for the next session of one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    project_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    git_remote: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    persona: Option<String>,
    handoff_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taken_by: Option<String>,
}

/// What a session is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// `prj_…`
    pub project_id: String,
    /// `tkt_…`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// A persona's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
}

impl Provenance {
    /// A session of a project, about nothing in particular.
    pub fn of(project: ProjectId) -> Self {
        Self { project_id: project.to_string(), ticket: None, persona: None }
    }
}

impl Book {
    fn load(home: &Home) -> Result<Self> {
        Ok(home::read_json(&path(home))?.unwrap_or(Self { v: 1, projects: BTreeMap::new() }))
    }

    fn save(&self, home: &Home) -> Result<()> {
        if !self.projects.is_empty() {
            return home::write_json(&path(home), self);
        }
        home::remove(&path(home))
    }
}

fn path(home: &Home) -> PathBuf {
    home.path(FILE)
}

/// Lets the next session of a project be about what a handoff carried.
pub fn put(home: &Home, active: &ActiveTicket, handoff_id: &str) -> Result<()> {
    let _lock = home.lock()?;
    let mut book = Book::load(home)?;
    let entry = Entry {
        project_name: active.project_name.clone(),
        git_remote: active.git_remote.clone(),
        ticket_id: active.ticket_id.clone(),
        persona: active.persona.clone(),
        handoff_id: handoff_id.to_owned(),
        taken_by: None,
    };
    book.projects.insert(active.project_id.clone(), entry);
    book.save(home)
}

/// Takes what waits for the project that a directory is bound to, or else for the one whose git remote is `remote`.
pub fn take(
    home: &Home,
    session: &str,
    project: Option<&str>,
    remote: impl FnOnce() -> Option<String>,
) -> Result<Option<Provenance>> {
    // Nearly always nothing waits.
    if !path(home).exists() {
        return Ok(None);
    }
    let remote = if project.is_none() { remote() } else { None };
    let _lock = home.lock()?;
    let mut book = Book::load(home)?;
    let is_meant = |(id, entry): &(&String, &mut Entry)| match project {
        Some(project) => *id == project,
        None => remote.is_some() && entry.git_remote == remote,
    };
    let Some((id, entry)) = book.projects.iter_mut().find(is_meant) else { return Ok(None) };
    if entry.taken_by.as_deref().is_some_and(|other| other != session) {
        return Ok(None);
    }
    entry.taken_by = Some(session.to_owned());
    let (project_id, ticket, persona) = (id.clone(), entry.ticket_id.clone(), entry.persona.clone());
    book.save(home)?;
    Ok(Some(Provenance { project_id, ticket, persona }))
}

/// Forgets what a session has taken: its record has it now.
pub fn forget(home: &Home, session: &str) -> Result<()> {
    if !path(home).exists() {
        return Ok(());
    }
    let _lock = home.lock()?;
    let mut book = Book::load(home)?;
    let before = book.projects.len();
    book.projects.retain(|_, entry| entry.taken_by.as_deref() != Some(session));
    if book.projects.len() == before { Ok(()) } else { book.save(home) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _, thread};

    fn active(project: &str, ticket: &str) -> ActiveTicket {
        ActiveTicket {
            project_id: project.to_owned(),
            project_name: "SDK".to_owned(),
            git_remote: Some(format!("github.com/acme/{project}")),
            ticket_id: Some(ticket.to_owned()),
            ticket_title: None,
            persona: None,
        }
    }

    fn ticket(taken: Option<Provenance>) -> Option<String> {
        taken.and_then(|taken| taken.ticket)
    }

    #[test]
    fn of_many_sessions_at_once_one_takes_it() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::at(root.path());
        for _ in 0..20 {
            put(&home, &active("p", "t"), "h").unwrap();
            let take_one = |name: String| {
                let taken = take(&home, &name, Some("p"), || None).unwrap();
                if taken.is_some() {
                    forget(&home, &name).unwrap();
                }
                taken.is_some()
            };
            let taken = thread::scope(|scope| {
                let all: Vec<_> = (0..8).map(|number| scope.spawn(move || take_one(format!("s{number}")))).collect();
                all.into_iter().map(|one| one.join().unwrap()).filter(|taken| *taken).count()
            });
            assert_eq!(taken, 1);
            assert!(!path(&home).exists());
        }
    }

    #[test]
    fn projects_do_not_mix_and_who_was_killed_takes_it_again() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::at(root.path());
        put(&home, &active("p", "t1"), "h").unwrap();
        put(&home, &active("q", "t2"), "h").unwrap();
        assert_eq!(fs::metadata(path(&home)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(take(&home, "s", Some("r"), || None).unwrap(), None);
        assert_eq!(take(&home, "s", None, || Some("github.com/acme/other".to_owned())).unwrap(), None);
        assert_eq!(take(&home, "s", None, || None).unwrap(), None);
        for _ in 0..2 {
            assert_eq!(ticket(take(&home, "s", Some("p"), || None).unwrap()).as_deref(), Some("t1"));
        }
        assert_eq!(take(&home, "other", Some("p"), || None).unwrap(), None);
        forget(&home, "s").unwrap();
        assert_eq!(take(&home, "s", Some("p"), || None).unwrap(), None);
        let remote = || Some("github.com/acme/q".to_owned());
        assert_eq!(ticket(take(&home, "s", None, remote).unwrap()).as_deref(), Some("t2"));
    }
}
