//! Who listens in this process, and what wakes them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use segue_api::Code;
use segue_domain::UserId;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{Announced, Bounds};
use crate::failure::Failure;

/// Accounts that other processes are told about at once; who is beyond them hears of it by the poll.
const HINTS_MAX: usize = 1_000;

/// The live streams of this process.
#[derive(Debug, Default)]
pub struct News {
    streams: Arc<Mutex<Streams>>,
    pub(super) hints: Hints,
    pub(super) closing: CancellationToken,
}

#[derive(Debug, Default)]
struct Streams {
    of: HashMap<UserId, HashMap<u64, Arc<Listener>>>,
    count: usize,
    last: u64,
}

/// What other processes are to be told: the newest number of each account.
#[derive(Debug, Default)]
pub(super) struct Hints {
    pub(super) waiting: Mutex<HashMap<UserId, i64>>,
    pub(super) some: Notify,
}

/// One stream, as those see it who wake and end it.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) token: [u8; 32],
    newest: watch::Sender<i64>,
    /// Ends the stream.
    pub(super) ended: CancellationToken,
    /// Cuts its connection, which takes nothing any more.
    hang_up: CancellationToken,
    begun: Instant,
    /// When it was last asked for more, in milliseconds after it began.
    asked_ms: AtomicU64,
}

impl Listener {
    /// Its connection asks for more, so it takes what is sent.
    pub(super) fn asked(&self) {
        let since = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.asked_ms.store(since, Ordering::Relaxed);
    }

    pub(super) fn newest(&self) -> watch::Receiver<i64> {
        self.newest.subscribe()
    }

    /// News up to this number may be there.
    pub(super) fn advance(&self, to: i64) {
        self.newest.send_if_modified(|newest| {
            let more = to > *newest;
            *newest = to.max(*newest);
            more
        });
    }

    /// Cuts its connection when nothing was taken for so long.
    pub(super) fn cut_if_stalled(&self, after: Duration) {
        let asked = self.begun + Duration::from_millis(self.asked_ms.load(Ordering::Relaxed));
        if asked.elapsed() >= after {
            tracing::debug!("a live stream took nothing for too long");
            self.hang_up.cancel();
        }
    }
}

/// A stream's place; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    user: UserId,
    number: u64,
    streams: Arc<Mutex<Streams>>,
    pub(super) listener: Arc<Listener>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = lock(&self.streams);
        streams.count -= 1;
        if let Some(own) = streams.of.get_mut(&self.user) {
            own.remove(&self.number);
            // Accounts that have left must not pile up.
            if own.is_empty() {
                streams.of.remove(&self.user);
            }
        }
    }
}

impl News {
    /// Wakes who listens here, and has the other processes told. Only after the commit.
    pub(crate) fn tell(&self, announced: Announced) {
        for (user, newest) in announced.0 {
            self.advance(user, newest);
            let mut waiting = lock(&self.hints.waiting);
            if waiting.len() < HINTS_MAX || waiting.contains_key(&user) {
                let known = waiting.entry(user).or_default();
                *known = newest.max(*known);
            }
            self.hints.some.notify_one();
        }
    }

    /// News of an account up to this number may be there.
    pub(super) fn advance(&self, user: UserId, newest: i64) {
        for listener in lock(&self.streams).of.get(&user).into_iter().flat_map(HashMap::values) {
            listener.advance(newest);
        }
    }

    /// Takes a place for a stream.
    pub(super) fn enter(
        &self,
        user: UserId,
        token: [u8; 32],
        hang_up: CancellationToken,
        bounds: &Bounds,
    ) -> Result<Place, Failure> {
        if self.closing.is_cancelled() {
            return Err(Failure::later(Code::Unavailable, "The server is stopping.", 1));
        }
        let mut streams = lock(&self.streams);
        if streams.count >= bounds.all {
            return Err(Failure::later(Code::Unavailable, "The server has all the live streams that it takes.", 60));
        }
        if streams.of.get(&user).map_or(0, HashMap::len) >= bounds.per_account {
            let title = format!("An account has at most {} live streams.", bounds.per_account);
            return Err(Failure::later(Code::RateLimited, title, 60).or("End one of them: segue handoffs watch."));
        }
        let listener = Arc::new(Listener {
            token,
            newest: watch::Sender::new(0),
            ended: CancellationToken::new(),
            hang_up,
            begun: Instant::now(),
            asked_ms: AtomicU64::new(0),
        });
        streams.count += 1;
        streams.last += 1;
        let number = streams.last;
        streams.of.entry(user).or_default().insert(number, Arc::clone(&listener));
        Ok(Place { user, number, streams: Arc::clone(&self.streams), listener })
    }

    /// How many streams there are.
    pub fn count(&self) -> usize {
        lock(&self.streams).count
    }

    /// Everybody who listens.
    pub(super) fn all(&self) -> Vec<Arc<Listener>> {
        lock(&self.streams).of.values().flat_map(HashMap::values).map(Arc::clone).collect()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
