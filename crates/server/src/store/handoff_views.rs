//! Handoffs as their parties see them.

use segue_domain::{BundleId, HandoffId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    on,
    recipients::{given, is_party, is_recipient},
};
use crate::page::Page;

/// A handoff with the names of its parties.
#[derive(Debug, FromRow)]
pub struct HandoffView {
    pub(crate) id: Text<HandoffId>,
    pub(crate) state: String,
    pub(crate) bundle_id: Text<BundleId>,
    pub(crate) session_id: String,
    pub(crate) card: String,
    pub(crate) message: String,
    #[sqlx(try_from = "Millis")]
    pub(crate) created_at: Timestamp,
    #[sqlx(try_from = "Millis")]
    pub(crate) expires_at: Timestamp,
    pub(crate) viewed_at: Option<Millis>,
    pub(crate) ended_at: Option<Millis>,
    pub(crate) reason: Option<String>,
    pub(crate) claimed_session_id: Option<String>,
    pub(crate) sender_id: Text<UserId>,
    pub(crate) sender_email: String,
    pub(crate) sender_name: String,
    pub(crate) claimed_by: Option<Text<UserId>>,
    pub(crate) claimer_email: Option<String>,
    pub(crate) claimer_name: Option<String>,
    pub(crate) to_user_id: Option<Text<UserId>>,
    pub(crate) user_email: Option<String>,
    pub(crate) user_name: Option<String>,
    pub(crate) to_team_id: Option<String>,
    pub(crate) team_name: Option<String>,
    pub(crate) to_email: Option<String>,
    pub(crate) provenance: Option<String>,
    pub(crate) invite_proof: Option<Vec<u8>>,
    pub(crate) has_user_wrap: bool,
    pub(crate) is_recipient: bool,
    pub(crate) head_seq: i64,
    pub(crate) head_hash: Vec<u8>,
}

impl HandoffView {
    /// Whether this is who claimed it.
    pub(crate) fn is_claimer(&self, party: UserId) -> bool {
        self.claimed_by.is_some_and(|by| by.0 == party)
    }

    /// Whether a party may read what the sender and the recipients say to each other: after a claim it is between the
    /// sender and the claimer.
    pub(crate) fn concerns(&self, party: UserId) -> bool {
        self.claimed_by.is_none() || self.sender_id.0 == party || self.is_claimer(party)
    }
}

macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT h.id, h.state, h.bundle_id, h.session_id, h.card, h.message, h.created_at, h.expires_at, h.viewed_at, \
             h.ended_at, h.reason, h.claimed_session_id, h.sender_id, s.email AS sender_email, s.name AS sender_name, \
             h.claimed_by, c.email AS claimer_email, c.name AS claimer_name, h.to_user_id, r.email AS user_email, \
             r.name AS user_name, h.to_team_id, t.name AS team_name, h.to_email, h.provenance, h.invite_proof, \
             EXISTS (SELECT 1 FROM wraps w WHERE w.bundle_id = h.bundle_id AND w.kind = 'user') AS has_user_wrap, ",
            is_recipient!(),
            " AS is_recipient, e.seq AS head_seq, e.hash AS head_hash \
             FROM handoffs h JOIN users s ON s.id = h.sender_id LEFT JOIN users c ON c.id = h.claimed_by \
             LEFT JOIN users r ON r.id = h.to_user_id LEFT JOIN teams t ON t.id = h.to_team_id \
             JOIN events e ON e.handoff_id = h.id \
             AND e.seq = (SELECT MAX(l.seq) FROM events l WHERE l.handoff_id = h.id) ",
            $rest
        )
    };
}

/// A handoff as one of its parties sees it.
pub async fn find(tx: &mut Tx<'_>, party: UserId, id: HandoffId) -> Result<Option<HandoffView>, sqlx::Error> {
    let sql = select!(concat!("WHERE h.id = $1 AND ", is_party!()));
    on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).bind(Text(party)).fetch_optional(c).await)
}

/// One page of what a person was given, newest first, without what they declined as one of a team.
pub async fn inbox(tx: &mut Tx<'_>, recipient: UserId, page: &Page) -> Result<Vec<HandoffView>, sqlx::Error> {
    let sql = select!(concat!(
        "WHERE h.id IN ",
        given!(),
        " AND (h.claimed_by = $2 OR NOT EXISTS (SELECT 1 FROM handoff_declines d WHERE d.handoff_id = h.id \
         AND d.user_id = $2)) AND (h.created_at, h.id) < ($1, $3) ORDER BY h.created_at DESC, h.id DESC LIMIT $4"
    ));
    list(tx, sql, recipient, page).await
}

/// One page of what a person gave, newest first.
pub async fn sent(tx: &mut Tx<'_>, sender: UserId, page: &Page) -> Result<Vec<HandoffView>, sqlx::Error> {
    let sql = select!(
        "WHERE h.sender_id = $2 AND (h.created_at, h.id) < ($1, $3) ORDER BY h.created_at DESC, h.id DESC LIMIT $4"
    );
    list(tx, sql, sender, page).await
}

async fn list(tx: &mut Tx<'_>, sql: &'static str, party: UserId, page: &Page) -> Result<Vec<HandoffView>, sqlx::Error> {
    on!(tx, |c| sqlx::query_as(sql)
        .bind(Millis::from(page.before.at))
        .bind(Text(party))
        .bind(&page.before.id)
        .bind(page.fetch())
        .fetch_all(c)
        .await)
}
