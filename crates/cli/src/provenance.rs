//! To which project a session belongs, and what in it the session is about (SPEC T15, T16).
//!
//! A session belongs to the project that its directory is bound to. The first session of a project that is captured after
//! a handoff was pulled takes the handoff's ticket and persona (`active_ticket`): one that was never pushed or handed over
//! from here, in a directory that is bound to the project, or is bound to none and has the project's git remote. A pulled
//! copy has those of its handoff from the start, and keeps its project wherever it is resumed.

use std::{fs, path::Path};

use segue_api::sessions::SetProject;
use segue_domain::{RecordKind, Reference};
use segue_signed::{card::git_remote_key, header::ATTACHMENTS_MAX};

use crate::{
    active_ticket::{self, Provenance},
    bindings,
    error::{CliError, Exit, Result},
    home::Home,
    library::Record,
    repository,
    untrusted::Untrusted,
    upload::Uploader,
};

/// What a handoff carries beside its session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// A ticket's id, or empty.
    pub ticket: String,
    /// A persona's name, or empty.
    pub persona: String,
    /// `kind:ref_id` each.
    pub attachments: Vec<String>,
}

impl References {
    /// Whether there is anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads what the command line asks for.
    ///
    /// # Errors
    /// Usage (exit 2) when something cannot be what it should be.
    pub fn read(ticket: Option<&str>, persona: Option<&str>, attachments: &[String]) -> Result<Self> {
        for (kind, name) in [(RecordKind::Ticket, ticket), (RecordKind::Persona, persona)] {
            if name.is_some_and(|name| !kind.may_be_called(name)) {
                return Err(CliError::usage(format!("no {kind} is called {}", Untrusted(name.unwrap_or_default())))
                    .hint(format!("See segue {kind} list.")));
            }
        }
        if attachments.len() > ATTACHMENTS_MAX {
            return Err(CliError::usage(format!("a handoff has at most {ATTACHMENTS_MAX} attachments")));
        }
        for text in attachments {
            Reference::attachment(text).map_err(|error| {
                CliError::usage(format!("{} cannot be attached: {error}", Untrusted(text)))
                    .hint("Attach kb_entry:NUMBER, wiki_page:SLUG or ticket:ID.")
            })?;
        }
        let text = |name: Option<&str>| name.unwrap_or_default().to_owned();
        Ok(Self { ticket: text(ticket), persona: text(persona), attachments: attachments.to_vec() })
    }

    /// With the session's own ticket and persona where no other was asked for; nothing of a private session.
    ///
    /// # Errors
    /// Usage (exit 2) when the session can carry nothing.
    pub fn for_session(mut self, record: &Record) -> Result<Self> {
        if record.private && !self.is_empty() {
            return Err(CliError::usage("this session is private, and the server could read what it refers to")
                .hint("Leave --ticket, --persona and --attach out."));
        }
        match &record.provenance {
            None if !self.is_empty() => {
                Err(CliError::usage("this session is in no project, so it can refer to nothing")
                    .hint("Bind its directory to one, there: segue project use PROJECT"))
            }
            Some(own) if !record.private => {
                for (asked, own) in [(&mut self.ticket, &own.ticket), (&mut self.persona, &own.persona)] {
                    if asked.is_empty() {
                        *asked = own.clone().unwrap_or_default();
                    }
                }
                Ok(self)
            }
            _ => Ok(self),
        }
    }
}

/// What names a session before it has an id.
fn name(record: &Record) -> Option<String> {
    record.native.as_ref().map(|native| format!("{}:{}", record.header.tool.as_str(), native.id))
}

/// Decides where a session belongs. `first` says that it was never captured before.
pub fn assign(home: &Home, record: &mut Record, first: bool) -> Result<()> {
    if record.private {
        // The server is told nothing about it.
        record.provenance = None;
        return Ok(());
    }
    if record.claimed.is_some() && record.provenance.is_some() {
        return Ok(());
    }
    let Some(directory) = record.native.as_ref().map(|native| native.cwd.clone()) else { return Ok(()) };
    let directory = fs::canonicalize(&directory).unwrap_or(directory);
    let bound = bindings::find(home, &directory)?.map(|bound| bound.id()).transpose()?;
    let project = bound.map(|id| id.to_string());
    if first
        && record.claimed.is_none()
        && let Some(name) = name(record)
        && let Some(taken) = active_ticket::take(home, &name, project.as_deref(), || remote(&directory))?
    {
        record.provenance = Some(taken);
        return Ok(());
    }
    if let Some(bound) = bound
        && record.provenance.as_ref().map(|own| &own.project_id) != project.as_ref()
    {
        record.provenance = Some(Provenance::of(bound));
    }
    Ok(())
}

fn remote(directory: &Path) -> Option<String> {
    repository::remote(directory).as_deref().and_then(git_remote_key)
}

/// Tells the server where a session that is there belongs, unless it knows.
pub fn settle(uploader: &Uploader<'_>, record: &mut Record) -> Result<()> {
    if record.provenance != record.told {
        tell(uploader, record)?;
        uploader.library.save(record)?;
    }
    // On disk now, so nobody needs to take it again.
    match name(record) {
        Some(name) if record.claimed.is_none() => active_ticket::forget(&uploader.home, &name),
        _ => Ok(()),
    }
}

fn tell(uploader: &Uploader<'_>, record: &mut Record) -> Result<()> {
    let id = record.session_id()?;
    let send = |provenance: Option<&Provenance>| {
        let body = provenance.map_or_else(SetProject::default, |own| SetProject {
            project_id: Some(own.project_id.clone()),
            ticket: own.ticket.clone(),
            persona: own.persona.clone(),
        });
        uploader.remote.set_project(id, &body)
    };
    let mut told = send(record.provenance.as_ref());
    if let (Err(error), Some(own)) = (&told, &mut record.provenance)
        && error.code == "not_in_project"
    {
        uploader.output.warn(format!("Warning: {}; the session no longer names a ticket or persona.", error.message));
        (own.ticket, own.persona) = (None, None);
        told = send(Some(own));
    }
    match told {
        Err(error) if error.exit == Exit::NotFound && record.provenance.is_some() => {
            uploader.output.warn("Warning: you are not in the project of this session, so it belongs to none.");
            record.provenance = None;
            record.told = None;
        }
        told => {
            told?;
            record.told.clone_from(&record.provenance);
        }
    }
    Ok(())
}
