//! One page of what somebody has, newest first.

use segue_domain::UserId;
use sqlx::{FromRow, postgres::PgRow, sqlite::SqliteRow};

use super::{
    Tx,
    columns::{Millis, Text},
    on,
};
use crate::page::Page;

/// Fetches a page. In `sql`, `$1` is whose entries they are; only what is before the time `$2` and the id `$3` is asked for, at
/// most `$4` rows.
pub(super) async fn newest_first<T>(
    tx: &mut Tx<'_>,
    sql: &'static str,
    owner: UserId,
    page: &Page,
) -> Result<Vec<T>, sqlx::Error>
where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    on!(tx, |c| sqlx::query_as(sql)
        .bind(Text(owner))
        .bind(Millis::from(page.before.at))
        .bind(&page.before.id)
        .bind(page.fetch())
        .fetch_all(c)
        .await)
}
