//! One live stream: a cursor into the news of its account.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::response::sse::Event;
use futures::{Stream, stream};
use segue_api::news::{BEGIN, News, RESET};
use segue_domain::{UserId, limits};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::listeners::{Listener, Place, Topic};
use crate::{app::App, failure::Failure, store::news};

/// When a client that was sent away comes back, if it does as it is told: a server restarts in this time.
pub(crate) const COME_BACK: Duration = Duration::from_secs(1);

/// Who wants to listen, and from where on.
pub(crate) struct Begin {
    /// Whose news.
    pub(crate) user: UserId,
    /// SHA-256 of the token that came.
    pub(crate) token: [u8; 32],
    /// The last number that is known; none listens from now on.
    pub(crate) after: Option<i64>,
    /// Cuts the connection.
    pub(crate) hang_up: CancellationToken,
}

/// Takes a place, and finds out where the stream begins.
pub(crate) async fn begin(
    app: Arc<App>,
    begin: Begin,
) -> Result<impl Stream<Item = Result<Event, Infallible>> + Send + 'static, Failure> {
    let place = app.news.enter(Topic::Account(begin.user), Some(begin.token), begin.hang_up, &app.settings.news)?;
    let (newest, listener) = (place.listener.newest(), Arc::clone(&place.listener));
    // Only now, so that what is committed meanwhile wakes it.
    let kept = news::kept(&mut app.db.read().await?, begin.user).await?;
    let mut ready = VecDeque::new();
    let cursor = match begin.after {
        Some(after) if (kept.before..=kept.newest).contains(&after) => after,
        // Its client knows a number that is no longer kept, or that was never given.
        Some(after) => push(&mut ready, RESET, if after > kept.newest { kept.newest } else { kept.before }),
        None => kept.newest,
    };
    push(&mut ready, BEGIN, cursor);
    let more = kept.newest > cursor;
    let reader = Reader { app, user: begin.user, token: begin.token, place, newest, cursor, ready, more, over: false };
    let events = stream::unfold(reader, |mut reader| async move { Some((Ok(reader.next().await?), reader)) });
    Ok(Asked::new(events, listener))
}

/// Adds an event that is only a number.
fn push(ready: &mut VecDeque<Event>, kind: &str, seq: i64) -> i64 {
    ready.push_back(Event::default().event(kind).id(seq.to_string()).data("{}"));
    seq
}

struct Reader {
    app: Arc<App>,
    user: UserId,
    token: [u8; 32],
    place: Place,
    newest: watch::Receiver<i64>,
    cursor: i64,
    ready: VecDeque<Event>,
    /// Whether there may be news after the cursor.
    more: bool,
    over: bool,
}

impl Reader {
    /// The next event; none when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.over || self.place.listener.ended.is_cancelled() {
                return None;
            }
            if self.app.news.closing.is_cancelled() {
                return Some(self.send_away());
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.more {
                if let Err(error) = self.read().await {
                    tracing::warn!(error = format!("{error:?}"), "news cannot be read");
                    return Some(self.send_away());
                }
                continue;
            }
            tokio::select! {
                // The sender is in the place: this cannot fail.
                _ = self.newest.changed() => self.more = *self.newest.borrow_and_update() > self.cursor,
                () = self.place.listener.ended.cancelled() => {}
                () = self.app.news.closing.cancelled() => {}
            }
        }
    }

    /// The last event: when to come back, and with what is known, go on.
    fn send_away(&mut self) -> Event {
        self.over = true;
        Event::default().retry(COME_BACK)
    }

    /// Reads one page, for whoever may still have it.
    async fn read(&mut self) -> Result<(), sqlx::Error> {
        let mut tx = self.app.db.read().await?;
        if news::standing(&mut tx, &[self.token], self.app.clock.now()).await?.is_empty() {
            self.over = true;
            return Ok(());
        }
        let rows = news::list(&mut tx, self.user, self.cursor, limits::NEWS_READ_MAX).await?;
        // After the rows: what was dropped before they were read is noticed.
        let kept = news::kept(&mut tx, self.user).await?;
        if self.cursor < kept.before && rows.first().is_none_or(|row| row.seq > self.cursor + 1) {
            push(&mut self.ready, RESET, kept.before);
        }
        self.more = i64::try_from(rows.len()).is_ok_and(|count| count == limits::NEWS_READ_MAX);
        self.cursor = rows.last().map_or(self.cursor.max(kept.newest), |row| row.seq);
        self.ready.extend(rows.iter().filter(|row| row.may).map(event));
        Ok(())
    }
}

fn event(row: &news::News) -> Event {
    let news = News {
        handoff_id: row.handoff_id.clone(),
        device_id: row.device_id.clone(),
        kind: row.kind.clone(),
        event_seq: row.event_seq,
        at: row.at.as_millis(),
    };
    let event = Event::default().event(&row.kind).id(row.seq.to_string());
    // Text and numbers are always JSON.
    event.json_data(news).unwrap_or_default()
}

/// Events, with a note of when they were last asked for.
pub(crate) struct Asked<S> {
    events: Pin<Box<S>>,
    listener: Arc<Listener>,
}

impl<S> Asked<S> {
    /// Notes it at `listener`.
    pub(crate) fn new(events: S, listener: Arc<Listener>) -> Self {
        Self { events: Box::pin(events), listener }
    }
}

impl<S: Stream> Stream for Asked<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.listener.asked();
        self.events.as_mut().poll_next(context)
    }
}
