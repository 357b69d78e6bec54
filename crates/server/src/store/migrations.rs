//! Migrations: which of them a database has, and why one cannot be opened.

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use sqlx::{
    AssertSqlSafe,
    migrate::{MigrateError, Migrator},
};

use super::{Db, Tx, on};

/// All migrations of this program.
static ALL: Migrator = sqlx::migrate!();

/// A migration, and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
    /// Whether this program knows it; one that it does not know was made by a newer server.
    pub known: bool,
}

/// Brings a schema up to date. On PostgreSQL under a lock, so that of several processes that start at once one does it.
pub(super) async fn apply<'a, A>(database: A) -> Result<(), sqlx::Error>
where
    A: sqlx::Acquire<'a>,
    <A::Connection as std::ops::Deref>::Target: sqlx::migrate::Migrate,
{
    Ok(ALL.run(database).await?)
}

/// All migrations in the order of their numbers. Nothing is changed.
pub async fn list(db: &Db) -> Result<Vec<Migration>, sqlx::Error> {
    let mut tx = db.read().await?;
    let sql = match tx {
        Tx::Sqlite(_) | Tx::SqliteWrites(_) => {
            "SELECT EXISTS(SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')"
        }
        Tx::Postgres(_) | Tx::PostgresReads(_) => "SELECT to_regclass('_sqlx_migrations') IS NOT NULL",
    };
    let any: bool = on!(&mut tx, |c| sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(c).await)?;
    let applied: Vec<(i64, String)> = if any {
        let sql = "SELECT version, description FROM _sqlx_migrations ORDER BY version";
        on!(&mut tx, |c| sqlx::query_as(sql).fetch_all(c).await)?
    } else {
        Vec::new()
    };
    let mut all = none_applied();
    for migration in &mut all {
        migration.applied = applied.iter().any(|(version, _)| *version == migration.version);
    }
    let unknown = applied.into_iter().filter(|(version, _)| !ALL.version_exists(*version));
    all.extend(unknown.map(|(version, name)| Migration { version, name, applied: true, known: false }));
    all.sort_by_key(|migration| migration.version);
    Ok(all)
}

/// All migrations as a database sees them that is not there yet.
pub fn none_applied() -> Vec<Migration> {
    let all = ALL.iter().map(|migration| Migration {
        version: migration.version,
        name: migration.description.to_string(),
        applied: false,
        known: true,
    });
    all.collect()
}

/// Refuses a database that another program must bring up to date, or has.
pub async fn expect_current(db: &Db) -> anyhow::Result<()> {
    let all = list(db).await.context("cannot read which migrations the database has")?;
    if let Some(newer) = all.iter().find(|migration| !migration.known) {
        return Err(is_newer(newer.version));
    }
    anyhow::ensure!(
        all.iter().all(|migration| migration.applied),
        "the database is of an older server: run segue-server migrate, or start the server"
    );
    Ok(())
}

/// Says what an operator can do about a database that cannot be opened.
pub(crate) fn advise(error: sqlx::Error) -> anyhow::Error {
    match error {
        sqlx::Error::Migrate(error) => match *error {
            MigrateError::VersionMissing(version) => is_newer(version),
            MigrateError::VersionMismatch(version) => anyhow!(
                "the database was made by another build of segue-server (migration {version} differs), and nothing was \
                 changed: use that build"
            ),
            other => anyhow!(other),
        },
        other => anyhow!(other),
    }
}

fn is_newer(version: i64) -> anyhow::Error {
    anyhow!(
        "the database is of a newer segue-server (this one does not know migration {version}), and nothing was changed: \
         start the newer one, or restore a backup from before"
    )
}
