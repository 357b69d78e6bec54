//! Devices and their tokens. A token is drawn by its device; only its SHA-256 is here.

use std::collections::HashMap;

use segue_domain::{DeviceId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{self, Millis, Text},
    on,
};
use crate::principal::{Credential, Principal};

/// A device that joins.
#[derive(Debug)]
pub struct NewDevice<'a> {
    /// Whose.
    pub user: UserId,
    /// From the key card.
    pub id: DeviceId,
    /// Its name.
    pub name: &'a str,
    /// Its public key, from the key card.
    pub key: &'a [u8; 32],
    /// SHA-256 of its token.
    pub token_hash: &'a [u8],
}

#[derive(FromRow)]
struct Row {
    user_id: Text<UserId>,
    id: Text<DeviceId>,
    device_key: Vec<u8>,
    owner: bool,
    email_verified: bool,
    plan: Option<String>,
    device_events: i64,
}

/// Adds a device.
pub async fn insert(tx: &mut Tx<'_>, new: &NewDevice<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql =
        "INSERT INTO devices (user_id, id, name, device_key, token_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.user))
        .bind(Text(new.id))
        .bind(new.name)
        .bind(new.key.as_slice())
        .bind(new.token_hash)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(drop))
}

/// Who presents a token with this hash, unless the device was revoked.
pub async fn find_by_token(tx: &mut Tx<'_>, token_hash: &[u8; 32]) -> Result<Option<Principal>, sqlx::Error> {
    let sql = "SELECT d.user_id, d.id, d.device_key, u.owner, u.email_verified, u.plan, u.device_events \
               FROM devices d JOIN users u ON u.id = d.user_id \
               WHERE d.token_hash = $1 AND d.revoked_at IS NULL";
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(sql).bind(token_hash.as_slice()).fetch_optional(c).await)?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Principal {
        user: row.user_id.0,
        credential: Credential::Device { id: row.id.0, key: columns::hash(&row.device_key, "a device key")? },
        owner: row.owner,
        email_verified: row.email_verified,
        plan: columns::plan(row.plan)?,
        device_events: row.device_events,
    }))
}

/// SHA-256 of a device's token.
pub async fn token_hash(tx: &mut Tx<'_>, user: UserId, id: DeviceId) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let sql = "SELECT token_hash FROM devices WHERE user_id = $1 AND id = $2";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(user)).bind(Text(id)).fetch_optional(c).await)
}

/// What somebody calls their devices, by id.
pub async fn names(tx: &mut Tx<'_>, user: UserId) -> Result<HashMap<String, String>, sqlx::Error> {
    let sql = "SELECT id, name FROM devices WHERE user_id = $1";
    let rows: Vec<(String, String)> = on!(tx, |c| sqlx::query_as(sql).bind(Text(user)).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}

/// Ends a device's access with the next request, everywhere.
pub async fn revoke(tx: &mut Tx<'_>, user: UserId, id: DeviceId, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "UPDATE devices SET revoked_at = COALESCE(revoked_at, $1) WHERE user_id = $2 AND id = $3";
    on!(tx, |c| sqlx::query(sql).bind(Millis::from(now)).bind(Text(user)).bind(Text(id)).execute(c).await.map(drop))
}
