//! Mails (SPEC T5, T12, T19, A2).
//!
//! ```text
//! a transaction ▶ enqueue ▶ outbox row ─commit─▶ sending: take ▶ draw tokens ▶ letter ▶ transport ▶ delete the row
//! ```
//!
//! A mail is decided on in the transaction of what causes it, and sent later: nothing of the network happens in a transaction, and
//! none is sent for what was undone. A row holds everything that its mail says: ids, names, the card and the message, which the server may
//! read. Never a key, a proof, a token or anything sealed; the tokens of links and codes are drawn for each attempt, and
//! only their hashes are kept.
//!
//! A killed process sends again what it had not deleted yet, under the same Message-ID.

mod letter;
mod order;
mod plain;
mod sending;
mod transport;

use segue_api::sessions::Card;
use segue_domain::{HandoffId, InviteId, Timestamp, UserId, limits};

use crate::{
    failure::Failure,
    person::Email,
    store::{
        Tx, handoff_views,
        outbox::{self, NewMail},
        quotas::Quota,
        users,
    },
};
use order::{About, Order, Who};
pub use sending::{Post, forget, host, run};
pub use transport::Transport;

/// One invite mail a day from one person to one address (SPEC S5): nobody is mailed by somebody else's loop.
const INVITE_MAIL: Quota = Quota { most: 1, window_ms: DAY_MS };
/// Invite mails of one person in a day.
const INVITE_MAILS: Quota = Quota { most: limits::INVITE_MAILS_PER_DAY, window_ms: DAY_MS };
/// One mail in an hour to an address that somebody signs up with.
const SIGN_UP_MAIL: Quota = Quota { most: 1, window_ms: DAY_MS / 24 };
/// One day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

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
///
/// An address that was never verified gets none: it may be a stranger's. Nor does who is no party: on PostgreSQL somebody may
/// leave a team after its members were listed.
pub(crate) async fn enqueue(tx: &mut Tx<'_>, mail: &Mail<'_>, now: Timestamp) -> Result<(), Failure> {
    let (Some(to), Some(by)) = (users::find(tx, mail.to).await?, users::find(tx, mail.by).await?) else {
        return Err(anyhow::anyhow!("a party of a handoff is gone").into());
    };
    if !to.email_verified {
        return Ok(());
    }
    let Some(about) = about(tx, mail.to, mail.handoff, mail.said).await? else { return Ok(()) };
    let id = format!("{}.{}.{}", mail.handoff, mail.event, mail.to);
    let order = Order { to: who(to), by: Some(who(by)), about: Some(about), invite_id: None };
    insert(tx, &id, mail.kind, &order, now).await
}

/// Invites whoever has this address, and has not joined, to a handoff: one mail with the handoff's card, its message and
/// a link to join with (SPEC T19). Joining with that link verifies the address.
///
/// `by` is the handoff's sender, and `event` the number of the event that causes the mail. The invite is made, or one that `by`
/// had mailed before is used again, when the mail is sent; nothing is to be kept by the caller.
///
/// True when the mail was added. False when `by` had an invite mailed to this address within the day already, or to
/// [`limits::INVITE_MAILS_PER_DAY`] addresses: the handoff stands all the same, and the first mail's link still works.
///
/// # Errors
/// When `email` is no address, or the sender sees no such handoff.
pub(crate) async fn invite_for_handoff(
    tx: &mut Tx<'_>,
    handoff_id: HandoffId,
    event: i64,
    email: &str,
    by: UserId,
    now: Timestamp,
) -> Result<bool, Failure> {
    let email = &Email::parse(email)?;
    if !may_invite(tx, by, email, now).await? {
        return Ok(false);
    }
    let sender = users::find(tx, by).await?.ok_or_else(|| anyhow::anyhow!("the sender of a handoff is gone"))?;
    let about = about(tx, by, handoff_id, "").await?;
    let about = about.ok_or_else(|| anyhow::anyhow!("somebody invites to a handoff that is not theirs"))?;
    let order = Order { to: address(email), by: Some(who(sender)), about: Some(about), invite_id: None };
    insert(tx, &format!("{handoff_id}.{event}.{}", digest(&email.key)), "handoff_invite", &order, now).await?;
    Ok(true)
}

/// Mails an invite that was just made; false when its inviter has had too many mailed (see [`invite_for_handoff`]).
pub(crate) async fn enqueue_invite(
    tx: &mut Tx<'_>,
    invite: InviteId,
    email: &Email,
    by: UserId,
    now: Timestamp,
) -> Result<bool, Failure> {
    if !may_invite(tx, by, email, now).await? {
        return Ok(false);
    }
    let by = users::find(tx, by).await?.map(who);
    let order = Order { to: address(email), by, about: None, invite_id: Some(invite.to_string()) };
    insert(tx, &invite.to_string(), "invite", &order, now).await?;
    Ok(true)
}

/// Mails whoever has this address a link to sign up with, if they may and have not; all of that is found out when it is
/// sent, so the request takes the same work whoever's address it is.
pub(crate) async fn enqueue_sign_up(tx: &mut Tx<'_>, email: &Email, now: Timestamp) -> Result<(), Failure> {
    if SIGN_UP_MAIL.take(tx, &format!("sign-up {}", email.key), now).await? {
        let order = Order { to: address(email), by: None, about: None, invite_id: None };
        let id = format!("sign-up.{}.{}", digest(&email.key), now.as_millis());
        insert(tx, &id, "sign_up", &order, now).await?;
    }
    Ok(())
}

/// Mails somebody a code that verifies their address.
pub(crate) async fn enqueue_verification(
    tx: &mut Tx<'_>,
    user: users::User,
    drawn: [u8; 16],
    now: Timestamp,
) -> Result<(), Failure> {
    let id = format!("verification.{}", data_encoding::HEXLOWER.encode(&drawn));
    let order = Order { to: who(user), by: None, about: None, invite_id: None };
    insert(tx, &id, "verification", &order, now).await
}

async fn may_invite(tx: &mut Tx<'_>, by: UserId, email: &Email, now: Timestamp) -> Result<bool, Failure> {
    Ok(INVITE_MAIL.take(tx, &format!("invite {by} {}", email.key), now).await?
        && INVITE_MAILS.take(tx, &format!("invites {by}"), now).await?)
}

/// What a mail says of a handoff; none for who is no party of it.
async fn about(tx: &mut Tx<'_>, party: UserId, handoff: HandoffId, said: &str) -> Result<Option<About>, Failure> {
    let Some(view) = handoff_views::find(tx, party, handoff).await? else { return Ok(None) };
    Ok(Some(About {
        handoff_id: handoff.to_string(),
        card: serde_json::from_str::<Card>(&view.card).map_err(anyhow::Error::from)?,
        message: view.message,
        said: said.to_owned(),
        expires_at: view.expires_at.as_millis(),
    }))
}

async fn insert(tx: &mut Tx<'_>, id: &str, kind: &str, order: &Order, now: Timestamp) -> Result<(), Failure> {
    let body = serde_json::to_string(order).map_err(anyhow::Error::from)?;
    let recipient = order.to.email.to_ascii_lowercase();
    Ok(outbox::insert(tx, &NewMail { id, kind, recipient: &recipient, body: &body }, now).await?)
}

fn who(user: users::User) -> Who {
    Who { user_id: Some(user.id.0.to_string()), email: user.email, name: user.name }
}

fn address(email: &Email) -> Who {
    Who { user_id: None, email: email.written.clone(), name: String::new() }
}

/// An address in a Message-ID, without saying it.
fn digest(email_key: &str) -> String {
    data_encoding::HEXLOWER.encode(&segue_signed::sha256(email_key.as_bytes())[..16])
}
