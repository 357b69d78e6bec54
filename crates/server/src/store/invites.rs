//! Invites and the owner link. Only the SHA-256 of a token is here.

use segue_domain::{InviteId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    on,
};

/// An invite.
#[derive(Debug, FromRow)]
pub struct Invite {
    pub(crate) id: Text<InviteId>,
    pub(crate) user_id: Text<UserId>,
    pub(crate) email: Option<String>,
    pub(crate) vouched: bool,
    pub(crate) owner: bool,
    #[sqlx(try_from = "Millis")]
    pub(crate) expires_at: Timestamp,
    pub(crate) used_by: Option<Text<UserId>>,
    pub(crate) inviter: Option<String>,
}

/// An invite to be made.
#[derive(Debug)]
pub struct NewInvite<'a> {
    /// Its id.
    pub id: InviteId,
    /// SHA-256 of its token.
    pub token_hash: &'a [u8],
    /// The id that the new account will have.
    pub user_id: UserId,
    /// Whom it invites; nobody in particular on the owner link.
    pub email: Option<&'a str>,
    /// Whether joining with it verifies the address.
    pub vouched: bool,
    /// Whether joining makes an owner.
    pub owner: bool,
    /// Who invites; the server itself on the owner link.
    pub invited_by: Option<UserId>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Adds an invite; false when there is one of this token.
pub async fn insert(tx: &mut Tx<'_>, new: &NewInvite<'_>, now: Timestamp) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO invites (id, token_hash, user_id, email, vouched, owner, invited_by, created_at, expires_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (token_hash) DO NOTHING";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.id))
        .bind(new.token_hash)
        .bind(Text(new.user_id))
        .bind(new.email)
        .bind(new.vouched)
        .bind(new.owner)
        .bind(new.invited_by.map(Text))
        .bind(Millis::from(now))
        .bind(Millis::from(new.expires_at))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// The invite of a token, whatever its state.
pub async fn find_by_token(tx: &mut Tx<'_>, token_hash: &[u8; 32]) -> Result<Option<Invite>, sqlx::Error> {
    let sql = "SELECT i.id, i.user_id, i.email, i.vouched, i.owner, i.expires_at, i.used_by, u.name AS inviter \
               FROM invites i LEFT JOIN users u ON u.id = i.invited_by WHERE i.token_hash = $1";
    on!(tx, |c| sqlx::query_as(sql).bind(token_hash.as_slice()).fetch_optional(c).await)
}

/// Uses an invite up; false when somebody was faster or it has expired.
pub async fn use_up(tx: &mut Tx<'_>, id: InviteId, by: UserId, now: Timestamp) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE invites SET used_by = $1 WHERE id = $2 AND used_by IS NULL AND expires_at > $3";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(by))
        .bind(Text(id))
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Forgets owner links that nobody used: a restart prints another.
pub async fn delete_owner_links(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM invites WHERE owner AND used_by IS NULL";
    on!(tx, |c| sqlx::query(sql).execute(c).await.map(drop))
}
