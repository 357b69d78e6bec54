//! Records of projects: every member reads and writes them (SPEC T15).

use segue_api::{
    Code,
    projects::{EditRecord, NewRecord, Record, RecordEntry, Records, TicketState},
};
use segue_domain::{ProjectId, RecordKind, Reference, TicketId, UserId, limits};

use crate::{
    app::App,
    failure::Failure,
    once::Once,
    page::{Cursor, Page},
    principal::Principal,
    projects,
    store::{self, Tx, records},
};

const OPEN: &str = "open";
const CLOSED: &str = "closed";

fn entry(row: &records::Record) -> RecordEntry {
    let state = |word: &str| if word == CLOSED { TicketState::Closed } else { TicketState::Open };
    RecordEntry {
        project_id: row.project_id.0.to_string(),
        kind: row.kind.0.to_string(),
        ref_id: row.ref_id.clone(),
        title: row.title.clone(),
        state: row.state.as_deref().map(state),
        version: row.version,
        created_by: row.created_by.0.to_string(),
        created_at: row.created_at.as_millis(),
        updated_at: row.updated_at.as_millis(),
    }
}

async fn find(tx: &mut Tx<'_>, project: ProjectId, reference: &Reference) -> Result<Record, Failure> {
    let row = records::find(tx, project, reference).await?.ok_or_else(Failure::not_found)?;
    Ok(Record { entry: entry(&row), body: row.body })
}

/// One page of a project's records of one kind.
pub(crate) async fn list(
    app: &App,
    person: UserId,
    project: ProjectId,
    kind: RecordKind,
    page: &Page,
) -> Result<Records, Failure> {
    let mut tx = app.db.read().await?;
    projects::find(&mut tx, person, project).await?;
    let mut rows = records::list(&mut tx, project, kind, page).await?;
    let next = page.cut(&mut rows, |row| Cursor { at: row.created_at, id: row.ref_id.clone() });
    Ok(Records { records: rows.iter().map(entry).collect(), next })
}

/// One record.
pub(crate) async fn get(
    app: &App,
    person: UserId,
    project: ProjectId,
    reference: &Reference,
) -> Result<Record, Failure> {
    let mut tx = app.db.read().await?;
    projects::find(&mut tx, person, project).await?;
    find(&mut tx, project, reference).await
}

/// Makes a record.
pub(crate) async fn create(
    app: &App,
    principal: &Principal,
    project: ProjectId,
    kind: RecordKind,
    body: &NewRecord,
    once: &Once,
) -> Result<Record, Failure> {
    let title = check(&body.title, &body.body)?;
    check_name(kind, body.ref_id.as_deref())?;
    let ticket = TicketId::from_bytes(app.draw()?);
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    projects::lock(&mut tx, principal.user, project).await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    if records::count(&mut tx, project).await? >= limits::RECORDS_MAX {
        return Err(projects::full(format!(
            "A project has at most {} records, with deleted ones.",
            limits::RECORDS_MAX
        ))
        .or("Make another project."));
    }
    let ref_id = match kind {
        RecordKind::Ticket => ticket.to_string(),
        RecordKind::KbEntry => store::projects::next_kb_number(&mut tx, project).await?.to_string(),
        RecordKind::Persona | RecordKind::WikiPage => body.ref_id.clone().unwrap_or_default(),
    };
    let reference = Reference { kind, ref_id };
    let state = (kind == RecordKind::Ticket).then_some(OPEN);
    let said = records::Said { title, body: &body.body, state };
    if !records::insert(&mut tx, project, &reference, &said, principal.user, now).await? {
        return Err(Failure::new(Code::Conflict, format!("There is a {kind} called {} already.", reference.ref_id))
            .or("Choose another name, or change that one."));
    }
    let made = find(&mut tx, project, &reference).await?;
    once.keep(&mut tx, &made).await?;
    tx.commit().await?;
    Ok(made)
}

fn check<'a>(title: &'a str, body: &str) -> Result<&'a str, Failure> {
    let title = title.trim();
    let max = limits::RECORD_TITLE_CHARS_MAX;
    if !(1..=max).contains(&title.chars().count()) || title.chars().any(char::is_control) {
        return Err(Failure::invalid(format!("A title has 1 to {max} characters, none of them a control character.")));
    }
    if body.len() > limits::RECORD_BODY_BYTES_MAX {
        return Err(Failure::too_large("text", limits::RECORD_BODY_BYTES_MAX as u64)
            .or("Shorten it, or keep it in the repository and name it here."));
    }
    // PostgreSQL stores no NUL.
    if body.contains('\0') { Err(Failure::invalid("A text has no NUL character.")) } else { Ok(title) }
}

fn check_name(kind: RecordKind, name: Option<&str>) -> Result<(), Failure> {
    match (kind, name) {
        (RecordKind::Ticket | RecordKind::KbEntry, None) => Ok(()),
        (RecordKind::Ticket | RecordKind::KbEntry, Some(_)) => {
            Err(Failure::invalid(format!("A {kind} is named by the server.")).or("Leave ref_id out."))
        }
        (RecordKind::Persona | RecordKind::WikiPage, name) => {
            let max = if kind == RecordKind::Persona { limits::PERSONA_CHARS_MAX } else { limits::WIKI_SLUG_CHARS_MAX };
            let fits = name.is_some_and(|name| kind.may_be_called(name));
            let title =
                format!("A {kind} is called by 1 to {max} of a-z, 0-9, '.', '_' and '-', beginning with a-z or 0-9.");
            if fits { Ok(()) } else { Err(Failure::invalid(title)) }
        }
    }
}

/// Changes a record, unless somebody else did meanwhile.
pub(crate) async fn edit(
    app: &App,
    person: UserId,
    project: ProjectId,
    reference: &Reference,
    body: &EditRecord,
) -> Result<Record, Failure> {
    let title = check(&body.title, &body.body)?;
    if body.state.is_some() && reference.kind != RecordKind::Ticket {
        return Err(Failure::invalid("Only a ticket is open or closed.").or("Leave state out."));
    }
    let state = body.state.map(|state| match state {
        TicketState::Open => OPEN,
        TicketState::Closed => CLOSED,
    });
    let mut tx = app.db.begin().await?;
    projects::lock(&mut tx, person, project).await?;
    find(&mut tx, project, reference).await?;
    let said = records::Said { title, body: &body.body, state };
    if !records::update(&mut tx, project, reference, &said, body.version, app.clock.now()).await? {
        return Err(Failure::new(Code::Conflict, "Somebody has changed this since it was read.")
            .or("Read it again, and make your change to what it says now."));
    }
    let changed = find(&mut tx, project, reference).await?;
    tx.commit().await?;
    Ok(changed)
}

/// Deletes a record.
pub(crate) async fn delete(
    app: &App,
    person: UserId,
    project: ProjectId,
    reference: &Reference,
) -> Result<(), Failure> {
    let mut tx = app.db.begin().await?;
    projects::lock(&mut tx, person, project).await?;
    if !records::delete(&mut tx, project, reference, app.clock.now()).await? {
        return Err(Failure::not_found());
    }
    Ok(tx.commit().await?)
}
