//! People.

use segue_domain::{Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    locked, on,
};

/// A person, as others may know them.
#[derive(Debug, Clone, FromRow)]
pub struct User {
    pub(crate) id: Text<UserId>,
    pub(crate) email: String,
    pub(crate) email_verified: bool,
    pub(crate) name: String,
}

/// What a person begins with.
#[derive(Debug)]
pub struct NewUser<'a> {
    /// From the invite.
    pub id: UserId,
    /// As it was written.
    pub email: &'a str,
    /// In lower case: what addresses are compared by.
    pub email_key: &'a str,
    /// Whether the address counts.
    pub email_verified: bool,
    /// Their name.
    pub name: &'a str,
    /// Whether they may vouch and administer.
    pub owner: bool,
    /// Position of their key card in its chain.
    pub card_seq: u32,
    /// The user root, sealed under the recovery code.
    pub recovery_root: &'a [u8],
    /// SHA-256 of the recovery code's proof.
    pub recovery_auth_hash: &'a [u8],
}

/// Whether anybody has joined.
pub async fn any(tx: &mut Tx<'_>) -> Result<bool, sqlx::Error> {
    on!(tx, |c| sqlx::query_scalar("SELECT EXISTS(SELECT 1 FROM users)").fetch_one(c).await)
}

/// Adds a person. A verified address that another verified account has is a unique violation.
pub async fn insert(tx: &mut Tx<'_>, new: &NewUser<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO users (id, email, email_key, email_verified, name, owner, card_seq, recovery_root, \
               recovery_auth_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.id))
        .bind(new.email)
        .bind(new.email_key)
        .bind(new.email_verified)
        .bind(new.name)
        .bind(new.owner)
        .bind(i64::from(new.card_seq))
        .bind(new.recovery_root)
        .bind(new.recovery_auth_hash)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(drop))
}

/// A person by id.
pub async fn find(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, sqlx::Error> {
    let sql = "SELECT id, email, email_verified, name FROM users WHERE id = $1";
    on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).fetch_optional(c).await)
}

/// The person whose verified address this is.
pub async fn find_by_email(tx: &mut Tx<'_>, email_key: &str) -> Result<Option<User>, sqlx::Error> {
    let sql = "SELECT id, email, email_verified, name FROM users WHERE email_key = $1 AND email_verified";
    on!(tx, |c| sqlx::query_as(sql).bind(email_key).fetch_optional(c).await)
}

/// People whose address this is and whom nobody verified: anybody can join with another's printed link.
pub async fn unverified_by_email(tx: &mut Tx<'_>, email_key: &str) -> Result<Vec<User>, sqlx::Error> {
    let sql = "SELECT id, email, email_verified, name FROM users WHERE email_key = $1 AND NOT email_verified LIMIT 2";
    on!(tx, |c| sqlx::query_as(sql).bind(email_key).fetch_all(c).await)
}

/// Lets an address count from now on; false when it does already. One that another verified account has is a unique violation.
pub async fn verify(tx: &mut Tx<'_>, id: UserId) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE users SET email_verified = TRUE WHERE id = $1 AND NOT email_verified";
    let done = on!(tx, |c| sqlx::query(sql).bind(Text(id)).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Makes other transactions that charge this person wait, so that what is used cannot be overrun by two at once.
pub async fn lock(tx: &mut Tx<'_>, id: UserId) -> Result<(), sqlx::Error> {
    let sql = locked!(tx, "SELECT id FROM users WHERE id = $1");
    on!(tx, |c| sqlx::query(sql).bind(Text(id)).execute(c).await.map(drop))
}

/// What an account is recovered with.
#[derive(Debug, FromRow)]
pub struct Recoverable {
    pub(crate) id: Text<UserId>,
    pub(crate) email: String,
    pub(crate) recovery_root: Vec<u8>,
    pub(crate) recovery_auth_hash: Vec<u8>,
    pub(crate) keyring: Option<Vec<u8>>,
    pub(crate) device_events: i64,
}

/// The accounts of an address, the verified one first; at most `most`.
pub async fn recoveries(tx: &mut Tx<'_>, email_key: &str, most: i64) -> Result<Vec<Recoverable>, sqlx::Error> {
    let sql = "SELECT id, email, recovery_root, recovery_auth_hash, keyring, device_events FROM users WHERE email_key = $1 \
               ORDER BY email_verified DESC, created_at, id LIMIT $2";
    on!(tx, |c| sqlx::query_as(sql).bind(email_key).bind(most).fetch_all(c).await)
}

/// Takes another recovery code.
pub async fn set_recovery(tx: &mut Tx<'_>, id: UserId, root: &[u8], auth_hash: &[u8]) -> Result<(), sqlx::Error> {
    let sql = "UPDATE users SET recovery_root = $1, recovery_auth_hash = $2 WHERE id = $3";
    on!(tx, |c| sqlx::query(sql).bind(root).bind(auth_hash).bind(Text(id)).execute(c).await.map(drop))
}

/// SHA-256 of the recovery code's proof.
pub async fn recovery_auth_hash(tx: &mut Tx<'_>, id: UserId) -> Result<Vec<u8>, sqlx::Error> {
    let sql = "SELECT recovery_auth_hash FROM users WHERE id = $1";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).fetch_one(c).await)
}

/// Takes another sealed keyring.
pub async fn set_keyring(tx: &mut Tx<'_>, id: UserId, keyring: &[u8]) -> Result<(), sqlx::Error> {
    let sql = "UPDATE users SET keyring = $1 WHERE id = $2";
    on!(tx, |c| sqlx::query(sql).bind(keyring).bind(Text(id)).execute(c).await.map(drop))
}

/// The sealed keyring.
pub async fn keyring(tx: &mut Tx<'_>, id: UserId) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let sql = "SELECT keyring FROM users WHERE id = $1";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).fetch_one(c).await)
}

/// Sealed bytes that a person is charged for: each pack once however many of their bundles list it, their uploads that
/// no bundle lists, and manifests and previews. A handoff that waits is charged to its sender, a claimed one to its claimer.
pub async fn storage_used(tx: &mut Tx<'_>, id: UserId) -> Result<i64, sqlx::Error> {
    let sql = "WITH kept AS (SELECT id, bytes FROM bundles WHERE holder = $1 UNION ALL \
                             SELECT id, bytes FROM bundles WHERE owner = $1 AND holder IS NULL) \
               SELECT CAST(COALESCE((SELECT SUM(bytes) FROM kept), 0) \
        + COALESCE((SELECT SUM(len) FROM packs WHERE owner = $1 AND refs = 0 AND state <> 'gone'), 0) \
        + COALESCE((SELECT SUM(len) FROM (SELECT DISTINCT p.owner, p.id, p.len FROM kept \
            JOIN bundle_packs l ON l.bundle_id = kept.id JOIN packs p ON p.owner = l.pack_owner AND p.id = l.pack_id) listed), 0) \
            AS BIGINT)";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).fetch_one(c).await)
}

/// Records what happened to an account.
pub async fn record(tx: &mut Tx<'_>, id: UserId, kind: &str, actor: &str, now: Timestamp) -> Result<(), sqlx::Error> {
    record_change(tx, id, kind, actor, "", now).await
}

/// Records what happened to an account, and what it changed.
pub async fn record_change(
    tx: &mut Tx<'_>,
    id: UserId,
    kind: &str,
    actor: &str,
    detail: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO account_events (user_id, kind, actor, detail, at) VALUES ($1, $2, $3, $4, $5)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(id))
        .bind(kind)
        .bind(actor)
        .bind(detail)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(drop))
}
