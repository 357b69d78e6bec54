//! The only place that changes a handoff's state.
//!
//! ```text
//! begin ▶ load under a lock, joined with who asks ▶ eligibility ▶ apply ▶ save ▶ event, mails, effects ▶ commit
//! ```
//!
//! A state, its event and its effects are one transaction, and nothing but the database is spoken to while it is open.

use segue_api::handoffs::{Claim, Claimed};
use segue_domain::{
    Handoff, HandoffId, SessionId, State, Timestamp, UserId,
    handoff::{Audit, Effect, Event, Rejected},
};
use segue_signed::{SignedEnvelope, sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    app::App,
    failure::Failure,
    mail::{self, Mail},
    once::Once,
    principal::Principal,
    store::{
        Tx, bundles, events,
        handoffs::{self, Loaded},
        sessions,
    },
};

/// Records that a party looked: a recipient's first look, or an expiry that nobody recorded yet.
pub async fn look(app: &App, party: UserId, id: HandoffId) -> Result<(), Failure> {
    let mut tx = app.db.begin().await?;
    let loaded = handoffs::load(&mut tx, party, id).await?.ok_or_else(Failure::not_found)?;
    let event = if loaded.is_recipient { Event::View } else { Event::Tick };
    transition(&mut tx, &loaded, &event, Some(party), app.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// Claims a handoff for a recipient. One claim wins; repeating one's own gives the same session (SPEC T13).
pub(crate) async fn claim(
    app: &App,
    principal: &Principal,
    id: HandoffId,
    body: &Claim,
    once: &Once,
) -> Result<Claimed, Failure> {
    let session = SessionId::from_bytes(app.draw()?);
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let loaded = handoffs::load(&mut tx, principal.user, id).await?;
    let loaded = loaded.filter(|loaded| loaded.is_recipient).ok_or_else(Failure::not_found)?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    check_proof(&loaded, body)?;
    let event = Event::Claim { by: principal.user, session };
    let after = transition(&mut tx, &loaded, &event, Some(principal.user), now).await?;
    let answer = match after.state {
        State::Claimed { session, .. } => {
            let (handoff_id, bundle_id) = (id.to_string(), loaded.bundle.to_string());
            Ok(Claimed { handoff_id, session_id: session.to_string(), bundle_id })
        }
        // It came too late: what is committed is the expiry.
        _ => Err(Failure::from(Rejected::Expired)),
    };
    if let Ok(answer) = &answer {
        once.keep(&mut tx, answer).await?;
    }
    tx.commit().await?;
    answer
}

/// Shows that the claimer can open what they claim, so that nobody burns what they cannot open. Constant time, although
/// what is compared are hashes.
fn check_proof(loaded: &Loaded, body: &Claim) -> Result<(), Failure> {
    if bool::from(sha256(&body.claim_proof.0).ct_eq(&loaded.claim_check)) {
        return Ok(());
    }
    Err(Failure::new(segue_api::Code::WrongProof, "This proof does not open the bundle.")
        .or("Open the wrap with the key that the envelope names, and derive the proof from it."))
}

/// Records expiries that nobody asked about; at most `limit`, and says how many there were.
pub async fn expire_due(app: &App, limit: i64) -> Result<usize, Failure> {
    let now = app.clock.now();
    let due = handoffs::due(&mut app.db.read().await?, now, limit).await?;
    for id in &due {
        let mut tx = app.db.begin().await?;
        if let Some(loaded) = handoffs::load_for_sweep(&mut tx, *id).await? {
            transition(&mut tx, &loaded, &Event::Tick, None, now).await?;
        }
        tx.commit().await?;
    }
    Ok(due.len())
}

async fn transition(
    tx: &mut Tx<'_>,
    loaded: &Loaded,
    event: &Event,
    actor: Option<UserId>,
    now: Timestamp,
) -> Result<Handoff, Failure> {
    let (after, effects) = loaded.handoff.apply(event, now)?;
    if after != loaded.handoff && !handoffs::save(tx, loaded, &after).await? {
        return Err(anyhow::anyhow!("a locked handoff changed").into());
    }
    let mut number = 0;
    for effect in effects {
        match effect {
            Effect::Audit(audit) => number = record(tx, loaded, audit, actor, now).await?,
            Effect::Mail(audit) => tell(tx, loaded, audit, number, actor, now).await?,
            Effect::OpenSession => open_session(tx, loaded, &after, now).await?,
            Effect::ReleaseBundle => bundles::release(tx, loaded.bundle).await?,
            // The event is the news; there is nothing else to write for who listens.
            Effect::Announce => {}
        }
    }
    Ok(after)
}

async fn record(
    tx: &mut Tx<'_>,
    loaded: &Loaded,
    audit: Audit,
    actor: Option<UserId>,
    now: Timestamp,
) -> Result<i64, Failure> {
    // An expiry is nobody's deed, whoever notices it.
    let person = actor.filter(|_| audit != Audit::Expired).map(|actor| actor.to_string());
    let (actor, actor_type) = person.as_deref().map_or(("server", "server"), |person| (person, "user"));
    let event = events::NewEvent { handoff: loaded.id, kind: audit.as_str(), actor, actor_type, payload: "{}" };
    Ok(events::append(tx, &event, now).await?)
}

/// Mails the other party: the sender about what a recipient did, the recipients about what the sender did.
async fn tell(
    tx: &mut Tx<'_>,
    loaded: &Loaded,
    audit: Audit,
    event: i64,
    actor: Option<UserId>,
    now: Timestamp,
) -> Result<(), Failure> {
    let Some(by) = actor else { return Ok(()) };
    let others = if by == loaded.sender { handoffs::recipients(tx, loaded.id).await? } else { vec![loaded.sender] };
    // Who handed to oneself needs no mail about it.
    for to in others.into_iter().filter(|other| *other != by) {
        let mail = Mail { kind: audit.as_str(), handoff: loaded.id, event, to, by, said: "" };
        mail::enqueue(tx, &mail, now).await?;
    }
    Ok(())
}

/// The claimer's session over the very bundle that was handed over: no pack is read, no reference is counted.
async fn open_session(tx: &mut Tx<'_>, loaded: &Loaded, after: &Handoff, now: Timestamp) -> Result<(), Failure> {
    let State::Claimed { by, session, .. } = after.state else {
        return Err(anyhow::anyhow!("a session is opened by a claim only").into());
    };
    bundles::give(tx, loaded.bundle, by).await?;
    let envelope = bundles::opening(tx, loaded.bundle).await?.envelope;
    let signed = SignedEnvelope::parse(&envelope).map_err(anyhow::Error::from)?;
    let head = sessions::Head {
        owner: by,
        id: session,
        bundle: loaded.bundle,
        seq: i64::try_from(signed.envelope.header.seq).unwrap_or(i64::MAX),
        hash: signed.hash(),
        card: &loaded.card,
    };
    let origin = sessions::Origin { parent_session_id: &loaded.session_id, handoff: loaded.id };
    if !sessions::insert(tx, &head, Some(&origin), now).await? {
        return Err(anyhow::anyhow!("a random session id came twice").into());
    }
    Ok(())
}
