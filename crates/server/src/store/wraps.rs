//! Bundle keys, each locked for one recipient. Opaque here but for their address.

use segue_domain::{BundleId, UserId};
use segue_signed::{Wrap, WrapKind};

use super::{Tx, columns::Text, on};

/// Adds a wrap, or replaces the one at the same address.
pub async fn save(tx: &mut Tx<'_>, bundle: BundleId, wrap: &Wrap) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO wraps (bundle_id, kind, recipient_id, key_fp, epoch, bytes) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (bundle_id, kind, recipient_id) \
               DO UPDATE SET key_fp = excluded.key_fp, epoch = excluded.epoch, bytes = excluded.bytes";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(bundle))
        .bind(wrap.kind.as_str())
        .bind(wrap.id.as_str())
        .bind(wrap.key_fp.as_slice())
        .bind(i64::from(wrap.epoch))
        .bind(wrap.encode())
        .execute(c)
        .await
        .map(drop))
}

/// The wrap that a reader opens a bundle with: their own one, else the one that was made for them, else the one for their
/// team or for who has the invite link. The caller knows that they may see the bundle.
pub async fn find(tx: &mut Tx<'_>, bundle: BundleId, reader: UserId) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let sql = "SELECT bytes FROM wraps WHERE bundle_id = $1 AND (kind IN ($5, $6) OR (recipient_id = $2 \
               AND kind IN ($3, $4))) ORDER BY CASE WHEN kind = $3 THEN 0 WHEN kind = $4 THEN 1 ELSE 2 END LIMIT 1";
    on!(tx, |c| sqlx::query_scalar(sql)
        .bind(Text(bundle))
        .bind(Text(reader))
        .bind(WrapKind::Own.as_str())
        .bind(WrapKind::User.as_str())
        .bind(WrapKind::Team.as_str())
        .bind(WrapKind::Invite.as_str())
        .fetch_optional(c)
        .await)
}

/// Deletes every wrap but the holder's own.
pub async fn keep_own(tx: &mut Tx<'_>, bundle: BundleId, holder: UserId) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM wraps WHERE bundle_id = $1 AND NOT (kind = $2 AND recipient_id = $3)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(bundle))
        .bind(WrapKind::Own.as_str())
        .bind(Text(holder))
        .execute(c)
        .await
        .map(drop))
}

/// Deletes every wrap of a bundle.
pub async fn delete(tx: &mut Tx<'_>, bundle: BundleId) -> Result<(), sqlx::Error> {
    on!(tx, |c| sqlx::query("DELETE FROM wraps WHERE bundle_id = $1").bind(Text(bundle)).execute(c).await.map(drop))
}

/// The one wrap of a bundle that a pairing owns.
pub async fn only(tx: &mut Tx<'_>, bundle: BundleId) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let sql = "SELECT bytes FROM wraps WHERE bundle_id = $1";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(bundle)).fetch_optional(c).await)
}
