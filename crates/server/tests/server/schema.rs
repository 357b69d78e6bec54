//! One migration text makes one schema on both databases.

use std::collections::BTreeSet;

use segue_server::store::Db;

use crate::harness::{Database, TestServer};

/// `table.column type null?` for each column of ours.
async fn columns(server: &TestServer) -> BTreeSet<String> {
    let sql = match &server.app.db {
        Db::Sqlite { .. } => {
            "SELECT t.name || '.' || c.name || ' ' || LOWER(c.type) || \
             CASE WHEN c.\"notnull\" = 0 AND c.pk = 0 THEN ' null' ELSE '' END \
             FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'"
        }
        Db::Postgres(_) => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || \
             CASE WHEN is_nullable = 'YES' THEN ' null' ELSE '' END \
             FROM information_schema.columns WHERE table_schema = 'public'"
        }
    };
    server.column(sql).await.into_iter().filter(|column| !column.starts_with("_sqlx")).collect()
}

/// `index on table` for each index that a migration names.
async fn indexes(server: &TestServer) -> BTreeSet<String> {
    let sql = match &server.app.db {
        Db::Sqlite { .. } => {
            "SELECT name || ' on ' || tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        }
        Db::Postgres(_) => {
            "SELECT indexname || ' on ' || tablename FROM pg_indexes WHERE schemaname = 'public' \
             AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'"
        }
    };
    server.column(sql).await.into_iter().filter(|index| !index.contains("_sqlx")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_have_the_same_schema() {
    let Some(postgres) = Database::postgres().await else { return };
    let (sqlite, postgres) = (TestServer::start(Database::sqlite()).await, TestServer::start(postgres).await);
    let expected = columns(&sqlite).await;
    assert!(expected.len() > 100, "{expected:?}");
    assert_eq!(expected, columns(&postgres).await);
    assert_eq!(indexes(&sqlite).await, indexes(&postgres).await);
}
