//! Rows as they cross HTTP.

use segue_api::{
    Bytes,
    account::Account,
    handoffs::{Comment, Event, Handoff, LogHead, Party, Recipient, RecipientKey, Role},
    sessions::{Card, Session},
};
use segue_domain::{State, Timestamp, UserId};

use crate::{
    app::App,
    failure::Failure,
    page::Cursor,
    principal::{Credential, Principal},
    provenance::Provenance,
    store::{self, Tx, comments, events, handoff_views::HandoffView, key_cards, users},
};

fn card(json: &str) -> Result<Card, Failure> {
    Ok(serde_json::from_str(json).map_err(anyhow::Error::from)?)
}

/// One's own account.
pub(crate) async fn account(app: &App, tx: &mut Tx<'_>, principal: &Principal) -> Result<Account, Failure> {
    let user = users::find(tx, principal.user).await?.ok_or_else(Failure::not_found)?;
    let plan = app.plan(principal);
    Ok(Account {
        user_id: principal.user.to_string(),
        device_id: match &principal.credential {
            Credential::Device { id, .. } => Some(id.to_string()),
            Credential::Token { .. } => None,
        },
        email: user.email,
        email_verified: user.email_verified,
        name: user.name,
        owner: principal.owner,
        plan: plan.to_string(),
        storage_used: users::storage_used(tx, principal.user).await?,
        storage_max: i64::try_from(plan.storage_bytes_max()).unwrap_or(i64::MAX),
        key_card: key_cards::current(tx, principal.user).await?.encode().into(),
    })
}

/// A session of one's own.
pub(crate) fn session(row: &store::sessions::Session) -> Result<Session, Failure> {
    Ok(Session {
        session_id: row.id.0.to_string(),
        bundle_id: row.bundle_id.0.to_string(),
        seq: row.seq,
        card: card(&row.card)?,
        parent_session_id: row.parent_session_id.clone(),
        handoff_id: row.handoff_id.clone(),
        project_id: row.project_id.map(|project| project.0.to_string()),
        ticket: row.ticket.clone(),
        persona: row.persona.clone(),
        created_at: row.created_at.as_millis(),
        updated_at: row.updated_at.as_millis(),
    })
}

/// Where a session stands in a list.
pub(crate) fn session_cursor(row: &store::sessions::Session) -> Cursor {
    Cursor { at: row.created_at, id: row.id.0.to_string() }
}

/// A handoff, as `party` sees it. One whose time is over is expired, whether or not that was recorded yet.
pub(crate) fn handoff(row: &HandoffView, party: UserId, now: Timestamp) -> Result<Handoff, Failure> {
    let over = row.state == State::Pending.as_str() && now >= row.expires_at;
    let status = if over { State::Expired { at: now }.as_str() } else { row.state.as_str() };
    let role = match (row.sender_id.0 == party, row.is_recipient) {
        (true, true) => Role::Both,
        (true, false) => Role::Sender,
        (false, _) => Role::Recipient,
    };
    let concerned = row.concerns(party);
    let refers = if concerned { Provenance::read(row.provenance.as_deref())? } else { Provenance::default() };
    let claimer = row.claimed_by.zip(row.claimer_email.as_deref()).zip(row.claimer_name.as_deref());
    Ok(Handoff {
        handoff_id: row.id.0.to_string(),
        status: status.to_owned(),
        role,
        sender: party_of(row.sender_id.0, &row.sender_email, &row.sender_name),
        recipient: recipient(row)?,
        session_id: row.session_id.clone(),
        card: card(&row.card)?,
        message: if concerned { row.message.clone() } else { String::new() },
        ticket: refers.ticket,
        persona: refers.persona,
        attachments: refers.attachments,
        created_at: row.created_at.as_millis(),
        expires_at: row.expires_at.as_millis(),
        viewed_at: row.viewed_at.map(|at| Timestamp::from(at).as_millis()),
        ended_at: row.ended_at.map(|at| Timestamp::from(at).as_millis()),
        reason: row.reason.clone(),
        claimed_by: claimer.filter(|_| concerned).map(|((by, email), name)| party_of(by.0, email, name)),
        claimed_session_id: row.claimed_session_id.clone().filter(|_| row.is_claimer(party)),
        awaits_key: row.to_email.is_some() && status == State::Pending.as_str() && !row.has_user_wrap,
        invite_proof: row.invite_proof.clone().filter(|_| row.sender_id.0 == party).map(Bytes),
        log_head: concerned.then(|| LogHead { seq: row.head_seq, hash: row.head_hash.clone().into() }),
    })
}

fn recipient(row: &HandoffView) -> Result<Recipient, Failure> {
    match (&row.to_user_id, &row.user_email, &row.user_name, &row.to_team_id, &row.to_email) {
        (Some(user), Some(email), Some(name), ..) => Ok(Recipient::User(party_of(user.0, email, name))),
        (.., Some(team), _) => {
            Ok(Recipient::Team { team_id: team.clone(), name: row.team_name.clone().unwrap_or_default() })
        }
        (.., Some(email)) => Ok(Recipient::Address { email: email.clone() }),
        _ => Err(anyhow::anyhow!("a handoff without a recipient").into()),
    }
}

/// What a party wrote.
pub(crate) fn comment(row: &comments::Comment) -> Comment {
    Comment {
        comment_id: row.id.0.to_string(),
        seq: row.seq,
        author: party_of(row.author.0, &row.email, &row.name),
        body: row.body.clone(),
        at: row.created_at.as_millis(),
    }
}

/// An entry of the audit log.
pub(crate) fn event(row: events::Event) -> Event {
    Event {
        seq: row.seq,
        kind: row.kind,
        actor: row.actor,
        actor_type: row.actor_type,
        actor_name: row.name,
        at: row.at.as_millis(),
        payload: row.payload,
        previous: row.previous.map(Bytes),
        hash: row.hash.into(),
    }
}

/// Where a handoff stands in a list.
pub(crate) fn handoff_cursor(row: &HandoffView) -> Cursor {
    Cursor { at: row.created_at, id: row.id.0.to_string() }
}

fn party_of(user: UserId, email: &str, name: &str) -> Party {
    Party { user_id: user.to_string(), email: email.to_owned(), name: name.to_owned() }
}

/// Somebody to seal for.
pub(crate) async fn recipient_key(tx: &mut Tx<'_>, user: users::User) -> Result<RecipientKey, Failure> {
    Ok(RecipientKey {
        user_id: user.id.0.to_string(),
        key_card: key_cards::current(tx, user.id.0).await?.encode().into(),
        email: user.email,
        name: user.name,
    })
}
