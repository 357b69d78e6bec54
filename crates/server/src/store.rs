//! The database: one SQL text and one body for SQLite and PostgreSQL.
//!
//! A function here takes a [`Tx`] and does one thing to one table; who calls it decides what belongs together. SQL keeps
//! to the portable subset: `$1` placeholders, `BIGINT` milliseconds, `TEXT` ids, `BYTEA` bytes, no clock of the database,
//! no JSON operators, and never a read followed by a write that the read was meant to protect.
//!
//! To add a table: 1. a migration; 2. a module named like it; 3. its columns come up in the schema parity test.

mod columns;
mod group;
mod paging;

pub mod accounts;
pub mod bundles;
pub mod comments;
pub mod copy;
pub mod declines;
pub mod device_events;
pub mod devices;
pub mod events;
pub mod handoff_views;
pub mod handoffs;
pub mod hints;
pub mod idempotency;
pub mod identity;
pub mod inspect;
pub mod invites;
pub mod key_cards;
pub mod migrations;
pub mod news;
pub mod outbox;
pub mod packs;
pub mod pairing_messages;
pub mod pairings;
pub mod projects;
pub mod quotas;
pub mod recipients;
pub mod records;
pub mod reservations;
pub mod root_wraps;
pub mod sessions;
pub mod stock;
pub mod teams;
pub mod tokens;
pub mod users;
pub mod verifications;
pub mod wraps;

use std::{path::Path, time::Duration};

use sqlx::{
    Connection as _, PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    pool::PoolConnection,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// Connections that only read, on SQLite: more than cores, as each waits for its thread.
const SQLITE_READERS: u32 = 8;
/// Connections to PostgreSQL of one server process: below the usual limit of 100 for several processes.
const POSTGRES_CONNECTIONS: u32 = 20;
/// How long a connection to PostgreSQL is idle before it is asked whether it lives: a restart of the database costs the requests
/// of this time a retry, and no other.
const ASKED_AFTER_IDLE: Duration = Duration::from_secs(2);
/// How long a request waits for a connection or a lock before it is told to come back.
const WAIT: Duration = Duration::from_secs(15);

/// The database: SQLite embedded in the process, or PostgreSQL for several servers.
#[derive(Clone, Debug)]
pub enum Db {
    /// One writer, so that writers queue in the process instead of failing; readers beside it (WAL).
    Sqlite {
        /// Reads.
        read: SqlitePool,
        /// Writes.
        write: Writer,
    },
    /// One pool for both.
    Postgres(PgPool),
}

/// Connections to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// At work.
    pub used: usize,
    /// Waiting for work.
    pub idle: usize,
}

/// A transaction on whichever database is open. Dropped without [`Tx::commit`] it leaves nothing behind.
#[derive(Debug)]
pub enum Tx<'c> {
    /// Reads on SQLite, of one moment.
    Sqlite(Transaction<'c, Sqlite>),
    /// Writes on SQLite, one of a group.
    SqliteWrites(Member),
    /// On PostgreSQL.
    Postgres(Transaction<'c, Postgres>),
    /// Reads on PostgreSQL, each statement of its own moment: without the two round trips of a transaction, which would
    /// promise no more.
    PostgresReads(PoolConnection<Postgres>),
}

/// Runs one body on whichever database is open. The body is compiled once per driver.
macro_rules! on {
    ($tx:expr, |$c:ident| $body:expr) => {
        match $tx {
            $crate::store::Tx::Sqlite(transaction) => {
                let $c = &mut **transaction;
                $body
            }
            $crate::store::Tx::SqliteWrites(member) => {
                let $c = &mut **member;
                $body
            }
            $crate::store::Tx::Postgres(transaction) => {
                let $c = &mut **transaction;
                $body
            }
            $crate::store::Tx::PostgresReads(connection) => {
                let $c = &mut **connection;
                $body
            }
        }
    };
}

/// A `SELECT` whose row stays as it is until the transaction ends. SQLite's writer is alone anyway.
macro_rules! locked {
    ($tx:expr, $sql:expr) => {
        match $tx {
            $crate::store::Tx::Sqlite(_) | $crate::store::Tx::SqliteWrites(_) => $sql,
            $crate::store::Tx::Postgres(_) | $crate::store::Tx::PostgresReads(_) => concat!($sql, " FOR UPDATE"),
        }
    };
}

/// A `SELECT` whose rows of one table nobody changes or deletes until the transaction ends; others may read them so as well.
macro_rules! shared {
    ($tx:expr, $table:literal, $sql:expr) => {
        match $tx {
            $crate::store::Tx::Sqlite(_) | $crate::store::Tx::SqliteWrites(_) => $sql,
            $crate::store::Tx::Postgres(_) | $crate::store::Tx::PostgresReads(_) => {
                concat!($sql, " FOR SHARE OF ", $table)
            }
        }
    };
}

use group::Member;
pub use group::{Writer, watched};
use {locked, on, shared};

impl Db {
    /// Opens the SQLite database of a file, which must exist, and brings its schema up to date.
    pub async fn open_sqlite(file: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged write survives a power cut (SPEC S2).
            .synchronous(SqliteSynchronous::Full)
            // "Deleted" is true on disk too (`secure_delete` and WAL).
            .pragma("secure_delete", "ON")
            .foreign_keys(true)
            .busy_timeout(WAIT);
        let writer = sqlite_pool().max_connections(1);
        let write = writer.connect_with(options.clone()).await?;
        migrations::apply(&write).await?;
        let readers = sqlite_pool().max_connections(SQLITE_READERS);
        Ok(Self::Sqlite { read: readers.connect_with(options.read_only(true)).await?, write: Writer::new(write) })
    }

    /// Opens the PostgreSQL database at `url` and brings its schema up to date.
    pub async fn open_postgres(url: &str) -> Result<Self, sqlx::Error> {
        let options = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(WAIT)
            // Asking a connection whether it lives is a round trip: only one that was idle for a while is asked.
            .test_before_acquire(false)
            .before_acquire(|connection, known| {
                Box::pin(async move {
                    if known.idle_for < ASKED_AFTER_IDLE { Ok(true) } else { connection.ping().await.map(|()| true) }
                })
            });
        let pool = options.connect(url).await?;
        migrations::apply(&pool).await?;
        Ok(Self::Postgres(pool))
    }

    /// A transaction that may write. SQLite takes its single write lock at once, so it cannot deadlock later.
    pub async fn begin(&self) -> Result<Tx<'static>, sqlx::Error> {
        Ok(match self {
            Self::Sqlite { write, .. } => Tx::SqliteWrites(write.begin().await?),
            Self::Postgres(pool) => Tx::Postgres(begin_whole(pool.clone()).await?),
        })
    }

    /// For reading only; of one consistent moment on SQLite.
    pub async fn read(&self) -> Result<Tx<'static>, sqlx::Error> {
        Ok(match self {
            Self::Sqlite { read, .. } => Tx::Sqlite(read.begin().await?),
            Self::Postgres(pool) => Tx::PostgresReads(pool.acquire().await?),
        })
    }

    /// The SQLite database of a file as another process uses it: nothing is written, nor is the schema changed.
    pub async fn look_at_sqlite(file: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(file).read_only(true).busy_timeout(WAIT);
        let read = SqlitePoolOptions::new().max_connections(SQLITE_READERS).acquire_timeout(WAIT);
        let read = read.connect_with(options).await?;
        Ok(Self::Sqlite { write: Writer::new(read.clone()), read })
    }

    /// The same to write to. Changes wait for those of the other process.
    pub async fn share_sqlite(file: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(file).synchronous(SqliteSynchronous::Full);
        let options = options.pragma("secure_delete", "ON").foreign_keys(true).busy_timeout(WAIT);
        let write = sqlite_pool().max_connections(1).connect_with(options).await?;
        Ok(Self::Sqlite { read: write.clone(), write: Writer::new(write) })
    }

    /// The PostgreSQL database at `url` as another process uses it: the schema is not changed.
    pub async fn look_at_postgres(url: &str) -> Result<Self, sqlx::Error> {
        Ok(Self::Postgres(PgPoolOptions::new().max_connections(2).acquire_timeout(WAIT).connect(url).await?))
    }

    /// A transaction that only reads, of one consistent moment on both databases.
    pub async fn snapshot(&self) -> Result<Tx<'static>, sqlx::Error> {
        Ok(match self {
            Self::Sqlite { read, .. } => Tx::Sqlite(read.begin().await?),
            Self::Postgres(pool) => {
                Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        })
    }

    /// Makes "deleted" true of what was sealed for a pairing: on SQLite nothing of it stands in the file or its log afterwards, on
    /// PostgreSQL nothing in the table. False when it could not be done now.
    pub async fn scrub(&self) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite { write, .. } => write.empty_log().await,
            Self::Postgres(pool) => sqlx::query("VACUUM pairing_messages").execute(pool).await.map(|_| true),
        }
    }

    /// How many connections there are now.
    pub fn pool(&self) -> Pool {
        let of = |size: u32, idle: usize| {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            Pool { used: size.saturating_sub(idle), idle }
        };
        match self {
            Self::Sqlite { read, write } => {
                let write = write.pool();
                let (read, write) = (of(read.size(), read.num_idle()), of(write.size(), write.num_idle()));
                Pool { used: read.used + write.used, idle: read.idle + write.idle }
            }
            Self::Postgres(pool) => of(pool.size(), pool.num_idle()),
        }
    }

    /// Waits until what a request saw is on disk ([`watched`]); false when it has not happened.
    pub async fn settled(&self, seen: u64) -> bool {
        match self {
            Self::Sqlite { write, .. } if seen > 0 => write.settled(seen).await,
            Self::Sqlite { .. } | Self::Postgres(_) => true,
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.read().await?;
        on!(&mut tx, |c| sqlx::query("SELECT 1").execute(c).await.map(drop))
    }

    /// Closes all connections; what is under way ends first.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Begins a transaction also when nobody waits for it any more, and ends it then: sqlx leaves one open on the connection whose
/// beginning is given up half-way, and whoever is given that connection next is inside it.
async fn begin_whole(pool: PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let begun = tokio::spawn(async move { pool.begin().await });
    begun.await.map_err(|_| sqlx::Error::WorkerCrashed)?
}

/// SQLite ends a transaction by itself when the disk is full or fails; sqlx does not hear of it and would refuse every one
/// after it on that connection. Such a connection is closed, and another opened.
fn sqlite_pool() -> SqlitePoolOptions {
    let whole = SqlitePoolOptions::new().acquire_timeout(WAIT);
    whole.before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

impl Tx<'_> {
    /// Makes everything done in this transaction true at once.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Tx::Sqlite(transaction) => transaction.commit().await,
            Tx::SqliteWrites(member) => member.commit().await,
            Tx::Postgres(transaction) => transaction.commit().await,
            // Nothing was written.
            Tx::PostgresReads(_) => Ok(()),
        }
    }
}
