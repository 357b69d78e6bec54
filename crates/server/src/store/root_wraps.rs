//! The root of an epoch, locked for each device that stayed when it began. They stay: a device may come after years.

use segue_domain::UserId;
use segue_signed::RootWrap;

use super::{Tx, columns::Text, on};

/// Keeps one.
pub async fn insert(tx: &mut Tx<'_>, user: UserId, wrap: &RootWrap) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO root_wraps (user_id, epoch, device_id, wrap) VALUES ($1, $2, $3, $4)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(user))
        .bind(i64::from(wrap.epoch))
        .bind(&wrap.device_id)
        .bind(wrap.encode())
        .execute(c)
        .await
        .map(drop))
}

/// The one of a device and epoch.
pub async fn find(tx: &mut Tx<'_>, user: UserId, epoch: u32, device: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let sql = "SELECT wrap FROM root_wraps WHERE user_id = $1 AND epoch = $2 AND device_id = $3";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(user)).bind(i64::from(epoch)).bind(device).fetch_optional(c).await)
}
