//! Every row of one database into another, whichever the two are: for backups, and to move to PostgreSQL.

use std::path::Path;

use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Row as _, SqlitePool};

use super::{Db, Tx, columns::corrupt, news, on, packs::Pack};

/// A table, as SQLite's catalogue describes it; PostgreSQL's has the same columns (schema parity test).
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Bytes,
    Truth,
}

enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Truth(Option<bool>),
}

/// The tables in an order in which references never come before what they refer to: that of their creation.
async fn tables(sqlite: &SqlitePool) -> Result<Vec<Table>, sqlx::Error> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
               AND name <> '_sqlx_migrations' ORDER BY rowid";
    let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(sqlite).await?;
    let mut tables = Vec::new();
    for name in names {
        let sql = "SELECT name, type FROM pragma_table_info($1) ORDER BY cid";
        let columns: Vec<(String, String)> = sqlx::query_as(sql).bind(&name).fetch_all(sqlite).await?;
        let kind = |(column, kind): (String, String)| {
            let kind = match kind.as_str() {
                "TEXT" => Kind::Text,
                "BIGINT" => Kind::Number,
                "BYTEA" => Kind::Bytes,
                "BOOLEAN" => Kind::Truth,
                _ => return Err(corrupt("a column's type")),
            };
            Ok((column, kind))
        };
        tables.push(Table { name, columns: columns.into_iter().map(kind).collect::<Result<_, _>>()? });
    }
    Ok(tables)
}

/// Copies every row of `from`, at one moment, into `to`, which has the same schema; all or none.
///
/// # Errors
/// Those of the databases; also when `to` has rows already, or when neither is SQLite.
pub async fn rows(from: &Db, to: &Db) -> Result<(), sqlx::Error> {
    let ((Db::Sqlite { read: catalogue, .. }, _) | (_, Db::Sqlite { read: catalogue, .. })) = (from, to) else {
        return Err(corrupt("a copy from PostgreSQL to PostgreSQL"));
    };
    let tables = tables(catalogue).await?;
    let (mut source, mut target) = (from.snapshot().await?, to.begin().await?);
    for table in &tables {
        copy(table, &mut source, &mut target).await?;
    }
    target.commit().await
}

async fn copy(table: &Table, source: &mut Tx<'_>, target: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    let names: Vec<_> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
    let places: Vec<_> = (1..=names.len()).map(|place| format!("${place}")).collect();
    let select = format!("SELECT {} FROM {}", names.join(", "), table.name);
    let insert = format!("INSERT INTO {} ({}) VALUES ({})", table.name, names.join(", "), places.join(", "));
    on!(source, |from| {
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(from);
        while let Some(row) = rows.try_next().await? {
            let mut values = Vec::with_capacity(names.len());
            for (place, (_, kind)) in table.columns.iter().enumerate() {
                values.push(match kind {
                    Kind::Text => Value::Text(row.try_get(place)?),
                    Kind::Number => Value::Number(row.try_get(place)?),
                    Kind::Bytes => Value::Bytes(row.try_get(place)?),
                    Kind::Truth => Value::Truth(row.try_get(place)?),
                });
            }
            insert_row(target, &insert, values).await?;
        }
        Ok(())
    })
}

async fn insert_row(target: &mut Tx<'_>, sql: &str, values: Vec<Value>) -> Result<(), sqlx::Error> {
    on!(target, |to| {
        let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
        for value in values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
                Value::Bytes(bytes) => query.bind(bytes),
                Value::Truth(truth) => query.bind(truth),
            };
        }
        query.execute(to).await.map(drop)
    })
}

/// Writes all of a SQLite database, at one moment, into an empty file.
pub async fn vacuum_into(sqlite: &SqlitePool, file: &Path) -> Result<(), sqlx::Error> {
    let name = file.to_str().ok_or_else(|| corrupt("the name of a backup that is not UTF-8, which"))?;
    sqlx::query("VACUUM INTO $1").bind(name).execute(sqlite).await.map(drop)
}

/// Makes what was copied fit to go on from: it gives up packs that no bundle lists, whose bytes are not part of a backup and whose
/// ids are not used again, and the numbers of news, which go on elsewhere meanwhile.
pub async fn make_fit(db: &Db) -> Result<(), sqlx::Error> {
    let mut tx = db.begin().await?;
    news::begin_anew(&mut tx).await?;
    on!(&mut tx, |c| sqlx::query("UPDATE packs SET state = 'gone' WHERE refs = 0").execute(c).await.map(drop))?;
    tx.commit().await
}

/// Every pack that a bundle lists.
pub async fn listed(db: &Db) -> Result<Vec<Pack>, sqlx::Error> {
    let rows = super::inspect::packs(&mut db.snapshot().await?).await?;
    rows.iter().filter(|row| row.listed > 0).map(|row| row.pack().ok_or_else(|| corrupt("a pack's row"))).collect()
}

/// Whether nobody has ever joined and nobody was invited.
pub async fn is_empty(db: &Db) -> Result<bool, sqlx::Error> {
    let sql = "SELECT NOT EXISTS(SELECT 1 FROM users) AND NOT EXISTS(SELECT 1 FROM invites)";
    on!(&mut db.snapshot().await?, |c| sqlx::query_scalar(sql).fetch_one(c).await)
}
