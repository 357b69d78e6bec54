//! The only place that changes a pairing's state.

use std::time::Duration;

use segue_api::{Code, pairings::Pairing as Seen};
use segue_domain::{
    DeviceId, Pairing, PairingId, Timestamp, UserId, limits,
    pairing::{Effect, End, Event, Rejected, Revocation, State},
};

use super::seen::{Side, seen};
use crate::{
    app::App,
    failure::Failure,
    news::{Announced, Topic},
    store::{
        Tx, bundles,
        pairing_messages::{self as messages, Kind},
        pairings::{self, Loaded},
    },
};

/// A pairing under its lock.
pub(super) struct Turn<'a> {
    pub(super) app: &'a App,
    pub(super) tx: Tx<'static>,
    pub(super) loaded: Loaded,
    pub(super) now: Timestamp,
    /// Whether something sealed was deleted.
    pub(super) deleted: bool,
}

impl<'a> Turn<'a> {
    /// Loads a pairing for who has the `right` to what comes; to everybody else it is not there.
    pub(super) async fn begin(app: &'a App, id: PairingId, right: impl Fn(&Loaded) -> bool) -> Result<Self, Failure> {
        let mut tx = app.db.begin().await?;
        let loaded = pairings::load(&mut tx, id).await?.filter(right).ok_or_else(Failure::not_found)?;
        Ok(Self::of(app, tx, loaded))
    }

    /// One that is loaded, at the time behind its lock.
    pub(super) fn of(app: &'a App, tx: Tx<'static>, loaded: Loaded) -> Self {
        Self { app, tx, loaded, now: app.clock.now(), deleted: false }
    }

    /// Does it, with what `leave` leaves for the other side, and shows it to who asked. What came too late is recorded as that.
    pub(super) async fn change(
        mut self,
        event: &Event,
        side: &Side,
        leave: &[(Kind, &[u8])],
        fetch_token: Option<&[u8; 32]>,
    ) -> Result<Seen, Failure> {
        let too_late = self.apply(event, leave, fetch_token).await?;
        let answer = seen(self.app, &mut self.tx, &self.loaded, side, self.now).await;
        self.commit().await?;
        match too_late {
            None => answer,
            Some(rejected) => Err(rejected.into()),
        }
    }

    /// Applies an event; says when time was faster.
    pub(super) async fn apply(
        &mut self,
        event: &Event,
        leave: &[(Kind, &[u8])],
        fetch_token: Option<&[u8; 32]>,
    ) -> Result<Option<Rejected>, Failure> {
        let before = self.loaded.version;
        let applied = apply(&mut self.tx, &mut self.loaded, event, leave, fetch_token, self.now).await;
        // Only what is waited for leaves nothing behind: a lease, an answer, a return.
        let kept = matches!(event, Event::Lease { .. } | Event::Confirm { .. } | Event::Return { .. });
        self.deleted |= self.loaded.version != before && !kept;
        applied
    }

    /// Commits, and wakes who listens.
    pub(super) async fn commit(self) -> Result<(), Failure> {
        let deleted = self.deleted;
        self.tx.commit().await?;
        if deleted {
            self.app.scrubbing.notify_one();
        }
        self.app.news.tell(Announced::one(Topic::Pairing(self.loaded.id), self.loaded.version));
        Ok(())
    }
}

async fn apply(
    tx: &mut Tx<'_>,
    loaded: &mut Loaded,
    event: &Event,
    leave: &[(Kind, &[u8])],
    fetch_token: Option<&[u8; 32]>,
    now: Timestamp,
) -> Result<Option<Rejected>, Failure> {
    let before = loaded.pairing.clone();
    let (after, effects) = before.apply(event, now)?;
    let too_late = too_late(&before, &after, event);
    if after != before {
        let fetch_token = fetch_token.copied().or(loaded.fetch_token);
        if !pairings::save(tx, loaded, &after, fetch_token.as_ref()).await? {
            return Err(anyhow::anyhow!("a locked pairing changed").into());
        }
        *loaded = Loaded { pairing: after, version: loaded.version + 1, fetch_token, ..loaded.clone() };
    }
    for effect in &effects {
        clear(tx, loaded.id, *effect).await?;
    }
    if too_late.is_none() && !effects.is_empty() {
        for (kind, bytes) in leave {
            messages::put(tx, loaded.id, *kind, bytes).await?;
        }
    }
    Ok(too_late)
}

async fn clear(tx: &mut Tx<'_>, id: PairingId, effect: Effect) -> Result<(), Failure> {
    match effect {
        // Told at the end of the transaction.
        Effect::Announce => {}
        Effect::DropHandshake => messages::delete(tx, id, &[Kind::Code, Kind::Link, Kind::Answer]).await?,
        Effect::DropView => messages::delete(tx, id, &[Kind::Release]).await?,
        Effect::DropBackfill => bundles::release_of_pairing(tx, id).await?,
    }
    Ok(())
}

/// Ends the codes that a device shows which is removed: nobody would answer for them. To be told of after the commit.
pub(crate) async fn remove_device(
    tx: &mut Tx<'_>,
    user: UserId,
    device: DeviceId,
    now: Timestamp,
) -> Result<Announced, Failure> {
    let mut announced = Announced::default();
    for mut loaded in pairings::load_shown(tx, user, device).await? {
        apply(tx, &mut loaded, &Event::Revoke { reason: Revocation::DeviceRemoved }, &[], None, now).await?;
        announced.join(Announced::one(Topic::Pairing(loaded.id), loaded.version));
    }
    Ok(announced)
}

/// What an event is told that came after its time: `apply` then records the end instead.
fn too_late(before: &Pairing, after: &Pairing, event: &Event) -> Option<Rejected> {
    match (event, &before.state, &after.state) {
        (Event::Tick, ..) => None,
        (_, State::Issued, State::Expired { reason, .. }) => Some(Rejected::Expired(*reason)),
        // What is sent back or taken back is taken all the same.
        (Event::Return { .. } | Event::TakeBack, ..) => None,
        (_, State::Claimed(was), State::Claimed(is)) if was.end.is_none() => {
            is.end.filter(|(_, end)| *end == End::Lapsed).map(|(_, end)| Rejected::Ended(end))
        }
        _ => None,
    }
}

/// Records that a pairing's time is over, if it is.
pub(crate) async fn tick(app: &App, id: PairingId) -> Result<(), Failure> {
    let mut tx = app.db.begin().await?;
    let Some(loaded) = pairings::load(&mut tx, id).await? else { return Ok(()) };
    let mut turn = Turn::of(app, tx, loaded);
    turn.apply(&Event::Tick, &[], None).await?;
    turn.commit().await
}

/// Time between two scrubs: many deletions share one.
const SCRUB_PAUSE: Duration = Duration::from_secs(1);

/// Makes deletions true on disk until the server stops; what could not be done now is done with the next.
pub(crate) async fn scrub(app: &App) {
    loop {
        app.scrubbing.notified().await;
        match app.db.scrub().await {
            Ok(true) => {}
            Ok(false) => app.scrubbing.notify_one(),
            Err(error) => tracing::warn!(%error, "what was deleted may still stand on disk"),
        }
        tokio::time::sleep(SCRUB_PAUSE).await;
    }
}

/// Records ends that nobody asked about; at most `limit`, and says how many there were.
pub(crate) async fn expire_due(app: &App, limit: i64) -> Result<usize, Failure> {
    let due = pairings::due(&mut app.db.read().await?, app.clock.now(), limit).await?;
    for id in &due {
        tick(app, *id).await?;
    }
    Ok(due.len())
}

/// Forgets pairings that ended a day ago, `round` at a time.
pub(crate) async fn forget(app: &App, round: i64) -> Result<(), Failure> {
    let before = app.clock.now().plus_millis(-3_600_000 * i64::from(limits::PAIRING_TOMBSTONE_HOURS));
    loop {
        let mut tx = app.db.begin().await?;
        let ended = pairings::ended_before(&mut tx, before, round).await?;
        for id in &ended {
            bundles::release_of_pairing(&mut tx, *id).await?;
            messages::delete(&mut tx, *id, &[Kind::Acknowledgement, Kind::Returned]).await?;
            pairings::delete(&mut tx, *id).await?;
        }
        tx.commit().await?;
        if ended.is_empty() {
            return Ok(());
        }
    }
}

impl From<Rejected> for Failure {
    fn from(rejected: Rejected) -> Self {
        let code = match rejected {
            Rejected::AlreadyClaimed => Code::AlreadyClaimed,
            Rejected::Revoked(_) => Code::Revoked,
            Rejected::Expired(_) | Rejected::Ended(_) => Code::Expired,
            Rejected::Busy => Code::Busy,
            Rejected::Mismatch => Code::CodeMismatch,
            Rejected::NoLease => Code::LeaseLost,
            Rejected::OtherPurpose => Code::OtherPurpose,
            Rejected::Unclaimed | Rejected::StaleAttempt | Rejected::Unconfirmed | Rejected::Frozen => Code::Conflict,
        };
        let mut title = rejected.to_string();
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let way_out = match rejected {
            Rejected::Busy => "Try again in half a minute.",
            Rejected::NoLease => "Enter the code again.",
            Rejected::OtherPurpose => "Codes of ten symbols hand a chat over, codes of twelve add a device.",
            Rejected::StaleAttempt | Rejected::Unconfirmed | Rejected::Unclaimed | Rejected::Frozen => {
                "Read the pairing again."
            }
            _ => "Make a new code on the device that has the chat.",
        };
        Self::new(code, title + ".").or(way_out)
    }
}
