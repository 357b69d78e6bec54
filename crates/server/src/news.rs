//! Live news: what happens to one's handoffs, as it happens (`docs/protocol.md` §5, News).
//!
//! ```text
//! a transaction ▶ announce ▶ rows ─commit─▶ tell ─┬▶ the streams of this process ▶ each reads its rows
//!                                                └▶ one NOTIFY for many ─▶ the other processes of this database
//! ```
//!
//! The rows are the truth, and a stream is a cursor into those of its account. What wakes a stream is only a hint, so
//! nothing is lost with one: [`run`] looks for all streams of the process every second, and whether their tokens are still valid.

mod announcing;
mod listeners;
mod polling;
mod relaying;
mod stream;

use std::time::Duration;

use segue_domain::limits;

use crate::{app::App, failure::Failure, store};
pub(crate) use announcing::{Announced, Parties, announce, announce_device};
pub use listeners::News;
pub(crate) use listeners::{Place, Topic};
pub use polling::run;
pub(crate) use stream::{Asked, Begin, COME_BACK, begin};

/// How live connections are kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Time between two looks for what nothing hinted at, and for tokens that ended.
    pub poll: Duration,
    /// Time between two comments on a silent stream.
    pub heartbeat: Duration,
    /// Time in which a stream takes nothing before its connection is cut.
    pub stalled: Duration,
    /// Streams in all.
    pub all: usize,
    /// Streams of one account.
    pub per_account: usize,
    /// Whether this process hears hints of others; they only make news faster.
    pub hears_others: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(limits::NEWS_POLL_MS),
            heartbeat: Duration::from_secs(limits::HEARTBEAT_SECONDS),
            stalled: Duration::from_secs(limits::STALLED_SECONDS_MAX),
            all: limits::LIVE_STREAMS_MAX,
            per_account: limits::ACCOUNT_STREAMS_MAX,
            hears_others: true,
        }
    }
}

/// Drops news that nobody is expected to come back for, of `round` accounts at a time.
pub async fn forget(app: &App, round: i64) -> Result<(), Failure> {
    let before = app.clock.now().plus_millis(-3_600_000 * i64::from(limits::NEWS_HOURS));
    loop {
        let mut tx = app.db.begin().await?;
        let accounts = store::news::delete_older(&mut tx, before, round).await?;
        tx.commit().await?;
        if accounts == 0 {
            return Ok(());
        }
    }
}
