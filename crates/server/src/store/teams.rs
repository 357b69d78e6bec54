//! Teams: their signed chain, the index of its newest roster, and their keys, each locked for one member. Who of a team may
//! claim is in [`super::recipients`].

use std::collections::BTreeSet;

use segue_domain::{TeamId, Timestamp, UserId};
use segue_signed::{MemberRole, SignedKeyCard, SignedRoster, TeamKeyWrap, keycard::key_fingerprint};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{self, Millis, Text},
    locked, on, paging,
};
use crate::page::Page;

/// A team, as one of its members sees it.
#[derive(Debug, FromRow)]
pub struct Row {
    pub(crate) id: Text<TeamId>,
    pub(crate) name: String,
    version: i64,
    epoch: i64,
    pub(crate) role: String,
    pub(crate) members: i64,
    #[sqlx(try_from = "Millis")]
    pub(crate) created_at: Timestamp,
}

impl Row {
    /// Version of the newest roster.
    pub(crate) fn version(&self) -> Result<u32, sqlx::Error> {
        number(self.version)
    }

    /// Epoch of the team key.
    pub(crate) fn epoch(&self) -> Result<u32, sqlx::Error> {
        number(self.epoch)
    }
}

fn number(column: i64) -> Result<u32, sqlx::Error> {
    u32::try_from(column).map_err(|_| columns::corrupt("a team's version or epoch"))
}

/// A member, as the other members see them.
#[derive(Debug, FromRow)]
pub struct Member {
    pub(crate) id: Text<UserId>,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) card: Vec<u8>,
}

/// Adds a team before its first roster; false when there is one of this id.
pub async fn insert(tx: &mut Tx<'_>, id: TeamId, name: &str, now: Timestamp) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO teams (id, name, version, epoch, created_at) VALUES ($1, $2, 0, 0, $3) ON CONFLICT (id) DO NOTHING";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(id))
        .bind(name)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// How many teams somebody is in.
pub async fn of(tx: &mut Tx<'_>, member: UserId) -> Result<i64, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM team_members WHERE user_id = $1";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(member)).fetch_one(c).await)
}

/// Makes others that change this team wait.
pub async fn lock(tx: &mut Tx<'_>, id: TeamId) -> Result<(), sqlx::Error> {
    let sql = locked!(tx, "SELECT id FROM teams WHERE id = $1");
    on!(tx, |c| sqlx::query(sql).bind(Text(id)).execute(c).await.map(drop))
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.name, t.version, t.epoch, t.created_at, m.role, \
             (SELECT COUNT(*) FROM team_members o WHERE o.team_id = t.id) AS members \
             FROM team_members m JOIN teams t ON t.id = m.team_id ",
            $rest
        )
    };
}

/// A team of this member; nobody else finds it.
pub async fn find(tx: &mut Tx<'_>, id: TeamId, member: UserId) -> Result<Option<Row>, sqlx::Error> {
    let sql = select!("WHERE t.id = $1 AND m.user_id = $2");
    on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).bind(Text(member)).fetch_optional(c).await)
}

/// One page of this member's teams, newest first.
pub async fn list(tx: &mut Tx<'_>, member: UserId, page: &Page) -> Result<Vec<Row>, sqlx::Error> {
    let sql = select!(
        "WHERE m.user_id = $1 AND (t.created_at, t.id) < ($2, $3) ORDER BY t.created_at DESC, t.id DESC LIMIT $4"
    );
    paging::newest_first(tx, sql, member, page).await
}

/// Calls a team something else.
pub async fn rename(tx: &mut Tx<'_>, id: TeamId, name: &str) -> Result<(), sqlx::Error> {
    let sql = "UPDATE teams SET name = $1 WHERE id = $2";
    on!(tx, |c| sqlx::query(sql).bind(name).bind(Text(id)).execute(c).await.map(drop))
}

/// Adds a roster to a team's chain, as its newest.
pub async fn add_roster(tx: &mut Tx<'_>, id: TeamId, signed: &SignedRoster, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO team_rosters (team_id, version, roster, created_at) VALUES ($1, $2, $3, $4)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(id))
        .bind(i64::from(signed.roster.version))
        .bind(signed.encode())
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(drop))?;
    let sql = "UPDATE teams SET version = $1, epoch = $2, key_fp = $4 WHERE id = $3";
    on!(tx, |c| sqlx::query(sql)
        .bind(i64::from(signed.roster.version))
        .bind(i64::from(signed.roster.epoch))
        .bind(Text(id))
        .bind(key_fingerprint(&signed.roster.team_key).as_slice())
        .execute(c)
        .await
        .map(drop))
}

/// One roster of a team's chain, if there is one of this version.
pub async fn find_roster(tx: &mut Tx<'_>, id: TeamId, version: u32) -> Result<Option<SignedRoster>, sqlx::Error> {
    let sql = "SELECT roster FROM team_rosters WHERE team_id = $1 AND version = $2";
    let bytes: Option<Vec<u8>> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).bind(i64::from(version)).fetch_optional(c).await)?;
    bytes.map(|bytes| parse(&bytes)).transpose()
}

/// One roster of a team's chain, which must be there.
pub async fn roster(tx: &mut Tx<'_>, id: TeamId, version: u32) -> Result<SignedRoster, sqlx::Error> {
    find_roster(tx, id, version).await?.ok_or(sqlx::Error::RowNotFound)
}

/// A team's chain after a version, oldest first, at most `limit`.
pub async fn rosters(tx: &mut Tx<'_>, id: TeamId, after: u32, limit: i64) -> Result<Vec<SignedRoster>, sqlx::Error> {
    let sql = "SELECT roster FROM team_rosters WHERE team_id = $1 AND version > $2 ORDER BY version LIMIT $3";
    let all: Vec<Vec<u8>> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).bind(i64::from(after)).bind(limit).fetch_all(c).await)?;
    all.iter().map(|bytes| parse(bytes)).collect()
}

fn parse(bytes: &[u8]) -> Result<SignedRoster, sqlx::Error> {
    SignedRoster::parse(bytes).map_err(|_| columns::corrupt("a roster"))
}

/// A team's members with their current key cards, by id.
pub async fn members(tx: &mut Tx<'_>, id: TeamId) -> Result<Vec<Member>, sqlx::Error> {
    let sql = "SELECT u.id, u.email, u.name, m.role, k.card FROM team_members m JOIN users u ON u.id = m.user_id \
               JOIN key_cards k ON k.user_id = u.id AND k.seq = u.card_seq WHERE m.team_id = $1 ORDER BY u.id";
    on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).fetch_all(c).await)
}

/// The current key card of somebody who may become a member: who has joined, with a verified address.
pub async fn candidate(tx: &mut Tx<'_>, user: UserId) -> Result<Option<SignedKeyCard>, sqlx::Error> {
    let sql = "SELECT k.card FROM users u JOIN key_cards k ON k.user_id = u.id AND k.seq = u.card_seq \
               WHERE u.id = $1 AND u.email_verified";
    let bytes: Option<Vec<u8>> = on!(tx, |c| sqlx::query_scalar(sql).bind(Text(user)).fetch_optional(c).await)?;
    bytes.map(|bytes| SignedKeyCard::parse(&bytes).map_err(|_| columns::corrupt("a key card"))).transpose()
}

/// Adds a member, or changes their role.
pub async fn put_member(tx: &mut Tx<'_>, id: TeamId, user: UserId, role: MemberRole) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO team_members (team_id, user_id, role) VALUES ($1, $2, $3) \
               ON CONFLICT (team_id, user_id) DO UPDATE SET role = excluded.role";
    on!(tx, |c| sqlx::query(sql).bind(Text(id)).bind(Text(user)).bind(role.as_str()).execute(c).await.map(drop))
}

/// Removes a member. The keys that they were given stay theirs; they count for members only.
pub async fn remove_member(tx: &mut Tx<'_>, id: TeamId, user: UserId) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM team_members WHERE team_id = $1 AND user_id = $2";
    on!(tx, |c| sqlx::query(sql).bind(Text(id)).bind(Text(user)).execute(c).await.map(drop))
}

/// Adds the team key of an epoch, locked for one member.
pub async fn add_key(
    tx: &mut Tx<'_>,
    id: TeamId,
    epoch: u32,
    user: UserId,
    wrap: &TeamKeyWrap,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO team_keys (team_id, epoch, user_id, wrap) VALUES ($1, $2, $3, $4)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(id))
        .bind(i64::from(epoch))
        .bind(Text(user))
        .bind(wrap.encode())
        .execute(c)
        .await
        .map(drop))
}

/// The team keys that a person was given, by epoch.
pub async fn keys(tx: &mut Tx<'_>, id: TeamId, user: UserId) -> Result<Vec<(u32, Vec<u8>)>, sqlx::Error> {
    let sql = "SELECT epoch, wrap FROM team_keys WHERE team_id = $1 AND user_id = $2 ORDER BY epoch";
    let rows: Vec<(i64, Vec<u8>)> =
        on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).bind(Text(user)).fetch_all(c).await)?;
    rows.into_iter().map(|(epoch, wrap)| Ok((number(epoch)?, wrap))).collect()
}

/// Who was given the team key of an epoch, members or not.
pub async fn key_holders(tx: &mut Tx<'_>, id: TeamId, epoch: u32) -> Result<BTreeSet<UserId>, sqlx::Error> {
    let sql = "SELECT user_id FROM team_keys WHERE team_id = $1 AND epoch = $2";
    let users: Vec<Text<UserId>> =
        on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).bind(i64::from(epoch)).fetch_all(c).await)?;
    Ok(users.into_iter().map(|user| user.0).collect())
}
