//! Codes that verify addresses, as hashes: one for each account, the newest.

use segue_domain::{Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    locked, on,
};

/// What is known of an account's code.
#[derive(Debug, FromRow)]
pub struct Verification {
    pub(crate) code_hash: Option<Vec<u8>>,
    pub(crate) wrong: i64,
    #[sqlx(try_from = "Millis")]
    pub(crate) expires_at: Timestamp,
}

/// Begins anew: the code of before ends, the next is drawn when its mail is sent.
pub async fn begin(tx: &mut Tx<'_>, user: UserId, expires_at: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO verifications (user_id, code_hash, wrong, expires_at) VALUES ($1, NULL, 0, $2) \
               ON CONFLICT (user_id) DO UPDATE SET code_hash = NULL, wrong = 0, expires_at = $2";
    on!(tx, |c| sqlx::query(sql).bind(Text(user)).bind(Millis::from(expires_at)).execute(c).await.map(drop))
}

/// Sets the code that counts from now on; false when nobody waits for one.
pub async fn set(
    tx: &mut Tx<'_>,
    user: UserId,
    code_hash: &[u8; 32],
    expires_at: Timestamp,
) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE verifications SET code_hash = $2, expires_at = $3 WHERE user_id = $1";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(user))
        .bind(code_hash.as_slice())
        .bind(Millis::from(expires_at))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// What is known of an account's code; it stays so until the transaction ends.
pub async fn lock(tx: &mut Tx<'_>, user: UserId) -> Result<Option<Verification>, sqlx::Error> {
    let sql = locked!(tx, "SELECT code_hash, wrong, expires_at FROM verifications WHERE user_id = $1");
    on!(tx, |c| sqlx::query_as(sql).bind(Text(user)).fetch_optional(c).await)
}

/// Counts a wrong try.
pub async fn count_wrong(tx: &mut Tx<'_>, user: UserId) -> Result<(), sqlx::Error> {
    let sql = "UPDATE verifications SET wrong = wrong + 1 WHERE user_id = $1";
    on!(tx, |c| sqlx::query(sql).bind(Text(user)).execute(c).await.map(drop))
}

/// Uses a code up.
pub async fn delete(tx: &mut Tx<'_>, user: UserId) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM verifications WHERE user_id = $1";
    on!(tx, |c| sqlx::query(sql).bind(Text(user)).execute(c).await.map(drop))
}

/// Forgets codes that have expired.
pub async fn delete_expired(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM verifications WHERE expires_at <= $1";
    on!(tx, |c| sqlx::query(sql).bind(Millis::from(now)).execute(c).await.map(drop))
}
