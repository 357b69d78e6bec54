//! Packs of sealed segments: who uploaded them, and how many bundles list them.
//!
//! A pack's id is drawn by a client, so it is kept per owner: nobody learns of another's pack by a collision, and nobody
//! can put bytes where another expects theirs.

use segue_domain::{BundleId, PackId, Timestamp, UserId};
use segue_signed::PackEntry;
use sqlx::FromRow;

use super::{
    Tx,
    columns::{self, Millis, Text},
    on,
};

/// Where a pack lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pack {
    /// Who uploaded it.
    pub owner: UserId,
    /// Its id.
    pub id: PackId,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Their number.
    pub len: u64,
}

#[derive(Debug, Clone, FromRow)]
pub(super) struct Row {
    pub(super) owner: Text<UserId>,
    pub(super) id: Text<PackId>,
    sha256: Vec<u8>,
    len: i64,
}

impl TryFrom<Row> for Pack {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            owner: row.owner.0,
            id: row.id.0,
            sha256: columns::hash(&row.sha256, "a pack's hash")?,
            len: u64::try_from(row.len).map_err(|_| columns::corrupt("a pack's length"))?,
        })
    }
}

fn length(pack_len: u64) -> Result<i64, sqlx::Error> {
    i64::try_from(pack_len).map_err(|_| columns::corrupt("a pack's length"))
}

/// Adds a pack that no bundle lists yet; false when its owner already has one of this id.
pub async fn insert(tx: &mut Tx<'_>, pack: &Pack, now: Timestamp) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO packs (owner, id, sha256, len, state, refs, created_at) VALUES ($1, $2, $3, $4, 'live', 0, $5) \
               ON CONFLICT (owner, id) DO NOTHING";
    let len = length(pack.len)?;
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(pack.owner))
        .bind(Text(pack.id))
        .bind(pack.sha256.as_slice())
        .bind(len)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// A person's pack of this id in whatever state, and whether it is live.
pub async fn look_up(tx: &mut Tx<'_>, owner: UserId, id: PackId) -> Result<Option<(Pack, bool)>, sqlx::Error> {
    #[derive(FromRow)]
    struct Known {
        #[sqlx(flatten)]
        row: Row,
        live: bool,
    }
    let sql = "SELECT owner, id, sha256, len, state = 'live' AS live FROM packs WHERE owner = $1 AND id = $2";
    let found: Option<Known> =
        on!(tx, |c| sqlx::query_as(sql).bind(Text(owner)).bind(Text(id)).fetch_optional(c).await)?;
    found.map(|known| Ok((Pack::try_from(known.row)?, known.live))).transpose()
}

/// A person's live upload.
pub async fn find(tx: &mut Tx<'_>, owner: UserId, id: PackId) -> Result<Option<Pack>, sqlx::Error> {
    let sql = "SELECT owner, id, sha256, len FROM packs WHERE owner = $1 AND id = $2 AND state = 'live'";
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(sql).bind(Text(owner)).bind(Text(id)).fetch_optional(c).await)?;
    row.map(Pack::try_from).transpose()
}

/// Adds a reference to the pack of an envelope, and says whose it is: an unlisted upload of `user`, or one that a bundle
/// lists which `user` holds. `None` when there is none with this hash and length (`docs/protocol.md` §3).
///
/// The outer `WHERE` repeats the state: on PostgreSQL only it is looked at again after waiting for another writer.
pub async fn refer(tx: &mut Tx<'_>, user: UserId, entry: &PackEntry) -> Result<Option<UserId>, sqlx::Error> {
    let sql = "UPDATE packs SET refs = refs + 1 WHERE id = $1 AND state = 'live' AND owner = (\
               SELECT p.owner FROM packs p WHERE p.id = $1 AND p.sha256 = $2 AND p.len = $3 AND p.state = 'live' AND (\
               (p.owner = $4 AND p.refs = 0) OR EXISTS (SELECT 1 FROM bundle_packs l JOIN bundles b ON b.id = l.bundle_id \
               WHERE l.pack_owner = p.owner AND l.pack_id = p.id AND b.holder = $4)) ORDER BY p.owner LIMIT 1) \
               RETURNING owner";
    let len = length(entry.len)?;
    let owner: Option<Text<UserId>> = on!(tx, |c| sqlx::query_scalar(sql)
        .bind(Text(PackId::from_bytes(entry.id)))
        .bind(entry.sha256.as_slice())
        .bind(len)
        .bind(Text(user))
        .fetch_optional(c)
        .await)?;
    Ok(owner.map(|owner| owner.0))
}

/// Takes back the references of a bundle and forgets that it listed them. In one order, so that two never wait for each
/// other.
pub async fn release(tx: &mut Tx<'_>, bundle: BundleId) -> Result<(), sqlx::Error> {
    let sql = "SELECT pack_id, pack_owner FROM bundle_packs WHERE bundle_id = $1 ORDER BY pack_id, pack_owner";
    let listed: Vec<(Text<PackId>, Text<UserId>)> =
        on!(tx, |c| sqlx::query_as(sql).bind(Text(bundle)).fetch_all(c).await)?;
    for (id, owner) in listed {
        let sql = "UPDATE packs SET refs = refs - 1 WHERE owner = $1 AND id = $2";
        on!(tx, |c| sqlx::query(sql).bind(owner).bind(id).execute(c).await.map(drop))?;
    }
    let sql = "DELETE FROM bundle_packs WHERE bundle_id = $1";
    on!(tx, |c| sqlx::query(sql).bind(Text(bundle)).execute(c).await.map(drop))
}

/// Marks packs that no bundle lists and that are older than `unlisted_before`: from here on nothing can list them.
///
/// A pack that was listed once is as old as its upload, so it goes with the first sweep after its last bundle.
pub async fn condemn(tx: &mut Tx<'_>, unlisted_before: Timestamp, now: Timestamp) -> Result<u64, sqlx::Error> {
    let sql = "UPDATE packs SET state = 'dying', dying_at = $1 WHERE state = 'live' AND refs = 0 AND created_at < $2";
    on!(tx, |c| sqlx::query(sql)
        .bind(Millis::from(now))
        .bind(Millis::from(unlisted_before))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
}

/// Packs that were marked before `marked_before`; at most `limit`.
pub async fn condemned(tx: &mut Tx<'_>, marked_before: Timestamp, limit: i64) -> Result<Vec<Pack>, sqlx::Error> {
    let sql =
        "SELECT owner, id, sha256, len FROM packs WHERE state = 'dying' AND dying_at < $1 ORDER BY owner, id LIMIT $2";
    let rows: Vec<Row> =
        on!(tx, |c| sqlx::query_as(sql).bind(Millis::from(marked_before)).bind(limit).fetch_all(c).await)?;
    rows.into_iter().map(Pack::try_from).collect()
}

/// Records that a marked pack's bytes are gone. Its row stays: an id is never used again.
pub async fn delete(tx: &mut Tx<'_>, pack: &Pack) -> Result<(), sqlx::Error> {
    let sql = "UPDATE packs SET state = 'gone' WHERE owner = $1 AND id = $2 AND state = 'dying'";
    on!(tx, |c| sqlx::query(sql).bind(Text(pack.owner)).bind(Text(pack.id)).execute(c).await.map(drop))
}

/// A pack that a bundle lists which `holder` holds.
pub async fn find_listed(
    tx: &mut Tx<'_>,
    holder: UserId,
    bundle: BundleId,
    id: PackId,
) -> Result<Option<Pack>, sqlx::Error> {
    let sql = "SELECT p.owner, p.id, p.sha256, p.len FROM bundles b JOIN bundle_packs l ON l.bundle_id = b.id \
               JOIN packs p ON p.owner = l.pack_owner AND p.id = l.pack_id WHERE b.id = $1 AND b.holder = $2 AND p.id = $3";
    let row: Option<Row> =
        on!(tx, |c| sqlx::query_as(sql).bind(Text(bundle)).bind(Text(holder)).bind(Text(id)).fetch_optional(c).await)?;
    row.map(Pack::try_from).transpose()
}

/// Records that a bundle lists a pack.
pub async fn list(
    tx: &mut Tx<'_>,
    bundle: BundleId,
    position: usize,
    owner: UserId,
    id: PackId,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO bundle_packs (bundle_id, position, pack_owner, pack_id) VALUES ($1, $2, $3, $4)";
    let position = i64::try_from(position).map_err(|_| columns::corrupt("a pack's position"))?;
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(bundle))
        .bind(position)
        .bind(Text(owner))
        .bind(Text(id))
        .execute(c)
        .await
        .map(drop))
}
