//! Invites and the owner link. Only the SHA-256 of a token is here.

use segue_domain::{InviteId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    locked, on,
};
use crate::person::Email;

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
    /// Whether the token came by mail: who has it reads the address's mailbox.
    pub(crate) mailed: bool,
}

impl Invite {
    /// Whether joining with it shows that the address is one's own: the server mailed the token there, or an owner said so.
    pub(crate) fn verifies(&self) -> bool {
        self.owner || self.vouched || self.mailed
    }
}

/// An invite to be made.
#[derive(Debug)]
pub struct NewInvite<'a> {
    /// Its id.
    pub id: InviteId,
    /// The id that the new account will have.
    pub user_id: UserId,
    /// Whom it invites; nobody in particular on the owner link.
    pub(crate) email: Option<&'a Email>,
    /// Whether joining with it verifies the address.
    pub vouched: bool,
    /// Whether joining makes an owner.
    pub owner: bool,
    /// Who invites; the server itself on the owner link and for a sign-up.
    pub invited_by: Option<UserId>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Adds an invite, which nobody can use until it has a token.
pub async fn insert(tx: &mut Tx<'_>, new: &NewInvite<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO invites (id, user_id, email, email_key, vouched, owner, invited_by, created_at, expires_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.id))
        .bind(Text(new.user_id))
        .bind(new.email.map(|email| &email.written))
        .bind(new.email.map(|email| &email.key))
        .bind(new.vouched)
        .bind(new.owner)
        .bind(new.invited_by.map(Text))
        .bind(Millis::from(now))
        .bind(Millis::from(new.expires_at))
        .execute(c)
        .await
        .map(drop))
}

/// Adds a token that opens an invite; false when the token is one already.
pub async fn add_token(
    tx: &mut Tx<'_>,
    invite: InviteId,
    token_hash: &[u8],
    mailed: bool,
) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO invite_tokens (token_hash, invite_id, mailed) VALUES ($1, $2, $3) \
               ON CONFLICT (token_hash) DO NOTHING";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(token_hash)
        .bind(Text(invite))
        .bind(mailed)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// The invite of a token, whatever its state.
pub async fn find_by_token(tx: &mut Tx<'_>, token_hash: &[u8; 32]) -> Result<Option<Invite>, sqlx::Error> {
    let sql = "SELECT i.id, i.user_id, i.email, i.vouched, i.owner, i.expires_at, i.used_by, u.name AS inviter, t.mailed \
               FROM invite_tokens t JOIN invites i ON i.id = t.invite_id LEFT JOIN users u ON u.id = i.invited_by \
               WHERE t.token_hash = $1";
    on!(tx, |c| sqlx::query_as(sql).bind(token_hash.as_slice()).fetch_optional(c).await)
}

/// The newest invite of somebody (or of the server itself) to an address that can still be used. None with a printed link: its
/// inviter could use it up before the address's owner does.
pub async fn find_open(
    tx: &mut Tx<'_>,
    email_key: &str,
    invited_by: Option<UserId>,
    now: Timestamp,
) -> Result<Option<InviteId>, sqlx::Error> {
    let sql = "SELECT id FROM invites WHERE email_key = $1 AND COALESCE(invited_by, '') = $2 AND used_by IS NULL \
               AND expires_at > $3 AND NOT EXISTS (SELECT 1 FROM invite_tokens t WHERE t.invite_id = invites.id AND NOT t.mailed) \
               ORDER BY created_at DESC, id DESC LIMIT 1";
    let by = invited_by.map(|id| id.to_string()).unwrap_or_default();
    let id: Option<Text<InviteId>> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(email_key).bind(by).bind(Millis::from(now)).fetch_optional(c).await)?;
    Ok(id.map(|id| id.0))
}

/// When an invite ends, while it can be used.
pub async fn open_until(tx: &mut Tx<'_>, id: InviteId, now: Timestamp) -> Result<Option<Timestamp>, sqlx::Error> {
    let sql = "SELECT expires_at FROM invites WHERE id = $1 AND used_by IS NULL AND expires_at > $2";
    let end: Option<Millis> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).bind(Millis::from(now)).fetch_optional(c).await)?;
    Ok(end.map(Timestamp::from))
}

/// Makes an invite last at least until a time.
pub async fn prolong(tx: &mut Tx<'_>, id: InviteId, until: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "UPDATE invites SET expires_at = $2 WHERE id = $1 AND expires_at < $2";
    on!(tx, |c| sqlx::query(sql).bind(Text(id)).bind(Millis::from(until)).execute(c).await.map(drop))
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

/// Makes other joins by owner links wait.
pub async fn lock_owner_links(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    let sql = locked!(tx, "SELECT id FROM invites WHERE owner AND used_by IS NULL ORDER BY id");
    on!(tx, |c| sqlx::query(sql).fetch_all(c).await.map(drop))
}

/// Forgets invites that ended before a time and that nobody used.
pub async fn delete_ended(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), sqlx::Error> {
    let before = Millis::from(before);
    let tokens = "DELETE FROM invite_tokens WHERE invite_id IN \
                  (SELECT id FROM invites WHERE used_by IS NULL AND expires_at < $1)";
    on!(tx, |c| sqlx::query(tokens).bind(before).execute(c).await.map(drop))?;
    let sql = "DELETE FROM invites WHERE used_by IS NULL AND expires_at < $1";
    on!(tx, |c| sqlx::query(sql).bind(before).execute(c).await.map(drop))
}
