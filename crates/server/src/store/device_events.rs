//! What happened to an account's devices, numbered without gaps. The number of the newest stands in the user's row, so that each
//! answer can name it at no cost.

use segue_domain::{DeviceId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    on,
};

/// An event that happens.
#[derive(Debug, Clone, Copy)]
pub struct NewEvent {
    /// What: a word of `segue_api::devices`.
    pub kind: &'static str,
    /// Which device it is about.
    pub device: DeviceId,
    /// Which device did it.
    pub by: DeviceId,
}

/// An event, with the names that the devices have.
#[derive(Debug, FromRow)]
pub struct Event {
    pub(crate) seq: i64,
    #[sqlx(try_from = "Millis")]
    pub(crate) at: Timestamp,
    pub(crate) kind: String,
    pub(crate) device_id: String,
    pub(crate) name: Option<String>,
    pub(crate) by_device: String,
    pub(crate) by_name: Option<String>,
}

/// Adds an event; its number. The caller has locked the user.
pub async fn append(tx: &mut Tx<'_>, user: UserId, new: NewEvent, now: Timestamp) -> Result<i64, sqlx::Error> {
    let sql = "UPDATE users SET device_events = device_events + 1 WHERE id = $1 RETURNING device_events";
    let seq: i64 = on!(&mut *tx, |c| sqlx::query_scalar(sql).bind(Text(user)).fetch_one(c).await)?;
    let sql =
        "INSERT INTO device_events (user_id, seq, at, kind, device_id, by_device) VALUES ($1, $2, $3, $4, $5, $6)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(user))
        .bind(seq)
        .bind(Millis::from(now))
        .bind(new.kind)
        .bind(Text(new.device))
        .bind(Text(new.by))
        .execute(c)
        .await
        .map(drop))?;
    Ok(seq)
}

/// Events after a number, oldest first; at most `limit`.
pub async fn list(tx: &mut Tx<'_>, user: UserId, after: i64, limit: i64) -> Result<Vec<Event>, sqlx::Error> {
    let sql = "SELECT e.seq, e.at, e.kind, e.device_id, d.name, e.by_device, b.name AS by_name FROM device_events e \
               LEFT JOIN devices d ON d.user_id = e.user_id AND d.id = e.device_id \
               LEFT JOIN devices b ON b.user_id = e.user_id AND b.id = e.by_device \
               WHERE e.user_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3";
    on!(tx, |c| sqlx::query_as(sql).bind(Text(user)).bind(after).bind(limit).fetch_all(c).await)
}
