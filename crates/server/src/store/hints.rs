//! Hints between the processes of one PostgreSQL: LISTEN on a connection of its own, NOTIFY outside every transaction. A hint
//! may be lost, and is never believed: what is true stands in a table.

use sqlx::postgres::PgListener;

use super::Db;

/// The channel that all processes of a database share.
const CHANNEL: &str = "segue_news";

/// What hears the other processes.
#[derive(Debug)]
pub struct Ear(PgListener);

impl Ear {
    /// Begins to listen; none on SQLite, which has one process only.
    pub async fn open(db: &Db) -> Result<Option<Self>, sqlx::Error> {
        let Db::Postgres(pool) = db else { return Ok(None) };
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(Self(listener)))
    }

    /// The next hint; none when the connection was lost and hints with it.
    pub async fn next(&mut self) -> Result<Option<String>, sqlx::Error> {
        Ok(self.0.try_recv().await?.map(|hint| hint.payload().to_owned()))
    }
}

/// Sends a hint of at most 7 999 bytes to all processes; to nobody on SQLite.
pub async fn send(db: &Db, hint: &str) -> Result<(), sqlx::Error> {
    let Db::Postgres(pool) = db else { return Ok(()) };
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(hint).execute(pool).await.map(drop)
}
