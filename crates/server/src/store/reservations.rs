//! Handoffs that may be created: named, dated and addressed, not sealed yet.

use segue_domain::{HandoffId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    on,
};

/// A reservation.
#[derive(Debug, Clone)]
pub struct Reservation {
    /// The handoff's id.
    pub handoff: HandoffId,
    /// Who reserved it.
    pub sender: UserId,
    /// The session to hand over, as its sender knows it.
    pub session_id: String,
    /// When the handoff will end.
    pub not_after: Timestamp,
    /// When this reservation ends.
    pub reserved_until: Timestamp,
    /// For whom.
    pub recipients: Vec<UserId>,
}

#[derive(FromRow)]
struct Row {
    session_id: String,
    not_after: Millis,
    reserved_until: Millis,
}

/// Adds a reservation.
pub async fn insert(tx: &mut Tx<'_>, new: &Reservation) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO reservations (handoff_id, sender_id, session_id, not_after, reserved_until) \
               VALUES ($1, $2, $3, $4, $5)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.handoff))
        .bind(Text(new.sender))
        .bind(&new.session_id)
        .bind(Millis::from(new.not_after))
        .bind(Millis::from(new.reserved_until))
        .execute(c)
        .await
        .map(drop))?;
    for (position, user) in (0_i64..).zip(&new.recipients) {
        let sql = "INSERT INTO reservation_recipients (handoff_id, position, user_id) VALUES ($1, $2, $3)";
        on!(tx, |c| sqlx::query(sql)
            .bind(Text(new.handoff))
            .bind(position)
            .bind(Text(*user))
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

/// A sender's reservation.
pub async fn find(tx: &mut Tx<'_>, sender: UserId, handoff: HandoffId) -> Result<Option<Reservation>, sqlx::Error> {
    let sql = "SELECT session_id, not_after, reserved_until FROM reservations WHERE handoff_id = $1 AND sender_id = $2";
    let row: Option<Row> =
        on!(tx, |c| sqlx::query_as(sql).bind(Text(handoff)).bind(Text(sender)).fetch_optional(c).await)?;
    let Some(row) = row else { return Ok(None) };
    let sql = "SELECT user_id FROM reservation_recipients WHERE handoff_id = $1 ORDER BY position";
    let recipients: Vec<Text<UserId>> = on!(tx, |c| sqlx::query_scalar(sql).bind(Text(handoff)).fetch_all(c).await)?;
    Ok(Some(Reservation {
        handoff,
        sender,
        session_id: row.session_id,
        not_after: row.not_after.into(),
        reserved_until: row.reserved_until.into(),
        recipients: recipients.into_iter().map(|user| user.0).collect(),
    }))
}

/// Uses a reservation up; false when another request was faster.
pub async fn delete(tx: &mut Tx<'_>, handoff: HandoffId) -> Result<bool, sqlx::Error> {
    let sql = "DELETE FROM reservation_recipients WHERE handoff_id = $1";
    on!(tx, |c| sqlx::query(sql).bind(Text(handoff)).execute(c).await.map(drop))?;
    let sql = "DELETE FROM reservations WHERE handoff_id = $1";
    let done = on!(tx, |c| sqlx::query(sql).bind(Text(handoff)).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Forgets reservations that ended before `before`.
pub async fn delete_ended(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM reservation_recipients WHERE handoff_id IN \
               (SELECT handoff_id FROM reservations WHERE reserved_until < $1)";
    on!(tx, |c| sqlx::query(sql).bind(Millis::from(before)).execute(c).await.map(drop))?;
    let sql = "DELETE FROM reservations WHERE reserved_until < $1";
    on!(tx, |c| sqlx::query(sql).bind(Millis::from(before)).execute(c).await.map(drop))
}
