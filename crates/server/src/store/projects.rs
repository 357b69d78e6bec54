//! Projects and their members. Membership is what somebody was given here and nothing else: no remote, session or handoff
//! makes anybody a member (SPEC T15).

use segue_domain::{ProjectId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    locked, on, paging,
};
use crate::page::Page;

/// A project, as one of its members sees it.
#[derive(Debug, FromRow)]
pub struct Project {
    pub(crate) id: Text<ProjectId>,
    pub(crate) name: String,
    pub(crate) git_remote: Option<String>,
    pub(crate) role: String,
    #[sqlx(try_from = "Millis")]
    pub(crate) created_at: Timestamp,
}

/// A member of a project.
#[derive(Debug, FromRow)]
pub struct Member {
    pub(crate) user_id: Text<UserId>,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: String,
    #[sqlx(try_from = "Millis")]
    pub(crate) created_at: Timestamp,
}

/// A project to be kept.
#[derive(Debug)]
pub struct NewProject<'a> {
    /// Its id.
    pub id: ProjectId,
    /// What people call it.
    pub name: &'a str,
    /// Its remote, `host/path`.
    pub git_remote: Option<&'a str>,
    /// Who makes it.
    pub created_by: UserId,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT p.id, p.name, p.git_remote, m.role, p.created_at \
             FROM projects p JOIN project_members m ON m.project_id = p.id ",
            $rest
        )
    };
}

/// Adds a project that nobody is a member of yet.
pub async fn insert(tx: &mut Tx<'_>, new: &NewProject<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql =
        "INSERT INTO projects (id, name, git_remote, kb_number, created_by, created_at) VALUES ($1, $2, $3, 0, $4, $5)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.id))
        .bind(new.name)
        .bind(new.git_remote)
        .bind(Text(new.created_by))
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(drop))
}

/// How many projects a person has made.
pub async fn made_by(tx: &mut Tx<'_>, person: UserId) -> Result<i64, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM projects WHERE created_by = $1";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(person)).fetch_one(c).await)
}

/// A project as one of its members may find it; nobody else does.
pub async fn find(tx: &mut Tx<'_>, member: UserId, id: ProjectId) -> Result<Option<Project>, sqlx::Error> {
    let sql = select!("WHERE p.id = $1 AND m.user_id = $2");
    on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).bind(Text(member)).fetch_optional(c).await)
}

/// One page of the projects that a person is a member of, newest first.
pub async fn list(tx: &mut Tx<'_>, member: UserId, page: &Page) -> Result<Vec<Project>, sqlx::Error> {
    let sql = select!(
        "WHERE m.user_id = $1 AND (p.created_at, p.id) < ($2, $3) ORDER BY p.created_at DESC, p.id DESC LIMIT $4"
    );
    paging::newest_first(tx, sql, member, page).await
}

/// Makes other transactions that change who and what is in a project wait; false when there is no such project.
pub async fn lock(tx: &mut Tx<'_>, id: ProjectId) -> Result<bool, sqlx::Error> {
    let sql = locked!(tx, "SELECT id FROM projects WHERE id = $1");
    let found: Option<String> = on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).fetch_optional(c).await)?;
    Ok(found.is_some())
}

/// The next number of the knowledge base; none is given twice.
pub async fn next_kb_number(tx: &mut Tx<'_>, id: ProjectId) -> Result<i64, sqlx::Error> {
    let sql = "UPDATE projects SET kb_number = kb_number + 1 WHERE id = $1 RETURNING kb_number";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).fetch_one(c).await)
}

/// Deletes a project that has no members and no records any more.
pub async fn delete(tx: &mut Tx<'_>, id: ProjectId) -> Result<(), sqlx::Error> {
    on!(tx, |c| sqlx::query("DELETE FROM projects WHERE id = $1").bind(Text(id)).execute(c).await.map(drop))
}

/// All members of a project, by their addresses.
pub async fn members(tx: &mut Tx<'_>, id: ProjectId) -> Result<Vec<Member>, sqlx::Error> {
    let sql = "SELECT m.user_id, u.email, u.name, m.role, m.created_at FROM project_members m \
               JOIN users u ON u.id = m.user_id WHERE m.project_id = $1 ORDER BY u.email_key, m.user_id";
    on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).fetch_all(c).await)
}

/// Whether somebody is a member now.
pub async fn has_member(tx: &mut Tx<'_>, id: ProjectId, person: UserId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM project_members WHERE project_id = $1 AND user_id = $2)";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).bind(Text(person)).fetch_one(c).await)
}

/// Makes somebody a member, or changes a member's role.
pub async fn put_member(
    tx: &mut Tx<'_>,
    id: ProjectId,
    person: UserId,
    role: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO project_members (project_id, user_id, role, created_at) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(id))
        .bind(Text(person))
        .bind(role)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(drop))
}

/// Ends the membership of one person, or of everybody.
pub async fn remove_members(tx: &mut Tx<'_>, id: ProjectId, person: Option<UserId>) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM project_members WHERE project_id = $1 AND (user_id = $2 OR $2 IS NULL)";
    on!(tx, |c| sqlx::query(sql).bind(Text(id)).bind(person.map(Text)).execute(c).await.map(drop))
}
