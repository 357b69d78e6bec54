//! What a running server is made of. The machine's clock and randomness come in here and nowhere else.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use segue_domain::{Clock, Plan, Timestamp, limits};
use tokio::sync::Notify;

use crate::{
    config::SignUp,
    connections::Bounds,
    mail::Post,
    metrics::Metrics,
    news::{self, News},
    packs::Packs,
    principal::Principal,
    proxies::Proxies,
    rates::Rates,
    store::Db,
};

/// Fills a buffer with random bytes.
pub type Random = Box<dyn Fn(&mut [u8]) -> anyhow::Result<()> + Send + Sync>;

/// A server's parts.
pub struct App {
    /// Rows.
    pub db: Db,
    /// Sealed bytes.
    pub packs: Packs,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Random,
    /// What its operator chose.
    pub settings: Settings,
    /// What mails are sent with.
    pub post: Post,
    /// Who has asked how often.
    pub rates: Rates,
    /// What was counted for who watches the server.
    pub metrics: Arc<Metrics>,
    /// Who listens.
    pub news: News,
    /// Something sealed was deleted: it is to be nowhere on disk.
    pub scrubbing: Notify,
    /// The server's own 16 bytes, which stand in every key of a pairing.
    pub server_id: [u8; 16],
}

/// What an operator may choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The plan of everybody who has no other (SPEC T17).
    pub plan: Plan,
    /// Requests a minute for one device; one address without a valid token gets a fifth of it.
    pub requests_per_minute: u32,
    /// Who may sign up without being invited (SPEC A2).
    pub sign_up: SignUp,
    /// Time between two looks for mails that nothing announced; none leaves all of them to another process.
    pub mail_every: Option<Duration>,
    /// Proxies that are believed when they say for whom they ask.
    pub trusted_proxies: Proxies,
    /// Time between two sweeps.
    pub sweep_every: Duration,
    /// Time that open requests get when the server stops.
    pub drain: Duration,
    /// Time for one request other than a pack, without its body.
    pub request: Duration,
    /// Time without a byte of a body.
    pub body_idle: Duration,
    /// What connections may cost.
    pub connections: Bounds,
    /// How live connections are kept.
    pub news: news::Bounds,
    /// Longest lifetime of a pairing code, in seconds (SPEC D8).
    pub pairing_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plan: Plan::default(),
            requests_per_minute: limits::REQUESTS_PER_MINUTE,
            sign_up: SignUp::default(),
            mail_every: Some(Duration::from_secs(5)),
            trusted_proxies: Proxies::default(),
            sweep_every: Duration::from_secs(30),
            drain: Duration::from_secs(limits::DRAIN_SECONDS_MAX),
            request: Duration::from_secs(limits::REQUEST_SECONDS_MAX),
            body_idle: Duration::from_secs(limits::BODY_IDLE_SECONDS_MAX),
            connections: Bounds::default(),
            news: news::Bounds::default(),
            pairing_seconds: limits::PAIRING_SECONDS_DEFAULT,
        }
    }
}

impl App {
    /// Random bytes, for an id or a token.
    pub fn draw<const N: usize>(&self) -> anyhow::Result<[u8; N]> {
        let mut bytes = [0; N];
        (self.random)(&mut bytes).context("the machine gives no random bytes")?;
        Ok(bytes)
    }

    /// The plan that counts for somebody.
    pub fn plan(&self, principal: &Principal) -> Plan {
        principal.plan.unwrap_or(self.settings.plan)
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl SystemClock {
    /// The time that files are dated by.
    pub fn system_time() -> std::time::SystemTime {
        #[expect(clippy::disallowed_methods, reason = "the one place where the server asks the machine for the time")]
        std::time::SystemTime::now()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = Self::system_time().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The machine's randomness.
pub fn system_random() -> Random {
    Box::new(|bytes| getrandom::fill(bytes).map_err(|error| anyhow::anyhow!("{error}")))
}
