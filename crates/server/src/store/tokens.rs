//! Personal access tokens. Only the SHA-256 of a token is here.

use segue_domain::{Scope, Timestamp, TokenId, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{self, Millis, Text},
    on, paging,
};
use crate::{
    page::Page,
    principal::{Credential, Principal},
};

/// A token.
#[derive(Debug, FromRow)]
pub struct Token {
    pub(crate) id: Text<TokenId>,
    pub(crate) name: String,
    pub(crate) scopes: String,
    #[sqlx(try_from = "Millis")]
    pub(crate) created_at: Timestamp,
    #[sqlx(try_from = "Millis")]
    pub(crate) expires_at: Timestamp,
    pub(crate) revoked_at: Option<Millis>,
}

/// A token to be made.
#[derive(Debug)]
pub struct NewToken<'a> {
    /// Its id.
    pub id: TokenId,
    /// Whose.
    pub user: UserId,
    /// What it is for.
    pub name: &'a str,
    /// What it may be used for.
    pub scopes: &'a [Scope],
    /// SHA-256 of it.
    pub token_hash: &'a [u8],
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    id: Text<TokenId>,
    user_id: Text<UserId>,
    scopes: String,
    owner: bool,
    email_verified: bool,
    plan: Option<String>,
    device_events: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, name, scopes, created_at, expires_at, revoked_at FROM tokens ", $rest)
    };
}

/// Adds a token; false when there is one of this hash.
pub async fn insert(tx: &mut Tx<'_>, new: &NewToken<'_>, now: Timestamp) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO tokens (id, user_id, name, scopes, token_hash, created_at, expires_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (token_hash) DO NOTHING";
    let scopes: Vec<_> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.id))
        .bind(Text(new.user))
        .bind(new.name)
        .bind(scopes.join(" "))
        .bind(new.token_hash)
        .bind(Millis::from(now))
        .bind(Millis::from(new.expires_at))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Who presents a token with this hash, unless it was revoked or has ended.
pub async fn find_principal(
    tx: &mut Tx<'_>,
    token_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Principal>, sqlx::Error> {
    let sql = "SELECT t.id, t.user_id, t.scopes, u.owner, u.email_verified, u.plan, u.device_events FROM tokens t \
               JOIN users u ON u.id = t.user_id \
               WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND t.expires_at > $2";
    let row: Option<Row> =
        on!(tx, |c| sqlx::query_as(sql).bind(token_hash.as_slice()).bind(Millis::from(now)).fetch_optional(c).await)?;
    let Some(row) = row else { return Ok(None) };
    let scopes: Result<Vec<Scope>, _> = row.scopes.split(' ').map(str::parse).collect();
    Ok(Some(Principal {
        user: row.user_id.0,
        credential: Credential::Token {
            id: row.id.0,
            scopes: scopes.map_err(|_| columns::corrupt("a token's scopes"))?,
        },
        owner: row.owner,
        email_verified: row.email_verified,
        plan: columns::plan(row.plan)?,
        device_events: row.device_events,
    }))
}

/// How many tokens of a person are in use.
pub async fn count(tx: &mut Tx<'_>, user: UserId, now: Timestamp) -> Result<i64, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM tokens WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(user)).bind(Millis::from(now)).fetch_one(c).await)
}

/// One token of a person.
pub async fn find(tx: &mut Tx<'_>, user: UserId, id: TokenId) -> Result<Option<Token>, sqlx::Error> {
    let sql = select!("WHERE user_id = $1 AND id = $2");
    on!(tx, |c| sqlx::query_as(sql).bind(Text(user)).bind(Text(id)).fetch_optional(c).await)
}

/// One page of a person's tokens, newest first.
pub async fn list(tx: &mut Tx<'_>, user: UserId, page: &Page) -> Result<Vec<Token>, sqlx::Error> {
    let sql = select!("WHERE user_id = $1 AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4");
    paging::newest_first(tx, sql, user, page).await
}

/// Ends a token; false when the person has none of this id.
pub async fn revoke(tx: &mut Tx<'_>, user: UserId, id: TokenId, now: Timestamp) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE tokens SET revoked_at = COALESCE(revoked_at, $1) WHERE user_id = $2 AND id = $3";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Millis::from(now))
        .bind(Text(user))
        .bind(Text(id))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}
