//! Mails to parties of a handoff, decided in the transaction of the event that causes them. They are sent later; a row
//! holds everything that its mail says: ids, names, the card and the message, which the server may read. Never a key, a
//! proof or anything sealed (SPEC T5).

use segue_domain::{HandoffId, Timestamp, UserId};
use serde_json::json;

use crate::{
    failure::Failure,
    store::{Tx, handoff_views, outbox, users},
};

/// A mail about an event.
#[derive(Debug)]
pub(crate) struct Mail<'a> {
    /// The event's kind.
    pub(crate) kind: &'a str,
    /// The handoff.
    pub(crate) handoff: HandoffId,
    /// The event's number.
    pub(crate) event: i64,
    /// To whom.
    pub(crate) to: UserId,
    /// Who caused it.
    pub(crate) by: UserId,
    /// What they wrote with it: a comment, or the reason of a revocation or refusal; empty otherwise.
    pub(crate) said: &'a str,
}

/// Adds a mail to the outbox. Its id comes from its event and reader, so a mail that is sent twice has one Message-ID.
pub(crate) async fn enqueue(tx: &mut Tx<'_>, mail: &Mail<'_>, now: Timestamp) -> Result<(), Failure> {
    let (Some(to), Some(by), Some(about)) = (
        users::find(tx, mail.to).await?,
        users::find(tx, mail.by).await?,
        handoff_views::find(tx, mail.to, mail.handoff).await?,
    ) else {
        return Err(anyhow::anyhow!("a party of a handoff is gone").into());
    };
    let body = json!({
        "to": {"user_id": to.id.0.to_string(), "email": to.email, "name": to.name},
        "by": {"user_id": by.id.0.to_string(), "email": by.email, "name": by.name},
        "handoff_id": mail.handoff.to_string(),
        "card": serde_json::from_str::<serde_json::Value>(&about.card).map_err(anyhow::Error::from)?,
        "message": about.message,
        "said": mail.said,
        "expires_at": about.expires_at.as_millis(),
    });
    let id = format!("{}.{}.{}", mail.handoff, mail.event, mail.to);
    Ok(outbox::insert(tx, &id, mail.kind, &body.to_string(), now).await?)
}
