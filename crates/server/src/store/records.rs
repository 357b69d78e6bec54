//! Records of projects: tickets, personas, entries of the knowledge base, wiki pages. Who may see them is asked of
//! [`projects`](super::projects) first.

use segue_domain::{ProjectId, RecordKind, Reference, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    on,
};
use crate::page::Page;

/// A record. In a list its body is empty: a page of long ones would be megabytes.
#[derive(Debug, FromRow)]
pub struct Record {
    pub(crate) project_id: Text<ProjectId>,
    pub(crate) kind: Text<RecordKind>,
    pub(crate) ref_id: String,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) state: Option<String>,
    pub(crate) version: i64,
    pub(crate) created_by: Text<UserId>,
    #[sqlx(try_from = "Millis")]
    pub(crate) created_at: Timestamp,
    #[sqlx(try_from = "Millis")]
    pub(crate) updated_at: Timestamp,
}

/// What a record says.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its text.
    pub body: &'a str,
    /// Where a ticket stands.
    pub state: Option<&'a str>,
}

/// What became of a record that is referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is there.
    Live,
    /// It was deleted.
    Deleted,
    /// It never was.
    Never,
}

macro_rules! select {
    ($body:literal, $rest:literal) => {
        concat!(
            "SELECT project_id, kind, ref_id, title, ",
            $body,
            " AS body, state, version, created_by, created_at, updated_at FROM records ",
            $rest
        )
    };
}

/// Adds a record, in the place of a deleted one of that name if there was one; false when there is a live one.
pub async fn insert(
    tx: &mut Tx<'_>,
    project: ProjectId,
    reference: &Reference,
    said: &Said<'_>,
    by: UserId,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO records (project_id, kind, ref_id, title, body, state, version, created_by, created_at, \
               updated_at) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $8) \
               ON CONFLICT (project_id, kind, ref_id) DO UPDATE SET title = excluded.title, body = excluded.body, \
               state = excluded.state, version = records.version + 1, created_by = excluded.created_by, \
               created_at = excluded.created_at, updated_at = excluded.updated_at, deleted_at = NULL \
               WHERE records.deleted_at IS NOT NULL";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(project))
        .bind(reference.kind.as_str())
        .bind(&reference.ref_id)
        .bind(said.title)
        .bind(said.body)
        .bind(said.state)
        .bind(Text(by))
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// How many records a project has, deleted ones included.
pub async fn count(tx: &mut Tx<'_>, project: ProjectId) -> Result<i64, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM records WHERE project_id = $1";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(project)).fetch_one(c).await)
}

/// A record that was not deleted.
pub async fn find(tx: &mut Tx<'_>, project: ProjectId, reference: &Reference) -> Result<Option<Record>, sqlx::Error> {
    let sql = select!("body", "WHERE project_id = $1 AND kind = $2 AND ref_id = $3 AND deleted_at IS NULL");
    on!(tx, |c| sqlx::query_as(sql)
        .bind(Text(project))
        .bind(reference.kind.as_str())
        .bind(&reference.ref_id)
        .fetch_optional(c)
        .await)
}

/// What became of a record.
pub async fn known(tx: &mut Tx<'_>, project: ProjectId, reference: &Reference) -> Result<Known, sqlx::Error> {
    let sql = "SELECT deleted_at IS NULL FROM records WHERE project_id = $1 AND kind = $2 AND ref_id = $3";
    let live: Option<bool> = on!(tx, |c| sqlx::query_scalar(sql)
        .bind(Text(project))
        .bind(reference.kind.as_str())
        .bind(&reference.ref_id)
        .fetch_optional(c)
        .await)?;
    Ok(live.map_or(Known::Never, |live| if live { Known::Live } else { Known::Deleted }))
}

/// One page of a project's records of one kind, newest first.
pub async fn list(
    tx: &mut Tx<'_>,
    project: ProjectId,
    kind: RecordKind,
    page: &Page,
) -> Result<Vec<Record>, sqlx::Error> {
    let sql = select!(
        "''",
        "WHERE project_id = $1 AND kind = $2 AND deleted_at IS NULL AND (created_at, ref_id) < ($3, $4) \
         ORDER BY created_at DESC, ref_id DESC LIMIT $5"
    );
    on!(tx, |c| sqlx::query_as(sql)
        .bind(Text(project))
        .bind(kind.as_str())
        .bind(Millis::from(page.before.at))
        .bind(&page.before.id)
        .bind(page.fetch())
        .fetch_all(c)
        .await)
}

/// Changes a record that is still of `version`; false when it is not.
pub async fn update(
    tx: &mut Tx<'_>,
    project: ProjectId,
    reference: &Reference,
    said: &Said<'_>,
    version: i64,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE records SET title = $1, body = $2, state = COALESCE($3, state), version = version + 1, updated_at = $4 \
               WHERE project_id = $5 AND kind = $6 AND ref_id = $7 AND version = $8 AND deleted_at IS NULL";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(said.title)
        .bind(said.body)
        .bind(said.state)
        .bind(Millis::from(now))
        .bind(Text(project))
        .bind(reference.kind.as_str())
        .bind(&reference.ref_id)
        .bind(version)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Deletes what a record says; that it was there stays known. False when there is no such record.
pub async fn delete(
    tx: &mut Tx<'_>,
    project: ProjectId,
    reference: &Reference,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE records SET title = '', body = '', version = version + 1, deleted_at = $1 \
               WHERE project_id = $2 AND kind = $3 AND ref_id = $4 AND deleted_at IS NULL";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Millis::from(now))
        .bind(Text(project))
        .bind(reference.kind.as_str())
        .bind(&reference.ref_id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Deletes every record of a project, and that they were there.
pub async fn delete_all(tx: &mut Tx<'_>, project: ProjectId) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM records WHERE project_id = $1";
    on!(tx, |c| sqlx::query(sql).bind(Text(project)).execute(c).await.map(drop))
}
