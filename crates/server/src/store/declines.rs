//! Who of a team does not want a handoff (SPEC T10).

use segue_domain::{HandoffId, Timestamp, UserId};

use super::{
    Tx,
    columns::{Millis, Text},
    on,
};

/// Records that a member declined; false when they had before.
pub async fn insert(tx: &mut Tx<'_>, handoff: HandoffId, user: UserId, now: Timestamp) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO handoff_declines (handoff_id, user_id, at) VALUES ($1, $2, $3) \
               ON CONFLICT (handoff_id, user_id) DO NOTHING";
    let done = on!(tx, |c| sqlx::query(sql)
        .bind(Text(handoff))
        .bind(Text(user))
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

/// Who declined.
pub async fn list(tx: &mut Tx<'_>, handoff: HandoffId) -> Result<Vec<UserId>, sqlx::Error> {
    let sql = "SELECT user_id FROM handoff_declines WHERE handoff_id = $1";
    let users: Vec<Text<UserId>> = on!(tx, |c| sqlx::query_scalar(sql).bind(Text(handoff)).fetch_all(c).await)?;
    Ok(users.into_iter().map(|user| user.0).collect())
}
