//! What a handoff refers to: a ticket, a persona, and attachments of the session's project (SPEC T15, T16).
//!
//! References are checked when a handoff is created, against what its sender may see, and again when it is claimed,
//! against what its claimer may see. Both are part of the transaction that they are about.

use segue_api::{
    Code,
    handoffs::{ActiveTicket, Dropped, DroppedBecause},
};
use segue_domain::{ProjectId, RecordKind, Reference, SessionId, UserId, record::NotAReference};
use segue_signed::Header;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    failure::Failure,
    store::{
        Tx, events,
        handoffs::{self, Loaded},
        projects, records, sessions,
    },
    transition::Deed,
};

/// What a handoff refers to, as its sender signed it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Provenance {
    /// A ticket's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ticket: Option<String>,
    /// A persona's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) persona: Option<String>,
    /// `kind:ref_id` each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attachments: Vec<String>,
}

/// One reference, as it was signed, and as it was understood.
type Signed<'a> = (&'a str, &'a str, Result<Reference, NotAReference>);

impl Provenance {
    pub(crate) fn of(header: &Header) -> Self {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Self { ticket: given(&header.ticket), persona: given(&header.persona), attachments: header.attachments.clone() }
    }

    /// What a column holds.
    pub(crate) fn read(column: Option<&str>) -> Result<Self, Failure> {
        Ok(column.map(serde_json::from_str).transpose().map_err(anyhow::Error::from)?.unwrap_or_default())
    }

    fn references(&self) -> impl Iterator<Item = Signed<'_>> {
        let named = [(RecordKind::Ticket, &self.ticket), (RecordKind::Persona, &self.persona)];
        let named = named
            .into_iter()
            .filter_map(|(kind, name)| name.as_deref().map(|name| (kind.as_str(), name, Reference::new(kind, name))));
        named.chain(self.attachments.iter().map(|text| {
            let (kind, ref_id) = text.split_once(':').unwrap_or((text, ""));
            (kind, ref_id, Reference::attachment(text))
        }))
    }
}

/// Refuses attachments of a kind that there is not.
pub(crate) fn check_kinds(header: &Header) -> Result<(), Failure> {
    let unknown = |text: &&String| Reference::attachment(text) == Err(NotAReference::UnknownKind);
    match header.attachments.iter().find(unknown) {
        None => Ok(()),
        Some(text) => Err(Failure::invalid(format!("{text:?} cannot be attached."))
            .or("Attach kb_entry:NUMBER, wiki_page:SLUG or ticket:ID.")),
    }
}

/// The project that a handoff is of: that of its session, while its sender is a member. Refuses references to anything but
/// live records of it.
pub(crate) async fn check(
    tx: &mut Tx<'_>,
    sender: UserId,
    session: SessionId,
    provenance: &Provenance,
) -> Result<Option<ProjectId>, Failure> {
    let project = sessions::find(tx, sender, session).await?.and_then(|session| session.project_id);
    let project = match project {
        Some(project) if projects::has_member(tx, project.0, sender).await? => Some(project.0),
        _ => None,
    };
    for (kind, ref_id, reference) in provenance.references() {
        let known = match (project, reference) {
            (Some(project), Ok(reference)) => records::known(tx, project, &reference).await?,
            _ => records::Known::Never,
        };
        if known != records::Known::Live {
            return Err(not_in_project(kind, ref_id));
        }
    }
    Ok(project)
}

/// A reference to what is not in the session's project.
pub(crate) fn not_in_project(kind: &str, ref_id: &str) -> Failure {
    Failure::new(Code::NotInProject, format!("The {kind} {ref_id:?} is not in the session's project."))
        .or("See what is: segue ticket list, persona list, kb list or wiki list.")
}

/// What a claimer is given of what a handoff refers to.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// What they are not given.
    pub(crate) dropped: Vec<Dropped>,
    /// Ticket and persona, when there is one that they are given.
    pub(crate) active: Option<ActiveTicket>,
}

/// Gives the claimer what they may see, in their new session, and records what they may not. A repeat finds what was
/// decided first.
pub(crate) async fn give(deed: &mut Deed<'_>, by: UserId, session: SessionId) -> Result<Given, Failure> {
    let provenance = Provenance::read(deed.loaded.provenance.as_deref())?;
    let (tx, loaded, now) = (&mut deed.tx, &deed.loaded, deed.now);
    let project = project_for(tx, loaded, by).await?;
    if let Some(dropped) = &loaded.dropped {
        let dropped = serde_json::from_str(dropped).map_err(anyhow::Error::from)?;
        return given(tx, &provenance, project.as_ref(), dropped).await;
    }
    let mut dropped = Vec::new();
    for (kind, ref_id, reference) in provenance.references() {
        let Some(reason) = reason(tx, project.as_ref(), reference).await? else { continue };
        dropped.push(Dropped { kind: kind.to_owned(), ref_id: ref_id.to_owned(), reason });
    }
    for one in &dropped {
        let (actor, payload) = (by.to_string(), json!(one).to_string());
        let event = events::NewEvent {
            handoff: loaded.id,
            kind: "attachment_dropped",
            actor: &actor,
            actor_type: "user",
            payload: &payload,
        };
        events::append(tx, &event, now).await?;
    }
    handoffs::set_dropped(tx, loaded.id, &json!(dropped).to_string()).await?;
    let given = given(tx, &provenance, project.as_ref(), dropped).await?;
    if let Some(project) = &project {
        let active = given.active.as_ref();
        let (ticket, persona) = (
            active.and_then(|active| active.ticket_id.as_deref()),
            active.and_then(|active| active.persona.as_deref()),
        );
        let belonging = sessions::Belonging { project: project.id.0, ticket, persona };
        sessions::set_project(tx, by, session, Some(&belonging)).await?;
    }
    Ok(given)
}

/// The handoff's project, if the claimer is a member of it.
async fn project_for(tx: &mut Tx<'_>, loaded: &Loaded, by: UserId) -> Result<Option<projects::Project>, Failure> {
    let Some(project) = loaded.project else { return Ok(None) };
    Ok(projects::find(tx, by, project).await?)
}

async fn reason(
    tx: &mut Tx<'_>,
    project: Option<&projects::Project>,
    reference: Result<Reference, NotAReference>,
) -> Result<Option<DroppedBecause>, Failure> {
    let known = match (project, reference) {
        (_, Err(NotAReference::UnknownKind)) => return Ok(Some(DroppedBecause::UnknownKind)),
        (None, _) => return Ok(Some(DroppedBecause::NotAccessible)),
        (Some(_), Err(NotAReference::Name)) => records::Known::Never,
        (Some(project), Ok(reference)) => records::known(tx, project.id.0, &reference).await?,
    };
    // It was there when the handoff was created.
    Ok((known != records::Known::Live).then_some(DroppedBecause::Deleted))
}

async fn given(
    tx: &mut Tx<'_>,
    provenance: &Provenance,
    project: Option<&projects::Project>,
    dropped: Vec<Dropped>,
) -> Result<Given, Failure> {
    let kept = |kind: RecordKind, name: &Option<String>| {
        let is_dropped = |name: &String| dropped.iter().any(|one| one.kind == kind.as_str() && one.ref_id == *name);
        name.clone().filter(|name| !is_dropped(name))
    };
    let (ticket, persona) =
        (kept(RecordKind::Ticket, &provenance.ticket), kept(RecordKind::Persona, &provenance.persona));
    let mut active = None;
    if let Some(project) = project
        && (ticket.is_some() || persona.is_some())
    {
        let mut ticket_title = None;
        if let Some(Ok(reference)) = ticket.as_deref().map(|ticket| Reference::new(RecordKind::Ticket, ticket)) {
            ticket_title = records::find(tx, project.id.0, &reference).await?.map(|record| record.title);
        }
        active = Some(ActiveTicket {
            project_id: project.id.0.to_string(),
            project_name: project.name.clone(),
            git_remote: project.git_remote.clone(),
            ticket_id: ticket,
            ticket_title,
            persona,
        });
    }
    Ok(Given { dropped, active })
}
