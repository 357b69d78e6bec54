//! A database for each test: a file in its folder, or a PostgreSQL database copied from a migrated one.

use segue_server::store::Db;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// Which database a test runs on.
pub(crate) enum Database {
    Sqlite,
    Postgres(String),
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite
    }

    /// The same without any table.
    pub(crate) async fn empty_postgres() -> Option<Self> {
        let Some(Self::Postgres(url)) = Self::postgres().await else { return None };
        let mut connection = PgConnection::connect(&url).await.unwrap();
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap();
        connection.close().await.unwrap();
        Some(Self::Postgres(url))
    }

    /// A fresh PostgreSQL database; none when it was left out by name. Never left out silently.
    pub(crate) async fn postgres() -> Option<Self> {
        if std::env::var_os("SEGUE_SQLITE_ONLY").is_some() {
            return None;
        }
        let Ok(url) = std::env::var("TEST_DATABASE_URL") else {
            panic!(
                "TEST_DATABASE_URL names no PostgreSQL: run `cargo xtask check`, or set SEGUE_SQLITE_ONLY=1 to leave it out"
            );
        };
        Some(Self::Postgres(copy(&url).await))
    }

    /// The same, but PostgreSQL waits for no disk.
    pub(crate) fn hasty(self) -> Self {
        match self {
            Self::Sqlite => Self::Sqlite,
            Self::Postgres(url) => {
                let mark = if url.contains('?') { '&' } else { '?' };
                Self::Postgres(format!("{url}{mark}options=-c%20synchronous_commit%3Doff"))
            }
        }
    }
}

/// The template is named after the schema, so that runs beside each other share it and a changed schema has its own.
async fn copy(admin_url: &str) -> String {
    // Drawn: databases of earlier runs stay, and process ids come again.
    let mut drawn = [0; 8];
    segue_server::app::system_random()(&mut drawn).unwrap();
    let schema: Vec<u8> = sqlx::migrate!().iter().flat_map(|migration| migration.checksum.to_vec()).collect();
    let template = format!("segue_template_{}", data_encoding::HEXLOWER.encode(&segue_signed::sha256(&schema)[..6]));
    let name = format!("segue_test_{}", data_encoding::HEXLOWER.encode(&drawn));
    let mut admin = PgConnection::connect(admin_url).await.unwrap();
    // One at a time: PostgreSQL copies no template that somebody is connected to.
    admin.execute("SELECT pg_advisory_lock(5367)").await.unwrap();
    let known: bool = sqlx::query_scalar("SELECT EXISTS(SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(&template)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    if !known {
        run(&mut admin, format!("CREATE DATABASE {template}_new")).await;
        let db = Db::open_postgres(&with_name(admin_url, &format!("{template}_new"))).await.unwrap();
        db.close().await;
        run(&mut admin, format!("ALTER DATABASE {template}_new RENAME TO {template}")).await;
    }
    run(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    admin.execute("SELECT pg_advisory_unlock(5367)").await.unwrap();
    admin.close().await.unwrap();
    with_name(admin_url, &name)
}

async fn run(admin: &mut PgConnection, sql: String) {
    admin.execute(AssertSqlSafe(sql)).await.unwrap();
}

/// The same server, another database.
fn with_name(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let server = address.rsplit_once('/').map_or(address, |(server, _)| server);
    query.map_or_else(|| format!("{server}/{name}"), |query| format!("{server}/{name}?{query}"))
}
