//! Sessions, each under its owner: two people may know a session by the same id without learning of each other.

use segue_domain::{BundleId, HandoffId, ProjectId, SessionId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    on, paging,
};
use crate::page::Page;

/// A session.
#[derive(Debug, FromRow)]
pub struct Session {
    pub(crate) id: Text<SessionId>,
    pub(crate) bundle_id: Text<BundleId>,
    pub(crate) seq: i64,
    pub(crate) card: String,
    pub(crate) parent_session_id: Option<String>,
    pub(crate) handoff_id: Option<String>,
    pub(crate) project_id: Option<Text<ProjectId>>,
    pub(crate) ticket: Option<String>,
    pub(crate) persona: Option<String>,
    #[sqlx(try_from = "Millis")]
    pub(crate) created_at: Timestamp,
    #[sqlx(try_from = "Millis")]
    pub(crate) updated_at: Timestamp,
}

/// The newest state of a session.
#[derive(Debug)]
pub struct Head<'a> {
    /// Whose session.
    pub owner: UserId,
    /// Which.
    pub id: SessionId,
    /// The bundle that holds the state.
    pub bundle: BundleId,
    /// Position in the session's chain.
    pub seq: i64,
    /// SHA-256 of the bundle's envelope: what the next snapshot names as its parent.
    pub hash: [u8; 32],
    /// The public description, as JSON.
    pub card: &'a str,
}

/// Where a claimed session came from.
#[derive(Debug)]
pub struct Origin<'a> {
    /// The sender's session.
    pub parent_session_id: &'a str,
    /// The handoff.
    pub handoff: HandoffId,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, bundle_id, seq, card, parent_session_id, handoff_id, project_id, ticket, persona, created_at, \
             updated_at FROM sessions ",
            $rest
        )
    };
}

/// Adds a session; false when its owner has one of this id.
pub async fn insert(
    tx: &mut Tx<'_>,
    head: &Head<'_>,
    origin: Option<&Origin<'_>>,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO sessions (owner, id, bundle_id, seq, head_hash, card, parent_session_id, handoff_id, \
               created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (owner, id) DO NOTHING";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(head.owner))
        .bind(Text(head.id))
        .bind(Text(head.bundle))
        .bind(head.seq)
        .bind(head.hash.as_slice())
        .bind(head.card)
        .bind(origin.map(|origin| origin.parent_session_id))
        .bind(origin.map(|origin| Text(origin.handoff)))
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Moves a session on from the state with the hash `parent` just before; false when it is in another.
pub async fn advance(tx: &mut Tx<'_>, head: &Head<'_>, parent: &[u8; 32], now: Timestamp) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE sessions SET bundle_id = $1, seq = $2, head_hash = $3, card = $4, updated_at = $5 \
               WHERE owner = $6 AND id = $7 AND seq = $2 - 1 AND head_hash = $8";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(head.bundle))
        .bind(head.seq)
        .bind(head.hash.as_slice())
        .bind(head.card)
        .bind(Millis::from(now))
        .bind(Text(head.owner))
        .bind(Text(head.id))
        .bind(parent.as_slice())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// One of a person's sessions.
pub async fn find(tx: &mut Tx<'_>, owner: UserId, id: SessionId) -> Result<Option<Session>, sqlx::Error> {
    let sql = select!("WHERE owner = $1 AND id = $2");
    on!(tx, |c| sqlx::query_as(sql).bind(Text(owner)).bind(Text(id)).fetch_optional(c).await)
}

/// One page of a person's sessions, newest first.
pub async fn list(tx: &mut Tx<'_>, owner: UserId, page: &Page) -> Result<Vec<Session>, sqlx::Error> {
    let sql = select!("WHERE owner = $1 AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4");
    paging::newest_first(tx, sql, owner, page).await
}

/// The project that a session belongs to, and what in it the session is about.
#[derive(Debug, Clone, Copy)]
pub struct Belonging<'a> {
    /// Which project.
    pub project: ProjectId,
    /// The ticket that it is work on.
    pub ticket: Option<&'a str>,
    /// The persona that it works as.
    pub persona: Option<&'a str>,
}

/// Puts a session into a project, or takes it out; false when its owner has no session of this id.
pub async fn set_project(
    tx: &mut Tx<'_>,
    owner: UserId,
    id: SessionId,
    belonging: Option<&Belonging<'_>>,
) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE sessions SET project_id = $1, ticket = $2, persona = $3 WHERE owner = $4 AND id = $5";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(belonging.map(|belonging| Text(belonging.project)))
        .bind(belonging.and_then(|belonging| belonging.ticket))
        .bind(belonging.and_then(|belonging| belonging.persona))
        .bind(Text(owner))
        .bind(Text(id))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Takes every session, or those of one person, out of a project.
pub async fn leave_project(tx: &mut Tx<'_>, project: ProjectId, owner: Option<UserId>) -> Result<(), sqlx::Error> {
    let sql = "UPDATE sessions SET project_id = NULL, ticket = NULL, persona = NULL \
               WHERE project_id = $1 AND (owner = $2 OR $2 IS NULL)";
    on!(tx, |c| sqlx::query(sql).bind(Text(project)).bind(owner.map(Text)).execute(c).await.map(drop))
}

/// Deletes a session and says which bundle held its state.
pub async fn delete(tx: &mut Tx<'_>, owner: UserId, id: SessionId) -> Result<Option<BundleId>, sqlx::Error> {
    let sql = "DELETE FROM sessions WHERE owner = $1 AND id = $2 RETURNING bundle_id";
    let bundle: Option<Text<BundleId>> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(Text(owner)).bind(Text(id)).fetch_optional(c).await)?;
    Ok(bundle.map(|bundle| bundle.0))
}
