//! Who listens in this process, and what wakes them.

use std::{
    collections::HashMap,
    fmt::{self, Display},
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use segue_api::Code;
use segue_domain::{PairingId, UserId};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{Announced, Bounds};
use crate::failure::Failure;

/// Topics that other processes are told about at once; who is beyond them hears of it by the poll.
const HINTS_MAX: usize = 1_000;

/// What a stream is about. Each has numbers that only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// The handoffs of an account.
    Account(UserId),
    /// One pairing.
    Pairing(PairingId),
}

impl Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => id.fmt(formatter),
            Self::Pairing(id) => id.fmt(formatter),
        }
    }
}

/// A text that names no topic.
#[derive(Debug)]
pub(crate) struct NoTopic;

impl FromStr for Topic {
    type Err = NoTopic;

    fn from_str(text: &str) -> Result<Self, NoTopic> {
        let account = text.parse().map(Self::Account);
        account.or_else(|_| text.parse().map(Self::Pairing)).map_err(|_| NoTopic)
    }
}

/// The live streams of this process.
#[derive(Debug, Default)]
pub struct News {
    streams: Arc<Mutex<Streams>>,
    pub(super) hints: Hints,
    pub(crate) closing: CancellationToken,
}

#[derive(Debug, Default)]
struct Streams {
    of: HashMap<Topic, HashMap<u64, Arc<Listener>>>,
    count: usize,
    last: u64,
}

/// What other processes are to be told: the newest number of each topic.
#[derive(Debug, Default)]
pub(super) struct Hints {
    pub(super) waiting: Mutex<HashMap<Topic, i64>>,
    pub(super) some: Notify,
}

/// One stream, as those see it who wake and end it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(super) topic: Topic,
    /// The bearer token that has to stay valid, if it came with one.
    pub(super) token: Option<[u8; 32]>,
    newest: watch::Sender<i64>,
    /// Ends the stream.
    pub(crate) ended: CancellationToken,
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

    pub(crate) fn newest(&self) -> watch::Receiver<i64> {
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
pub(crate) struct Place {
    topic: Topic,
    number: u64,
    streams: Arc<Mutex<Streams>>,
    pub(crate) listener: Arc<Listener>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = lock(&self.streams);
        streams.count -= 1;
        if let Some(own) = streams.of.get_mut(&self.topic) {
            own.remove(&self.number);
            // Topics that nobody listens to must not pile up.
            if own.is_empty() {
                streams.of.remove(&self.topic);
            }
        }
    }
}

impl News {
    /// Wakes who listens here, and has the other processes told. Only after the commit.
    pub(crate) fn tell(&self, announced: Announced) {
        for (topic, newest) in announced.0 {
            self.advance(topic, newest);
            let mut waiting = lock(&self.hints.waiting);
            if waiting.len() < HINTS_MAX || waiting.contains_key(&topic) {
                let known = waiting.entry(topic).or_default();
                *known = newest.max(*known);
            }
            self.hints.some.notify_one();
        }
    }

    /// News of a topic up to this number may be there.
    pub(super) fn advance(&self, topic: Topic, newest: i64) {
        for listener in lock(&self.streams).of.get(&topic).into_iter().flat_map(HashMap::values) {
            listener.advance(newest);
        }
    }

    /// Takes a place for a stream.
    pub(crate) fn enter(
        &self,
        topic: Topic,
        token: Option<[u8; 32]>,
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
        if streams.of.get(&topic).map_or(0, HashMap::len) >= bounds.per_account {
            let (what, way_out) = match topic {
                Topic::Account(_) => ("An account", "End one of them: segue handoffs watch."),
                Topic::Pairing(_) => ("A pairing", "Make a new code."),
            };
            let title = format!("{what} has at most {} live streams.", bounds.per_account);
            return Err(Failure::later(Code::RateLimited, title, 60).or(way_out));
        }
        let listener = Arc::new(Listener {
            topic,
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
        streams.of.entry(topic).or_default().insert(number, Arc::clone(&listener));
        Ok(Place { topic, number, streams: Arc::clone(&self.streams), listener })
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
