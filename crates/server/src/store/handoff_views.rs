//! Handoffs as their parties see them.

use segue_domain::{BundleId, HandoffId, Timestamp, UserId};
use sqlx::FromRow;

use super::{
    Tx,
    columns::{Millis, Text},
    on,
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
    pub(crate) claimed_by: Option<Text<UserId>>,
    pub(crate) claimed_session_id: Option<String>,
    pub(crate) sender_id: Text<UserId>,
    pub(crate) sender_email: String,
    pub(crate) sender_name: String,
    pub(crate) recipient_id: Text<UserId>,
    pub(crate) recipient_email: String,
    pub(crate) recipient_name: String,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT h.id, h.state, h.bundle_id, h.session_id, h.card, h.message, h.created_at, h.expires_at, h.viewed_at, \
             h.ended_at, h.claimed_by, h.claimed_session_id, h.sender_id, s.email AS sender_email, \
             s.name AS sender_name, r.user_id AS recipient_id, u.email AS recipient_email, u.name AS recipient_name \
             FROM handoffs h JOIN users s ON s.id = h.sender_id JOIN handoff_recipients r ON r.handoff_id = h.id \
             JOIN users u ON u.id = r.user_id ",
            $rest
        )
    };
}

/// A handoff as one of its parties sees it: a recipient beside the sender, the sender beside the first recipient.
pub async fn find(tx: &mut Tx<'_>, party: UserId, id: HandoffId) -> Result<Option<HandoffView>, sqlx::Error> {
    let sql = select!(
        "WHERE h.id = $1 AND (r.user_id = $2 OR (h.sender_id = $2 AND r.position = 0)) \
         ORDER BY CASE WHEN r.user_id = $2 THEN 0 ELSE 1 END LIMIT 1"
    );
    on!(tx, |c| sqlx::query_as(sql).bind(Text(id)).bind(Text(party)).fetch_optional(c).await)
}

/// One page of what a person was given, newest first.
pub async fn inbox(tx: &mut Tx<'_>, recipient: UserId, page: &Page) -> Result<Vec<HandoffView>, sqlx::Error> {
    let sql = select!(
        "WHERE r.user_id = $1 AND (h.created_at, h.id) < ($2, $3) ORDER BY h.created_at DESC, h.id DESC LIMIT $4"
    );
    list(tx, sql, recipient, page).await
}

/// One page of what a person gave, newest first.
pub async fn sent(tx: &mut Tx<'_>, sender: UserId, page: &Page) -> Result<Vec<HandoffView>, sqlx::Error> {
    let sql = select!(
        "WHERE h.sender_id = $1 AND r.position = 0 AND (h.created_at, h.id) < ($2, $3) \
         ORDER BY h.created_at DESC, h.id DESC LIMIT $4"
    );
    list(tx, sql, sender, page).await
}

async fn list(tx: &mut Tx<'_>, sql: &'static str, party: UserId, page: &Page) -> Result<Vec<HandoffView>, sqlx::Error> {
    on!(tx, |c| sqlx::query_as(sql)
        .bind(Text(party))
        .bind(Millis::from(page.before.at))
        .bind(&page.before.id)
        .bind(page.fetch())
        .fetch_all(c)
        .await)
}
