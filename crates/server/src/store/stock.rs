//! How much there is, for who watches the server.

use sqlx::FromRow;

use super::{Tx, on};

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
pub struct Stock {
    /// Mails that wait to be sent.
    pub mails_waiting: i64,
    /// Mails that were given up.
    pub mails_dead: i64,
    /// Packs whose bytes are there.
    pub packs: i64,
    /// Those bytes.
    pub pack_bytes: i64,
}

/// Counts everything: it reads whole tables.
pub async fn count(tx: &mut Tx<'_>) -> Result<Stock, sqlx::Error> {
    let sql = "SELECT (SELECT COUNT(*) FROM outbox WHERE dead_at IS NULL) AS mails_waiting, \
               (SELECT COUNT(*) FROM outbox WHERE dead_at IS NOT NULL) AS mails_dead, COUNT(*) AS packs, \
               CAST(COALESCE(SUM(len), 0) AS BIGINT) AS pack_bytes FROM packs WHERE state <> 'gone'";
    on!(tx, |c| sqlx::query_as(sql).fetch_one(c).await)
}
