//! The server's own 16 bytes: all processes of a database are one server.

use sqlx::query_scalar;

use super::{Db, Tx, columns::corrupt, on};

/// The server's id; `fresh` becomes it when there is none yet.
pub async fn of(db: &Db, fresh: &[u8; 16]) -> Result<[u8; 16], sqlx::Error> {
    let mut tx = db.begin().await?;
    let id = find(&mut tx, fresh).await?;
    tx.commit().await?;
    Ok(id)
}

async fn find(tx: &mut Tx<'_>, fresh: &[u8; 16]) -> Result<[u8; 16], sqlx::Error> {
    let insert = "INSERT INTO server_identity (only_one, server_id) VALUES (1, $1) ON CONFLICT (only_one) DO NOTHING";
    on!(&mut *tx, |c| sqlx::query(insert).bind(fresh.as_slice()).execute(c).await.map(drop))?;
    let sql = "SELECT server_id FROM server_identity";
    let id: Vec<u8> = on!(tx, |c| query_scalar(sql).fetch_one(c).await)?;
    id.try_into().map_err(|_| corrupt("the server's id"))
}
