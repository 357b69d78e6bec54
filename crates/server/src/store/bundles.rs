//! Sealed bundles. `holder` may read manifest and packs and list the packs again: the owner of a snapshot, the claimer of
//! a handoff, and nobody while a handoff waits.

use segue_domain::{BundleId, PairingId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    on, packs, wraps,
};

/// A bundle to be kept.
#[derive(Debug)]
pub struct NewBundle<'a> {
    /// Its id.
    pub id: BundleId,
    /// `snapshot`, `handoff` or `device`.
    pub kind: &'a str,
    /// Who sealed it.
    pub owner: UserId,
    /// Who may read it all.
    pub holder: Option<UserId>,
    /// The session, as its sender knows it.
    pub session_id: &'a str,
    /// Position in the session's chain.
    pub seq: i64,
    /// The signed envelope.
    pub envelope: &'a [u8],
    /// The sealed manifest.
    pub manifest: &'a [u8],
    /// The sealed preview.
    pub preview: Option<&'a [u8]>,
}

/// What a reader needs to begin with.
#[derive(Debug, FromRow)]
pub struct Opening {
    pub(crate) owner: Text<UserId>,
    pub(crate) envelope: Vec<u8>,
    pub(crate) preview: Option<Vec<u8>>,
}

/// The kind as it stands in the row: a bundle of a pairing goes whole when it is let go, as a snapshot does.
fn kind_in_row(kind: &str) -> &str {
    if kind == "handoff" { kind } else { "snapshot" }
}

/// Adds a bundle; false when there is one of this id.
pub async fn insert(tx: &mut Tx<'_>, new: &NewBundle<'_>, now: Timestamp) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO bundles (id, kind, owner, holder, session_id, seq, envelope, manifest, preview, bytes, \
               created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING";
    let bytes = new.envelope.len() + new.manifest.len() + new.preview.map_or(0, <[u8]>::len);
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.id))
        .bind(kind_in_row(new.kind))
        .bind(Text(new.owner))
        .bind(new.holder.map(Text))
        .bind(new.session_id)
        .bind(new.seq)
        .bind(new.envelope)
        .bind(new.manifest)
        .bind(new.preview)
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// A bundle's envelope and preview. The caller knows that the reader may see them.
pub async fn opening(tx: &mut Tx<'_>, id: BundleId) -> Result<Opening, sqlx::Error> {
    let sql = "SELECT owner, envelope, preview FROM bundles WHERE id = $1";
    on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).fetch_one(c).await)
}

/// The sealed manifest of a bundle that `holder` holds.
pub async fn manifest(tx: &mut Tx<'_>, holder: UserId, id: BundleId) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let sql = "SELECT manifest FROM bundles WHERE id = $1 AND holder = $2 AND manifest IS NOT NULL";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).bind(Text(holder)).fetch_optional(c).await)
}

/// Whether `user` holds a bundle.
pub async fn is_held(tx: &mut Tx<'_>, user: UserId, id: BundleId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT EXISTS(SELECT 1 FROM bundles WHERE id = $1 AND holder = $2)";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(id)).bind(Text(user)).fetch_one(c).await)
}

/// Gives a bundle to whom it is now. Touches no pack: references belong to bundles.
pub async fn give(tx: &mut Tx<'_>, id: BundleId, holder: UserId) -> Result<(), sqlx::Error> {
    let sql = "UPDATE bundles SET holder = $1 WHERE id = $2";
    on!(tx, |c| sqlx::query(sql).bind(Text(holder)).bind(Text(id)).execute(c).await.map(drop))
}

/// Lets go of a bundle's sealed content: pack references, manifest, preview and wraps. A handoff's envelope stays, as its
/// parties still see what it was; a snapshot goes whole.
pub async fn release(tx: &mut Tx<'_>, id: BundleId) -> Result<(), sqlx::Error> {
    packs::release(tx, id).await?;
    wraps::delete(tx, id).await?;
    let keep = "UPDATE bundles SET manifest = NULL, preview = NULL, holder = NULL, bytes = 0 \
                WHERE id = $1 AND kind = 'handoff'";
    on!(tx, |c| sqlx::query(keep).bind(Text(id)).execute(c).await.map(drop))?;
    let forget = "DELETE FROM bundles WHERE id = $1 AND kind = 'snapshot'";
    on!(tx, |c| sqlx::query(forget).bind(Text(id)).execute(c).await.map(drop))
}

/// Makes a bundle that of a pairing.
pub async fn give_to_pairing(tx: &mut Tx<'_>, id: BundleId, pairing: PairingId) -> Result<(), sqlx::Error> {
    let sql = "UPDATE bundles SET pairing_id = $1 WHERE id = $2";
    on!(tx, |c| sqlx::query(sql).bind(Text(pairing)).bind(Text(id)).execute(c).await.map(drop))
}

/// The bundle of a pairing.
pub async fn of_pairing(tx: &mut Tx<'_>, pairing: PairingId) -> Result<Option<BundleId>, sqlx::Error> {
    let sql = "SELECT id FROM bundles WHERE pairing_id = $1";
    let id: Option<Text<BundleId>> = on!(tx, |c| sqlx::query_scalar(sql).bind(Text(pairing)).fetch_optional(c).await)?;
    Ok(id.map(|id| id.0))
}

/// Lets go of a pairing's bundle, if it has one.
pub async fn release_of_pairing(tx: &mut Tx<'_>, pairing: PairingId) -> Result<(), sqlx::Error> {
    match of_pairing(tx, pairing).await? {
        Some(bundle) => release(tx, bundle).await,
        None => Ok(()),
    }
}
