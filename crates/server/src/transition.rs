//! The only place that changes a handoff's state.
//!
//! ```text
//! begin ▶ load under a lock, joined with who asks ▶ eligibility ▶ apply ▶ save ▶ event, mails, effects ▶ news ▶ commit
//! ```
//!
//! A state, its event and its effects are one transaction, and nothing but the database is spoken to while it is open. What
//! parties may do is in `lifecycle`.

use segue_domain::{
    CommentId, Handoff, HandoffId, State, Timestamp,
    handoff::{Audit, Effect, Event, Rejected},
};
use segue_signed::SignedEnvelope;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    app::App,
    failure::Failure,
    mail::{self, Mail},
    metrics::Metrics,
    news::{Parties, announce},
    once::Once,
    principal::{Actor, Principal},
    store::{
        Tx, bundles, events,
        handoffs::{self, Loaded},
        news::{About, NewNews},
        recipients, sessions,
    },
};

/// What somebody does to a handoff, under its lock.
pub(crate) struct Deed<'a> {
    /// The transaction.
    pub(crate) tx: Tx<'static>,
    /// The handoff, as it was.
    pub(crate) loaded: Loaded,
    /// Now.
    pub(crate) now: Timestamp,
    by: &'a Principal,
    once: &'a Once,
    /// What was done, for the count of what was committed.
    done: Option<(&'static str, &'static str)>,
    app: &'a App,
    news: Vec<NewNews<'static>>,
}

/// What somebody says with a deed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Said<'a> {
    /// Nothing.
    #[default]
    Nothing,
    /// Why.
    Reason(&'a str),
    /// A comment.
    Comment(CommentId, &'a str),
}

impl Said<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Nothing => "",
            Self::Reason(text) | Self::Comment(_, text) => text,
        }
    }

    fn payload(&self) -> String {
        match self {
            Self::Nothing => "{}".to_owned(),
            Self::Reason(reason) => json!({ "reason": reason }).to_string(),
            Self::Comment(id, _) => json!({ "comment_id": id.to_string() }).to_string(),
        }
    }
}

/// What a deed came to.
pub(crate) struct Outcome {
    /// The handoff afterwards.
    pub(crate) after: Handoff,
    /// Number of the last event that it caused; 0 without one.
    pub(crate) event: i64,
    /// What its parties hear of it.
    news: Vec<NewNews<'static>>,
}

impl<'a> Deed<'a> {
    /// Loads the handoff for somebody with the `right` to the deed; to everybody else it is not there (SPEC T14).
    pub(crate) async fn begin(
        app: &'a App,
        by: &'a Principal,
        id: HandoffId,
        once: &'a Once,
        right: impl Fn(&Loaded) -> bool,
    ) -> Result<Self, Failure> {
        let mut tx = app.db.begin().await?;
        let loaded = handoffs::load(&mut tx, by.user, id).await?;
        let loaded = loaded.filter(right).ok_or_else(Failure::not_found)?;
        // Behind the lock: who waited for it comes after whom they waited for, in time too.
        let now = app.clock.now();
        Ok(Self { tx, loaded, now, by, once, app, done: None, news: Vec::new() })
    }

    /// The first answer when this is a repeat (SPEC T18).
    pub(crate) async fn first_answer<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        self.once.first_answer(&mut self.tx, self.now).await
    }

    /// Does it.
    pub(crate) async fn apply(&mut self, event: &Event, said: Said<'_>) -> Result<Outcome, Failure> {
        let outcome = transition(&mut self.tx, &self.loaded, event, said, Some(self.by.actor()), self.now).await;
        if let Ok(outcome) = &outcome {
            self.news.extend_from_slice(&outcome.news);
        }
        match &outcome {
            Ok(outcome) if matches!(outcome.after.state, State::Expired { .. }) => {
                self.done = Some((kind(event), "late"));
            }
            Ok(outcome) => self.done = Some((kind(event), if outcome.event == 0 { "repeated" } else { "done" })),
            Err(Failure::Refused(_)) => self.app.metrics.transition(kind(event), "refused"),
            Err(_) => {}
        }
        outcome
    }

    /// Commits. A deed that came too late left the expiry in its place, and says so.
    pub(crate) async fn end<T: Serialize>(mut self, outcome: &Outcome, answer: T) -> Result<T, Failure> {
        if !matches!(outcome.after.state, State::Expired { .. }) {
            return self.finish(answer).await;
        }
        self.once.give_back(&mut self.tx).await?;
        let (app, done) = (self.app, self.done);
        self.commit().await?;
        count(&app.metrics, done);
        count_expiry(&app.metrics, outcome);
        Err(Rejected::Expired.into())
    }

    /// Commits, with the answer to this and to its repeats.
    pub(crate) async fn finish<T: Serialize>(mut self, answer: T) -> Result<T, Failure> {
        self.once.keep(&mut self.tx, &answer).await?;
        let (app, done) = (self.app, self.done);
        self.commit().await?;
        count(&app.metrics, done);
        Ok(answer)
    }

    async fn commit(self) -> Result<(), Failure> {
        commit(self.app, self.tx, &self.loaded, &self.news, self.now).await
    }
}

/// Commits with news for all parties, and tells who listens.
async fn commit(
    app: &App,
    mut tx: Tx<'_>,
    loaded: &Loaded,
    news: &[NewNews<'_>],
    now: Timestamp,
) -> Result<(), Failure> {
    let parties = Parties { sender: loaded.sender, to: &loaded.to, state: &loaded.handoff.state };
    let announced = announce(&mut tx, &parties, news, now).await?;
    tx.commit().await?;
    app.news.tell(announced);
    Ok(())
}

/// Records that a party looked: a recipient's first look, or an expiry that nobody recorded yet.
pub async fn look(app: &App, by: Actor, id: HandoffId) -> Result<(), Failure> {
    let mut tx = app.db.begin().await?;
    let loaded = handoffs::load(&mut tx, by.user, id).await?.ok_or_else(Failure::not_found)?;
    let event = if loaded.is_recipient { Event::View } else { Event::Tick };
    let now = app.clock.now();
    let outcome = transition(&mut tx, &loaded, &event, Said::Nothing, Some(by), now).await?;
    commit(app, tx, &loaded, &outcome.news, now).await?;
    if !matches!(outcome.after.state, State::Expired { .. }) && outcome.event != 0 {
        app.metrics.transition(kind(&event), "done");
    }
    count_expiry(&app.metrics, &outcome);
    Ok(())
}

/// Records expiries that nobody asked about; at most `limit`, and says how many there were.
pub async fn expire_due(app: &App, limit: i64) -> Result<usize, Failure> {
    let due = handoffs::due(&mut app.db.read().await?, app.clock.now(), limit).await?;
    for id in &due {
        let mut tx = app.db.begin().await?;
        let Some(loaded) = handoffs::load_for_sweep(&mut tx, *id).await? else { continue };
        let now = app.clock.now();
        let outcome = transition(&mut tx, &loaded, &Event::Tick, Said::Nothing, None, now).await?;
        commit(app, tx, &loaded, &outcome.news, now).await?;
        count_expiry(&app.metrics, &outcome);
    }
    Ok(due.len())
}

fn count(metrics: &Metrics, done: Option<(&'static str, &'static str)>) {
    if let Some((kind, outcome)) = done {
        metrics.transition(kind, outcome);
    }
}

/// Whoever notices it first has recorded it.
fn count_expiry(metrics: &Metrics, outcome: &Outcome) {
    if matches!(outcome.after.state, State::Expired { .. }) && outcome.event != 0 {
        metrics.transition("expire", "done");
    }
}

/// The word that metrics count by.
fn kind(event: &Event) -> &'static str {
    match event {
        Event::View => "view",
        Event::Claim { .. } => "claim",
        Event::Revoke => "revoke",
        Event::Decline { .. } => "decline",
        Event::Comment => "comment",
        Event::WrapKey => "wrap_key",
        Event::Tick => "expire",
    }
}

async fn transition(
    tx: &mut Tx<'_>,
    loaded: &Loaded,
    event: &Event,
    said: Said<'_>,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<Outcome, Failure> {
    let (after, effects) = loaded.handoff.apply(event, now)?;
    let reason = if let Said::Reason(reason) = said { Some(reason) } else { None };
    // Why it ended; not with what came too late, nor with one member's word.
    let reason = reason.filter(|_| matches!(after.state, State::Revoked { .. } | State::Declined { .. }));
    if after != loaded.handoff && !handoffs::save(tx, loaded, &after, reason).await? {
        return Err(anyhow::anyhow!("a locked handoff changed").into());
    }
    let (mut number, mut last, mut news) = (0, None, Vec::new());
    for effect in effects {
        match effect {
            Effect::Audit(audit) => {
                number = record(tx, loaded, audit, said, actor, now).await?;
                last = Some(NewNews { about: About::Handoff(loaded.id), kind: audit.as_str(), event: number });
            }
            Effect::Mail(audit) => tell(tx, loaded, audit, number, said, actor, now).await?,
            Effect::OpenSession => open_session(tx, loaded, &after, now).await?,
            Effect::ReleaseBundle => bundles::release(tx, loaded.bundle).await?,
            // Written at the end of the transaction.
            Effect::Announce => news.extend(last.take()),
        }
    }
    Ok(Outcome { after, event: number, news })
}

async fn record(
    tx: &mut Tx<'_>,
    loaded: &Loaded,
    audit: Audit,
    said: Said<'_>,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<i64, Failure> {
    // An expiry is nobody's deed, whoever notices it.
    let expired = audit == Audit::Expired;
    let person = actor.filter(|_| !expired).map(|actor| (actor.user.to_string(), actor.kind));
    let (actor, actor_type) = person.as_ref().map_or(("server", "server"), |(person, kind)| (person, kind));
    let payload = if expired { "{}".to_owned() } else { said.payload() };
    let event = events::NewEvent { handoff: loaded.id, kind: audit.as_str(), actor, actor_type, payload: &payload };
    Ok(events::append(tx, &event, now).await?)
}

/// Mails the other party: the sender about what a recipient did, the recipients about what the sender did.
async fn tell(
    tx: &mut Tx<'_>,
    loaded: &Loaded,
    audit: Audit,
    event: i64,
    said: Said<'_>,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<(), Failure> {
    let Some(Actor { user: by, .. }) = actor else { return Ok(()) };
    let others = match loaded.handoff.state {
        _ if by != loaded.sender => vec![loaded.sender],
        // What is said after a claim is between the two.
        State::Claimed { by: claimer, .. } => vec![claimer],
        _ => recipients::people(tx, &loaded.to, loaded.sender).await?,
    };
    // Who handed to oneself needs no mail about it.
    for to in others.into_iter().filter(|other| *other != by) {
        let mail = Mail { kind: audit.as_str(), handoff: loaded.id, event, to, by, said: said.text() };
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
