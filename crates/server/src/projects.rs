//! Projects and who is in them (SPEC T15). Whoever is not a member meets the one 404, and so does a member who would
//! manage others without being an admin.

use segue_api::{
    Code,
    projects::{AddMember, CreateProject, Member, Members, Project, ProjectRole, Projects},
    sessions::SetProject,
};
use segue_domain::{ProjectId, RecordKind, Reference, SessionId, UserId, limits};
use segue_signed::card::git_remote_key;

use crate::{
    app::App,
    failure::Failure,
    once::Once,
    page::{Cursor, Page},
    people::check_verified,
    person::{self, Email},
    principal::Principal,
    provenance::not_in_project,
    store::{Tx, projects, records, sessions, users},
};

const ADMIN: &str = "admin";
const MEMBER: &str = "member";

fn word(role: ProjectRole) -> &'static str {
    match role {
        ProjectRole::Admin => ADMIN,
        ProjectRole::Member => MEMBER,
    }
}

fn role(word: &str) -> ProjectRole {
    if word == ADMIN { ProjectRole::Admin } else { ProjectRole::Member }
}

fn answer(row: projects::Project) -> Project {
    Project {
        project_id: row.id.0.to_string(),
        name: row.name,
        git_remote: row.git_remote,
        role: role(&row.role),
        created_at: row.created_at.as_millis(),
    }
}

fn member(row: projects::Member) -> Member {
    Member {
        user_id: row.user_id.0.to_string(),
        email: row.email,
        name: row.name,
        role: role(&row.role),
        since: row.created_at.as_millis(),
    }
}

/// Makes a project with its maker as the first admin.
pub(crate) async fn create(
    app: &App,
    principal: &Principal,
    body: &CreateProject,
    once: &Once,
) -> Result<Project, Failure> {
    check_verified(principal)?;
    let name = person::name(&body.name)?;
    let remote = body.git_remote.as_deref().map(|remote| git_remote_key(remote).ok_or_else(no_remote)).transpose()?;
    let (id, now) = (ProjectId::from_bytes(app.draw()?), app.clock.now());
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    users::lock(&mut tx, principal.user).await?;
    if projects::made_by(&mut tx, principal.user).await? >= limits::PROJECTS_MAX {
        return Err(full(format!("You have made {} projects, the most that one person may.", limits::PROJECTS_MAX))
            .or("Delete one that nobody needs, or ask somebody else to make it."));
    }
    let new = projects::NewProject { id, name, git_remote: remote.as_deref(), created_by: principal.user };
    projects::insert(&mut tx, &new, now).await?;
    projects::put_member(&mut tx, id, principal.user, ADMIN, now).await?;
    let made = answer(find(&mut tx, principal.user, id).await?);
    once.keep(&mut tx, &made).await?;
    tx.commit().await?;
    Ok(made)
}

fn no_remote() -> Failure {
    Failure::invalid("This is no git remote.").or("Write it like https://github.com/acme/sdk.git, or leave it out.")
}

/// A project has as many as it may have.
pub(crate) fn full(title: String) -> Failure {
    Failure::new(Code::Conflict, title)
}

/// A project that somebody is a member of.
pub(crate) async fn find(tx: &mut Tx<'_>, person: UserId, id: ProjectId) -> Result<projects::Project, Failure> {
    projects::find(tx, person, id).await?.ok_or_else(Failure::not_found)
}

/// Locks a project for one of its members.
pub(crate) async fn lock(tx: &mut Tx<'_>, person: UserId, id: ProjectId) -> Result<projects::Project, Failure> {
    if !projects::lock(tx, id).await? {
        return Err(Failure::not_found());
    }
    find(tx, person, id).await
}

async fn lock_as_admin(tx: &mut Tx<'_>, person: UserId, id: ProjectId) -> Result<(), Failure> {
    let project = lock(tx, person, id).await?;
    if project.role == ADMIN { Ok(()) } else { Err(Failure::not_found()) }
}

/// One of one's projects.
pub(crate) async fn get(app: &App, person: UserId, id: ProjectId) -> Result<Project, Failure> {
    Ok(answer(find(&mut app.db.read().await?, person, id).await?))
}

/// One page of one's projects.
pub(crate) async fn list(app: &App, person: UserId, page: &Page) -> Result<Projects, Failure> {
    let mut rows = projects::list(&mut app.db.read().await?, person, page).await?;
    let next = page.cut(&mut rows, |row| Cursor { at: row.created_at, id: row.id.0.to_string() });
    Ok(Projects { projects: rows.into_iter().map(answer).collect(), next })
}

/// Deletes a project with its records. Sessions and handoffs of it stay, without it.
pub(crate) async fn delete(app: &App, person: UserId, id: ProjectId) -> Result<(), Failure> {
    let mut tx = app.db.begin().await?;
    lock_as_admin(&mut tx, person, id).await?;
    sessions::leave_project(&mut tx, id, None).await?;
    records::delete_all(&mut tx, id).await?;
    projects::remove_members(&mut tx, id, None).await?;
    projects::delete(&mut tx, id).await?;
    Ok(tx.commit().await?)
}

/// Who is in a project.
pub(crate) async fn members(app: &App, person: UserId, id: ProjectId) -> Result<Members, Failure> {
    let mut tx = app.db.read().await?;
    find(&mut tx, person, id).await?;
    let members = projects::members(&mut tx, id).await?.into_iter().map(member).collect();
    Ok(Members { members })
}

/// Makes somebody a member, or gives a member another role.
pub(crate) async fn add_member(
    app: &App,
    principal: &Principal,
    id: ProjectId,
    body: &AddMember,
    once: &Once,
) -> Result<Member, Failure> {
    let whom = Whom::read(body)?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    lock_as_admin(&mut tx, principal.user, id).await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    let person = whom.find(&mut tx).await?;
    let before = projects::members(&mut tx, id).await?;
    let is_new = before.iter().all(|member| member.user_id.0 != person);
    if is_new && i64::try_from(before.len()).is_ok_and(|count| count >= limits::PROJECT_MEMBERS_MAX) {
        return Err(full(format!("A project has at most {} members.", limits::PROJECT_MEMBERS_MAX))
            .or("Remove somebody first."));
    }
    if body.role == ProjectRole::Member {
        leaves_an_admin(&before, person)?;
    }
    projects::put_member(&mut tx, id, person, word(body.role), now).await?;
    let added = projects::members(&mut tx, id).await?.into_iter().find(|member| member.user_id.0 == person);
    let added = member(added.ok_or_else(|| anyhow::anyhow!("a member who was added is none"))?);
    once.keep(&mut tx, &added).await?;
    tx.commit().await?;
    Ok(added)
}

/// Ends a membership: an admin anybody's, everybody their own. Their sessions leave the project with them.
pub(crate) async fn remove_member(
    app: &App,
    principal: &Principal,
    id: ProjectId,
    person: UserId,
) -> Result<(), Failure> {
    let mut tx = app.db.begin().await?;
    let project = lock(&mut tx, principal.user, id).await?;
    let before = projects::members(&mut tx, id).await?;
    let may = project.role == ADMIN || person == principal.user;
    if !may || before.iter().all(|member| member.user_id.0 != person) {
        return Err(Failure::not_found());
    }
    leaves_an_admin(&before, person)?;
    projects::remove_members(&mut tx, id, Some(person)).await?;
    sessions::leave_project(&mut tx, id, Some(person)).await?;
    Ok(tx.commit().await?)
}

/// Somebody must be able to manage a project when `person` no longer does.
fn leaves_an_admin(members: &[projects::Member], person: UserId) -> Result<(), Failure> {
    let is_admin = |member: &&projects::Member| member.role == ADMIN;
    let (own, others): (Vec<_>, Vec<_>) =
        members.iter().filter(is_admin).partition(|member| member.user_id.0 == person);
    if own.is_empty() || !others.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Code::Conflict, "A project keeps one admin at least.")
        .or("Make another member an admin first, or delete the project."))
}

/// Who is to be a member.
enum Whom {
    Email(String),
    User(String),
}

impl Whom {
    fn read(body: &AddMember) -> Result<Self, Failure> {
        match (&body.email, &body.user_id) {
            (Some(email), None) => Ok(Self::Email(Email::parse(email)?.key)),
            (None, Some(id)) => Ok(Self::User(id.clone())),
            _ => Err(Failure::invalid("A member is named by exactly one of email and user_id.")),
        }
    }

    async fn find(&self, tx: &mut Tx<'_>) -> Result<UserId, Failure> {
        let found = match self {
            Self::Email(key) => users::find_by_email(tx, key).await?,
            Self::User(id) => match id.parse::<UserId>() {
                Ok(id) => users::find(tx, id).await?.filter(|user| user.email_verified),
                Err(_) => None,
            },
        };
        found.map(|user| user.id.0).ok_or_else(|| {
            Failure::new(Code::RecipientNotJoined, "Nobody with this verified address has joined.")
                .or("Invite them first: segue invite EMAIL.")
        })
    }
}

/// Puts a session into a project that its owner is a member of, or takes it out.
pub(crate) async fn set_project(
    app: &App,
    principal: &Principal,
    session: SessionId,
    body: &SetProject,
) -> Result<(), Failure> {
    let about = [(RecordKind::Ticket, &body.ticket), (RecordKind::Persona, &body.persona)];
    if body.project_id.is_none() && about.iter().any(|(_, name)| name.is_some()) {
        return Err(Failure::invalid("A ticket or persona is one of a project.").or("Name its project."));
    }
    let project = body.project_id.as_ref().map(|id| id.parse::<ProjectId>().map_err(|_| Failure::not_found()));
    let project = project.transpose()?;
    let mut tx = app.db.begin().await?;
    sessions::find(&mut tx, principal.user, session).await?.ok_or_else(Failure::not_found)?;
    let mut belonging = None;
    if let Some(project) = project {
        find(&mut tx, principal.user, project).await?;
        for (kind, name) in about {
            let Some(name) = name else { continue };
            is_live(&mut tx, project, kind, name).await?;
        }
        let (ticket, persona) = (body.ticket.as_deref(), body.persona.as_deref());
        belonging = Some(sessions::Belonging { project, ticket, persona });
    }
    sessions::set_project(&mut tx, principal.user, session, belonging.as_ref()).await?;
    Ok(tx.commit().await?)
}

/// Checks that a project has a record now.
async fn is_live(tx: &mut Tx<'_>, project: ProjectId, kind: RecordKind, name: &str) -> Result<(), Failure> {
    let live = match Reference::new(kind, name) {
        Ok(reference) => records::known(tx, project, &reference).await? == records::Known::Live,
        Err(_) => false,
    };
    if live { Ok(()) } else { Err(not_in_project(kind.as_str(), name)) }
}
