//! Handoffs that may be created: named, dated and addressed, not sealed yet.

use segue_domain::{HandoffId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    on,
    recipients::{self, To},
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
    pub to: To,
}

#[derive(FromRow)]
struct Row {
    session_id: String,
    not_after: Millis,
    reserved_until: Millis,
    #[sqlx(flatten)]
    to: recipients::Columns,
}

/// Adds a reservation.
pub async fn insert(tx: &mut Tx<'_>, new: &Reservation) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO reservations (handoff_id, sender_id, session_id, not_after, reserved_until, to_user_id, \
               to_team_id, to_team_epoch, to_email) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let team = new.to.team();
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.handoff))
        .bind(Text(new.sender))
        .bind(&new.session_id)
        .bind(Millis::from(new.not_after))
        .bind(Millis::from(new.reserved_until))
        .bind(new.to.user())
        .bind(team.map(|(id, _)| id))
        .bind(team.map(|(_, epoch)| epoch))
        .bind(new.to.address().map(|email| email.written.as_str()))
        .execute(c)
        .await
        .map(drop))
}

/// A sender's reservation.
pub async fn find(tx: &mut Tx<'_>, sender: UserId, handoff: HandoffId) -> Result<Option<Reservation>, sqlx::Error> {
    let sql = "SELECT session_id, not_after, reserved_until, to_user_id, to_team_id, to_team_epoch, to_email \
               FROM reservations WHERE handoff_id = $1 AND sender_id = $2";
    let row: Option<Row> =
        on!(tx, |c| sqlx::query_as(sql).bind(Text(handoff)).bind(Text(sender)).fetch_optional(c).await)?;
    row.map(|row| {
        Ok(Reservation {
            handoff,
            sender,
            session_id: row.session_id,
            not_after: row.not_after.into(),
            reserved_until: row.reserved_until.into(),
            to: row.to.try_into()?,
        })
    })
    .transpose()
}

/// Uses a reservation up; false when another request was faster.
pub async fn delete(tx: &mut Tx<'_>, handoff: HandoffId) -> Result<bool, sqlx::Error> {
    let sql = "DELETE FROM reservations WHERE handoff_id = $1";
    let done = on!(tx, |c| sqlx::query(sql).bind(Text(handoff)).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Forgets reservations that ended before `before`.
pub async fn delete_ended(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM reservations WHERE reserved_until < $1";
    on!(tx, |c| sqlx::query(sql).bind(Millis::from(before)).execute(c).await.map(drop))
}
