//! The audit log of handoffs: one event for each thing that happened, chained by hashes.
//!
//! `hash` = SHA-256(`lv_cat("segue/event/1", handoff_id, seq u64, kind, actor, actor_type, at u64, payload, previous32|"")`).
//! A client that remembers the last hash it saw notices when what came before was rewritten (SPEC T11).

use segue_domain::{HandoffId, Timestamp};
use segue_signed::{lv::Writer, sha256};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{self, Millis, Text},
    on,
};

/// Something that happened to a handoff.
#[derive(Debug)]
pub struct NewEvent<'a> {
    /// To which.
    pub handoff: HandoffId,
    /// What: a word of SPEC T11.
    pub kind: &'a str,
    /// Who did it: a person's id, or `server`.
    pub actor: &'a str,
    /// `user` or `server`.
    pub actor_type: &'a str,
    /// More about it, as JSON; `{}` when there is no more.
    pub payload: &'a str,
}

#[derive(FromRow)]
struct Last {
    seq: i64,
    hash: Vec<u8>,
}

impl NewEvent<'_> {
    pub(super) fn hash(&self, seq: i64, at: Timestamp, previous: Option<&[u8]>) -> [u8; 32] {
        let bytes = Writer::labelled("segue/event/1")
            .text(&self.handoff.to_string())
            .u64(seq.unsigned_abs())
            .text(self.kind)
            .text(self.actor)
            .text(self.actor_type)
            .u64(at.as_wire())
            .text(self.payload)
            .optional(previous)
            .finish();
        sha256(&bytes)
    }
}

/// Appends an event and returns its number. The caller has locked the handoff, so nobody appends beside it.
pub async fn append(tx: &mut Tx<'_>, new: &NewEvent<'_>, now: Timestamp) -> Result<i64, sqlx::Error> {
    let sql = "SELECT seq, hash FROM events WHERE handoff_id = $1 ORDER BY seq DESC LIMIT 1";
    let last: Option<Last> = on!(tx, |c| sqlx::query_as(sql).bind(Text(new.handoff)).fetch_optional(c).await)?;
    let seq = last.as_ref().map_or(1, |last| last.seq + 1);
    let previous = last.as_ref().map(|last| columns::hash(&last.hash, "an event's hash")).transpose()?;
    let previous = previous.as_ref().map(<[u8; 32]>::as_slice);
    let hash = new.hash(seq, now, previous);
    let sql = "INSERT INTO events (handoff_id, seq, kind, actor, actor_type, at, payload, previous, hash) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    on!(tx, |c| sqlx::query(sql)
        .bind(Text(new.handoff))
        .bind(seq)
        .bind(new.kind)
        .bind(new.actor)
        .bind(new.actor_type)
        .bind(Millis::from(now))
        .bind(new.payload)
        .bind(previous)
        .bind(hash.as_slice())
        .execute(c)
        .await
        .map(drop))?;
    Ok(seq)
}
