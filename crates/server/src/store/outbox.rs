//! Mails that a transaction decided on, until they are sent. A row holds everything its mail needs, and no secret.

use segue_domain::Timestamp;
use sqlx::FromRow;

use super::{Tx, columns::Millis, on};

/// A mail that is to be sent.
#[derive(Debug)]
pub struct NewMail<'a> {
    /// From the event that caused it, so a mail has one Message-ID however often it is sent.
    pub id: &'a str,
    /// What it is about.
    pub kind: &'a str,
    /// To which address, in lower case: what it is counted by.
    pub recipient: &'a str,
    /// What it says, as JSON.
    pub body: &'a str,
}

/// A mail that was taken to be sent.
#[derive(Debug, Clone, FromRow)]
pub struct Taken {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) recipient: String,
    pub(crate) body: String,
    pub(crate) attempts: i64,
    pub(crate) lease_until: Millis,
}

/// A mail as an operator sees it.
#[derive(Debug, FromRow)]
pub struct Row {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) recipient: String,
    pub(crate) attempts: i64,
    pub(crate) failure: Option<String>,
    pub(crate) run_at: Millis,
    pub(crate) dead_at: Option<Millis>,
}

impl Row {
    /// `dead` when it was given up, `sending` while somebody has it, else `waiting`.
    pub(crate) fn state(&self) -> &'static str {
        if self.dead_at.is_some() { "dead" } else { "waiting" }
    }
}

/// Adds a mail.
pub async fn insert(tx: &mut Tx<'_>, new: &NewMail<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO outbox (id, kind, recipient, body, run_at, attempts, created_at) \
               VALUES ($1, $2, $3, $4, $5, 0, $5)";
    on!(tx, |c| sqlx::query(sql)
        .bind(new.id)
        .bind(new.kind)
        .bind(new.recipient)
        .bind(new.body)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(drop))
}

/// Whether a mail waits for nothing but to be sent.
pub async fn any_due(tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, sqlx::Error> {
    let sql = "SELECT EXISTS(SELECT 1 FROM outbox WHERE dead_at IS NULL AND run_at <= $1 \
               AND (lease_until IS NULL OR lease_until <= $1))";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Millis::from(now)).fetch_one(c).await)
}

/// What makes a mail takeable. It stands in the inner and the outer query: the inner one chooses, and the outer one decides
/// again on the row as it is once its lock is held.
macro_rules! due {
    () => {
        "dead_at IS NULL AND run_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)"
    };
}

macro_rules! take {
    ($skip:literal) => {
        concat!(
            "UPDATE outbox SET lease_until = $2, attempts = attempts + 1 WHERE id = (SELECT id FROM outbox WHERE ",
            due!(),
            " ORDER BY run_at, id LIMIT 1",
            $skip,
            ") AND ",
            due!(),
            " RETURNING id, kind, recipient, body, attempts, lease_until"
        )
    };
}

/// Takes the mail that has waited longest, for nobody else until `lease_until`.
pub async fn take(tx: &mut Tx<'_>, now: Timestamp, lease_until: Timestamp) -> Result<Option<Taken>, sqlx::Error> {
    let sql = match tx {
        Tx::Sqlite(_) | Tx::SqliteWrites(_) => take!(""),
        Tx::Postgres(_) | Tx::PostgresReads(_) => take!(" FOR UPDATE SKIP LOCKED"),
    };
    on!(tx, |c| sqlx::query_as(sql).bind(Millis::from(now)).bind(Millis::from(lease_until)).fetch_optional(c).await)
}

/// Forgets a mail that was sent, unless its lease was over and somebody else has taken it.
pub async fn done(tx: &mut Tx<'_>, mail: &Taken) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM outbox WHERE id = $1 AND lease_until = $2";
    on!(tx, |c| sqlx::query(sql).bind(&mail.id).bind(mail.lease_until).execute(c).await.map(drop))
}

/// Puts a mail back until `run_at`. That it was taken counts as an attempt only with a failure.
pub async fn put_back(
    tx: &mut Tx<'_>,
    mail: &Taken,
    run_at: Timestamp,
    failure: Option<&str>,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE outbox SET run_at = $3, lease_until = NULL, failure = COALESCE($4, failure), \
               attempts = attempts - CASE WHEN $5 THEN 0 ELSE 1 END WHERE id = $1 AND lease_until = $2";
    on!(tx, |c| sqlx::query(sql)
        .bind(&mail.id)
        .bind(mail.lease_until)
        .bind(Millis::from(run_at))
        .bind(failure)
        .bind(failure.is_some())
        .execute(c)
        .await
        .map(drop))
}

/// Gives a mail up: it is kept and not sent any more.
pub async fn give_up(tx: &mut Tx<'_>, mail: &Taken, failure: &str, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "UPDATE outbox SET dead_at = $3, lease_until = NULL, failure = $4 WHERE id = $1 AND lease_until = $2";
    on!(tx, |c| sqlx::query(sql)
        .bind(&mail.id)
        .bind(mail.lease_until)
        .bind(Millis::from(now))
        .bind(failure)
        .execute(c)
        .await
        .map(drop))
}

/// The first `most` mails that are not sent yet, the given-up ones first.
pub async fn list(tx: &mut Tx<'_>, most: i64) -> Result<Vec<Row>, sqlx::Error> {
    let sql = "SELECT id, kind, recipient, attempts, failure, run_at, dead_at FROM outbox \
               ORDER BY CASE WHEN dead_at IS NULL THEN 1 ELSE 0 END, run_at, id LIMIT $1";
    on!(tx, |c| sqlx::query_as(sql).bind(most).fetch_all(c).await)
}

/// Lets a mail be tried again now, as if it were new; false when there is none of this id.
pub async fn retry(tx: &mut Tx<'_>, id: &str, now: Timestamp) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE outbox SET dead_at = NULL, attempts = 0, run_at = $2 WHERE id = $1";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(id)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Forgets mails that were given up before a time.
pub async fn delete_dead(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM outbox WHERE dead_at < $1";
    on!(tx, |c| sqlx::query(sql).bind(Millis::from(before)).execute(c).await.map(drop))
}
