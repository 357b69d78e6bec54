//! How long a request may take: its body as long as it keeps coming, and the rest of it a time.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use segue_api::Code;
use segue_domain::limits::{BODY_IDLE_SECONDS_MAX, REQUEST_SECONDS_MAX};
use tokio::{sync::watch, time::Instant};

use crate::failure::Failure;

/// Bytes a second that a body comes with at least, on average after the first seconds: the slowest mobile line has them, and one
/// byte now and then keeps no place. The largest body then takes half an hour.
const BODY_BYTES_PER_SECOND_MIN: u64 = 8 * 1024;

/// What a request may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Without its body.
    pub(crate) request: Duration,
    /// Without a byte of its body.
    pub(crate) body_idle: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(REQUEST_SECONDS_MAX),
            body_idle: Duration::from_secs(BODY_IDLE_SECONDS_MAX),
        }
    }
}

/// The time of one request. It stands still while the body is read, which has its own bounds.
#[derive(Clone)]
pub(super) struct Timer {
    times: Times,
    reading: watch::Sender<bool>,
}

impl Default for Timer {
    fn default() -> Self {
        Self { times: Times::default(), reading: watch::Sender::new(false) }
    }
}

impl Timer {
    /// Begins to read the body.
    pub(super) fn body(self) -> Pace {
        self.reading.send_replace(true);
        Pace { begun: Instant::now(), came: 0, timer: self }
    }

    /// Ends when the request has taken too long.
    async fn over(&self) {
        let mut reading = self.reading.subscribe();
        loop {
            // The sender is here: neither wait can fail.
            reading.wait_for(|reading| !reading).await.map(drop).unwrap_or_default();
            let began = reading.wait_for(|reading| *reading);
            if tokio::time::timeout(self.times.request, began).await.is_err() {
                return;
            }
        }
    }
}

/// How fast a body comes.
pub(super) struct Pace {
    timer: Timer,
    begun: Instant,
    came: u64,
}

impl Pace {
    /// Waits for more of the body.
    pub(super) async fn of<T>(&self, more: impl Future<Output = T>) -> Result<T, Failure> {
        let idle = self.timer.times.body_idle;
        // A byte now and then would keep a place for days.
        let by_now = self.begun + idle + Duration::from_secs(self.came / BODY_BYTES_PER_SECOND_MIN);
        tokio::time::timeout_at(by_now.min(Instant::now() + idle), more).await.map_err(|_| {
            let title = format!(
                "The body stalled for {} seconds, or came slower than {BODY_BYTES_PER_SECOND_MIN} bytes a second.",
                idle.as_secs()
            );
            Failure::later(Code::Unavailable, title, 1)
        })
    }

    /// So many bytes came.
    pub(super) fn came(&mut self, bytes: usize) {
        self.came += bytes as u64;
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.timer.reading.send_replace(false);
    }
}

/// Ends a request that takes too long; what it had begun in the database is undone.
pub(super) async fn limit(State(times): State<Times>, mut request: Request, next: Next) -> Response {
    let own = Timer { times, ..Timer::default() };
    request.extensions_mut().insert(own.clone());
    tokio::select! {
        response = next.run(request) => response,
        () = own.over() => {
            let title = format!("The request took longer than {} seconds.", times.request.as_secs());
            Failure::later(Code::Unavailable, title, 1).into_response()
        }
    }
}
