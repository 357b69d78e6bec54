//! What the parties of a handoff wrote to each other.

use segue_domain::{CommentId, HandoffId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    on,
};
use crate::page::Onward;

/// A comment to be kept.
#[derive(Debug)]
pub struct NewComment<'a> {
    /// On which.
    pub handoff: HandoffId,
    /// The number of the event that says that it was written.
    pub seq: i64,
    /// Its id.
    pub id: CommentId,
    /// Who wrote it.
    pub author: UserId,
    /// What.
    pub body: &'a str,
}

/// A comment with its author.
#[derive(Debug, FromRow)]
pub struct Comment {
    pub(crate) id: Text<CommentId>,
    pub(crate) seq: i64,
    pub(crate) author: Text<UserId>,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) body: String,
    #[sqlx(try_from = "Millis")]
    pub(crate) created_at: Timestamp,
}

/// Adds a comment.
pub async fn insert(tx: &mut Tx<'_>, new: &NewComment<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO comments (handoff_id, seq, id, author, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.handoff))
        .bind(new.seq)
        .bind(Text(new.id))
        .bind(Text(new.author))
        .bind(new.body)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(drop))
}

/// How many comments a handoff has.
pub async fn count(tx: &mut Tx<'_>, handoff: HandoffId) -> Result<i64, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM comments WHERE handoff_id = $1";
    on!(tx, |c| sqlx::query_scalar(sql).bind(Text(handoff)).fetch_one(c).await)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.seq, c.author, u.email, u.name, c.body, c.created_at FROM comments c \
             JOIN users u ON u.id = c.author WHERE c.handoff_id = $1 AND ",
            $rest
        )
    };
}

/// One comment, which is there.
pub async fn find(tx: &mut Tx<'_>, handoff: HandoffId, seq: i64) -> Result<Comment, sqlx::Error> {
    let sql = select!("c.seq = $2");
    on!(tx, |c| sqlx::query_as(sql).bind(Text(handoff)).bind(seq).fetch_one(c).await)
}

/// One page of a handoff's comments, oldest first.
pub async fn list(tx: &mut Tx<'_>, handoff: HandoffId, page: &Onward) -> Result<Vec<Comment>, sqlx::Error> {
    let sql = select!("c.seq > $2 ORDER BY c.seq LIMIT $3");
    on!(tx, |c| sqlx::query_as(sql).bind(Text(handoff)).bind(page.after).bind(page.fetch()).fetch_all(c).await)
}
