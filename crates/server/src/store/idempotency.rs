//! First answers of repeatable requests (SPEC T18).

use segue_domain::{Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    on,
};

/// What is known of a key.
#[derive(Debug, FromRow)]
pub struct Known {
    pub(crate) request_hash: Vec<u8>,
    pub(crate) answer: Option<String>,
}

/// Takes a key for this transaction; false when it was taken before. On PostgreSQL a repeat waits here until the first
/// request has ended; on SQLite it has ended, as there is one writer.
pub async fn begin(
    tx: &mut Tx<'_>,
    user: UserId,
    key: &str,
    route: &str,
    request_hash: &[u8; 32],
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO idempotency (user_id, idempotency_key, request_hash, route, created_at) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id, idempotency_key) DO NOTHING";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(user))
        .bind(key)
        .bind(request_hash.as_slice())
        .bind(route)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// What is known of a key that was taken before.
pub async fn find(tx: &mut Tx<'_>, user: UserId, key: &str) -> Result<Option<Known>, sqlx::Error> {
    let sql = "SELECT request_hash, answer FROM idempotency WHERE user_id = $1 AND idempotency_key = $2";
    on!(tx, |c| sqlx::query_as(sql).bind(Text(user)).bind(key).fetch_optional(c).await)
}

/// Keeps the first answer.
pub async fn finish(tx: &mut Tx<'_>, user: UserId, key: &str, answer: &str) -> Result<(), sqlx::Error> {
    let sql = "UPDATE idempotency SET answer = $1 WHERE user_id = $2 AND idempotency_key = $3";
    on!(tx, |c| sqlx::query(sql).bind(answer).bind(Text(user)).bind(key).execute(c).await.map(drop))
}

/// Frees a key that was taken for a request that was then refused.
pub async fn delete(tx: &mut Tx<'_>, user: UserId, key: &str) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM idempotency WHERE user_id = $1 AND idempotency_key = $2";
    on!(tx, |c| sqlx::query(sql).bind(Text(user)).bind(key).execute(c).await.map(drop))
}

/// Forgets keys that were taken before `before`.
pub async fn delete_older(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM idempotency WHERE created_at < $1";
    on!(tx, |c| sqlx::query(sql).bind(Millis::from(before)).execute(c).await.map(drop))
}
