//! The audit log of handoffs: one event for each thing that happened, chained by hashes ([`segue_signed::event`]).

use segue_domain::{HandoffId, Timestamp};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{self, Millis, Text},
    on,
};
use crate::page::Onward;

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
        let Self { kind, actor, actor_type, payload, .. } = *self;
        let (seq, at, handoff_id) = (seq.unsigned_abs(), at.as_wire(), &self.handoff.to_string());
        segue_signed::Event { handoff_id, seq, kind, actor, actor_type, at, payload, previous }.hash()
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

/// An event with the name of who caused it.
#[derive(Debug, FromRow)]
pub struct Event {
    pub(crate) seq: i64,
    pub(crate) kind: String,
    pub(crate) actor: String,
    pub(crate) actor_type: String,
    pub(crate) name: Option<String>,
    #[sqlx(try_from = "Millis")]
    pub(crate) at: Timestamp,
    pub(crate) payload: String,
    pub(crate) previous: Option<Vec<u8>>,
    pub(crate) hash: Vec<u8>,
}

/// One page of a handoff's events, oldest first.
pub async fn list(tx: &mut Tx<'_>, handoff: HandoffId, page: &Onward) -> Result<Vec<Event>, sqlx::Error> {
    let sql = "SELECT e.seq, e.kind, e.actor, e.actor_type, u.name, e.at, e.payload, e.previous, e.hash FROM events e \
               LEFT JOIN users u ON u.id = e.actor WHERE e.handoff_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3";
    on!(tx, |c| sqlx::query_as(sql).bind(Text(handoff)).bind(page.after).bind(page.fetch()).fetch_all(c).await)
}
