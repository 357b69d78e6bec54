//! A live stream of one pairing: first how it stands, then how it stands after each change. Nothing is numbered for a client:
//! who comes back is told how it stands.

use std::{convert::Infallible, sync::Arc};

use axum::response::sse::Event;
use futures::{Stream, stream};
use segue_api::pairings::PAIRING;
use segue_domain::PairingId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::seen::{Side, see};
use crate::{
    app::App,
    failure::Failure,
    news::{Asked, COME_BACK, Place, Topic},
};

/// Listens to a pairing as `side`; `token` is the hash of the bearer token that has to stay valid.
pub(crate) async fn listen(
    app: Arc<App>,
    id: PairingId,
    side: Side,
    token: Option<[u8; 32]>,
    hang_up: CancellationToken,
) -> Result<impl Stream<Item = Result<Event, Infallible>> + Send + 'static, Failure> {
    // Whether one may listen at all, before a place is taken.
    see(&app, id, &side).await?;
    let place = app.news.enter(Topic::Pairing(id), token, hang_up, &app.settings.news)?;
    let (newest, listener) = (place.listener.newest(), Arc::clone(&place.listener));
    let reader = Reader { app, id, side, place, newest, told: 0, gave: false, over: false };
    let events = stream::unfold(reader, |mut reader| async move { Some((Ok(reader.next().await?), reader)) });
    Ok(Asked::new(events, listener))
}

struct Reader {
    app: Arc<App>,
    id: PairingId,
    side: Side,
    place: Place,
    newest: watch::Receiver<i64>,
    /// The version that was told last.
    told: i64,
    /// Whether the view was sent: it is the same for as long as it is there, and 88 KB long.
    gave: bool,
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
            self.newest.mark_unchanged();
            match see(&self.app, self.id, &self.side).await {
                Ok(mut seen) if seen.version > self.told => {
                    self.told = seen.version;
                    let given = seen.release.is_some();
                    seen.release = seen.release.filter(|_| !self.gave);
                    self.gave |= given;
                    // After these nothing follows.
                    self.over = matches!(seen.state.as_str(), "revoked" | "expired");
                    // Text and numbers are always JSON.
                    return Some(Event::default().event(PAIRING).json_data(seen).unwrap_or_default());
                }
                Ok(_) => {}
                Err(Failure::Refused(_)) => return None,
                Err(error) => {
                    tracing::warn!(error = format!("{error:?}"), "a pairing cannot be read");
                    return Some(self.send_away());
                }
            }
            tokio::select! {
                // The sender is in the place: this cannot fail.
                _ = self.newest.changed() => {}
                () = self.place.listener.ended.cancelled() => {}
                () = self.app.news.closing.cancelled() => {}
            }
        }
    }

    /// The last event: when to come back.
    fn send_away(&mut self) -> Event {
        self.over = true;
        Event::default().retry(COME_BACK)
    }
}
