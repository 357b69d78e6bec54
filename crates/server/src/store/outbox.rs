//! Mails that a transaction decided on. A row holds everything its mail needs, and no secret.

use segue_domain::Timestamp;

use super::{Tx, columns::Millis, on};

/// Adds a mail. Its id comes from the event that caused it, so a mail has one Message-ID however often it is sent.
pub async fn insert(tx: &mut Tx<'_>, id: &str, kind: &str, body: &str, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO outbox (id, kind, body, run_at, attempts, created_at) VALUES ($1, $2, $3, $4, 0, $4)";
    on!(tx, |c| sqlx::query(sql).bind(id).bind(kind).bind(body).bind(Millis::from(now)).execute(c).await.map(drop))
}
