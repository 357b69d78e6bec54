//! The typed client of `segue-api`: the only module that knows the network.
//!
//! Every changing request carries an Idempotency-Key, so a request whose answer was lost is simply sent again: at most
//! `ATTEMPTS_MAX` times, and only when the way to the server failed.

mod devices;
mod live;
mod packs;
mod pairings;
mod projects;
mod routes;
mod stream;
mod teams;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header, header::HeaderValue};
use segue_api::{Code, IDEMPOTENCY_KEY, Problem, devices::DEVICE_EVENTS, pairings::PAIRING_TOKEN};
use segue_signed::{Parcel, parcel};
use serde::{Serialize, de::DeserializeOwned};
use tokio::runtime::Runtime;
use url::Url;

pub use self::{
    live::{Heard, Live},
    packs::{Place, same_bytes},
    pairings::LivePairing,
};
use crate::{
    account::Account,
    base64url,
    environment::random,
    error::{CliError, Exit, Result, of_code},
    home::Home,
};

/// How often one request is sent when the way to the server fails.
const ATTEMPTS_MAX: u32 = 3;
/// Time to reach the server.
const CONNECT_SECONDS_MAX: u64 = 10;
/// Time without a single byte from the server.
const SILENCE_SECONDS_MAX: u64 = 60;
/// Time for one request other than a pack, from its first byte to the answer's last.
const REQUEST_SECONDS_MAX: u64 = 300;
/// Longest JSON answer that is read: a page of envelopes fits.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Longest sentence of a refusal that is shown: a screen is not filled with what a server says.
const REFUSAL_CHARS_MAX: usize = 500;

/// The word of the error that says that this device must first follow what others of the account did.
pub const KEYS_CHANGED: &str = "keys_changed";

/// Refusals of what was made with keys that are not current.
const REFUSED_KEYS: [&str; 2] = ["stale_key", "unverified"];

fn keys_changed() -> CliError {
    CliError::new(Exit::Conflict, KEYS_CHANGED, "your account has changed on another device")
        .hint("Run the command again.")
}

/// The newest event of one's devices that any answer has named. A process is one command, and so has one.
static NEWEST_EVENT: AtomicI64 = AtomicI64::new(0);

/// The newest event of one's devices that any answer to this command has named.
pub fn newest_event() -> i64 {
    NEWEST_EVENT.load(Ordering::Relaxed)
}

/// A connection to one server, as one device or as nobody.
pub struct Remote {
    runtime: Arc<Runtime>,
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
    by_token: bool,
    /// What a pairing knows this client by, as headers.
    capabilities: Vec<(&'static str, HeaderValue)>,
    /// Number of the newest event of one's devices that is known here, for what needs current keys.
    known_events: Option<i64>,
    /// Whether anything was answered: what happens to one's devices while a command is under way is told after it.
    answered: AtomicBool,
}

impl Remote {
    /// A connection as the account that is signed in here. Connects with the first request. When the account has changed on another
    /// device, its first answer, if nothing was done by it, is [`KEYS_CHANGED`] instead,
    /// and so is a refusal of old keys.
    pub fn signed_in(account: &Account) -> Result<Self> {
        Ok(Self { known_events: Some(account.device_events), ..Self::following(account)? })
    }

    /// The same for what needs no keys, or follows what has changed.
    pub fn following(account: &Account) -> Result<Self> {
        Self::open(&account.server, Some(account.token().to_owned()))
    }

    /// A connection by the personal access token in `SEGUE_TOKEN`, to the server in `SEGUE_SERVER`; else as the account that is
    /// signed in here. For what needs no keys.
    ///
    /// # Errors
    /// [`Exit::NotSignedIn`] when there is neither; usage when there is a token and no server.
    pub fn caller(home: &Home) -> Result<Self> {
        let Some(token) = std::env::var("SEGUE_TOKEN").ok().filter(|token| !token.is_empty()) else {
            return Self::following(&Account::load(home)?);
        };
        let server = match std::env::var("SEGUE_SERVER") {
            Ok(server) => Url::parse(&server).ok(),
            Err(_) => Account::find(home)?.map(|account| account.server),
        };
        let server = server.ok_or_else(|| {
            CliError::usage("SEGUE_TOKEN is set, but no server")
                .hint("Set SEGUE_SERVER to its address, for example https://segue.example.com")
        })?;
        Ok(Self { by_token: true, ..Self::open(&server, Some(token))? })
    }

    /// Whether a personal access token asks, and no keys are here.
    pub fn is_by_token(&self) -> bool {
        self.by_token
    }

    /// A connection as nobody: to join, and for `doctor`.
    pub fn anonymous(server: &Url) -> Result<Self> {
        Self::open(server, None)
    }

    fn open(server: &Url, token: Option<String>) -> Result<Self> {
        let broken = |error: &dyn std::fmt::Display| {
            CliError::new(Exit::Error, "client", format!("the network client cannot start: {error}"))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let mut http = reqwest::Client::builder();
        if is_loopback(server) {
            // What stays on this machine goes past no proxy, which would see the token.
            http = http.no_proxy();
        }
        let http = http
            .user_agent(concat!("segue/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .read_timeout(Duration::from_secs(SILENCE_SECONDS_MAX))
            .build();
        Ok(Self {
            runtime: Arc::new(runtime.map_err(|error| broken(&error))?),
            http: http.map_err(|error| broken(&error))?,
            base: server.clone(),
            token,
            by_token: false,
            capabilities: Vec::new(),
            known_events: None,
            answered: AtomicBool::new(false),
        })
    }

    /// A connection as a destination: as `account`, if there is one on that server, and known by a token that was drawn for it.
    pub fn destination(server: &Url, account: Option<&Account>, token: &[u8; 32]) -> Result<Self> {
        let account = account.filter(|account| account.server == *server);
        let mut remote = Self::open(server, account.map(|account| account.token().to_owned()))?;
        remote.present(PAIRING_TOKEN, token);
        Ok(remote)
    }

    /// The same for another thread: what one of them waits for does not hold the other up, and they share their connections.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            runtime: Arc::clone(&self.runtime),
            http: self.http.clone(),
            base: self.base.clone(),
            token: self.token.clone(),
            by_token: self.by_token,
            capabilities: self.capabilities.clone(),
            known_events: self.known_events,
            answered: AtomicBool::new(self.answered.load(Ordering::Relaxed)),
        }
    }

    /// Presents a token in a header from now on.
    fn present(&mut self, header: &'static str, token: &[u8; 32]) {
        let value = HeaderValue::try_from(base64url::encode(token));
        let mut value = value.expect("base64url stands in a header");
        value.set_sensitive(true);
        self.capabilities.push((header, value));
    }

    /// Connects, so that the first request need not wait for it. That one says what is wrong, if something is.
    pub fn connect(&self) {
        self.runtime.block_on(async {
            if let Ok(request) = self.quick(Method::GET, "livez")
                && let Ok(response) = request.send().await
            {
                drop(read(response, ANSWER_BYTES_MAX).await);
            }
        });
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        let url = self.base.join(path).map_err(|_| CliError::usage("the server's address is not a URL"))?;
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.capabilities {
            request = request.header(*name, value);
        }
        Ok(request)
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        understand(&self.get_bytes(path, ANSWER_BYTES_MAX)?)
    }

    fn get_bytes(&self, path: &str, max: usize) -> Result<Vec<u8>> {
        self.run(|| self.quick(Method::GET, path), max)
    }

    /// A request that must not take long as a whole, however steadily its answer drips.
    fn quick(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        Ok(self.request(method, path)?.timeout(Duration::from_secs(REQUEST_SECONDS_MAX)))
    }

    fn send<B: Serialize>(&self, method: &Method, path: &str, body: &B) -> Result<Vec<u8>> {
        let body = serde_json::to_vec(body)
            .map_err(|error| CliError::new(Exit::Error, "client", format!("the request cannot be written: {error}")))?;
        self.send_bytes(method, path, "application/json", &body.into())
    }

    fn send_bytes(&self, method: &Method, path: &str, media_type: &str, body: &Bytes) -> Result<Vec<u8>> {
        let key = HEXLOWER.encode(&random::<16>()?);
        let build = || {
            let request = self.quick(method.clone(), path)?.header(IDEMPOTENCY_KEY, &key);
            Ok(request.header(header::CONTENT_TYPE, media_type).body(body.clone()))
        };
        self.run(build, ANSWER_BYTES_MAX)
    }

    fn put_parcel<T: DeserializeOwned>(&self, path: &str, parcel: &Parcel<'_>) -> Result<T> {
        understand(&self.send_bytes(&Method::PUT, path, parcel::MEDIA_TYPE, &parcel.encode().into())?)
    }

    fn post_parcel<T: DeserializeOwned>(&self, path: &str, parcel: &Parcel<'_>) -> Result<T> {
        understand(&self.send_bytes(&Method::POST, path, parcel::MEDIA_TYPE, &parcel.encode().into())?)
    }

    fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T> {
        understand(&self.send(&Method::POST, path, body)?)
    }

    /// Sends until the server answers, and reads its answer of at most `max` bytes.
    fn run(&self, build: impl Fn() -> Result<RequestBuilder>, max: usize) -> Result<Vec<u8>> {
        self.runtime.block_on(async {
            let mut attempt = 1;
            loop {
                match read(self.answer(&build).await?, max).await {
                    // The same request has the same key, and so the same answer.
                    Err(error) if error.code == "cut" && attempt < ATTEMPTS_MAX => attempt += 1,
                    read => return read,
                }
            }
        })
    }

    /// Sends until the server answers with success.
    async fn answer(&self, build: &impl Fn() -> Result<RequestBuilder>) -> Result<Response> {
        let mut attempt = 1;
        loop {
            let request = build()?.build().map_err(|error| self.unreachable(&error))?;
            let only_reads = request.method().is_safe();
            let answer = self.http.execute(request).await;
            let busy = answer.as_ref().is_ok_and(|response| is_away(response.status()));
            let lost =
                answer.as_ref().is_err_and(|error| error.is_connect() || error.is_timeout() || error.is_request());
            if attempt == ATTEMPTS_MAX || !(busy || lost) {
                let response = answer.map_err(|error| self.unreachable(&error))?;
                let behind = self.is_behind(&response);
                let first = !self.answered.swap(true, Ordering::Relaxed);
                if behind && first && (only_reads || response.status().is_client_error()) {
                    return Err(keys_changed());
                }
                if response.status().is_success() {
                    return Ok(response);
                }
                let error = refused(response).await;
                // What old keys may be the reason for.
                return Err(if behind && REFUSED_KEYS.contains(&error.code) { keys_changed() } else { error });
            }
            tokio::time::sleep(Duration::from_millis(200 << attempt)).await;
            attempt += 1;
        }
    }

    /// Notes what an answer says of one's devices, and whether that is more than is known.
    fn is_behind(&self, response: &Response) -> bool {
        let newest = response.headers().get(DEVICE_EVENTS).and_then(|newest| newest.to_str().ok()?.parse().ok());
        let newest = newest.unwrap_or_default();
        NEWEST_EVENT.fetch_max(newest, Ordering::Relaxed);
        self.known_events.is_some_and(|known| known < newest)
    }

    fn unreachable(&self, error: &reqwest::Error) -> CliError {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let host = self.base.host_str().unwrap_or_default();
        let cause = cause.to_string();
        let hint = if cause.contains("certificate") {
            "Check this machine's clock. Did an authority of your own sign the certificate? Name its file in SSL_CERT_FILE."
        } else {
            "Check the network and that the server runs, then try again: nothing is lost and nothing is done twice."
        };
        CliError::new(Exit::Network, "unreachable", format!("{host} cannot be reached: {cause}")).hint(hint)
    }
}

/// Whether the server, or a proxy in its place, says that it does not answer now.
fn is_away(status: StatusCode) -> bool {
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT)
}

/// Whether a server is on this machine.
pub fn is_loopback(server: &Url) -> bool {
    match server.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

async fn read(mut response: Response, max: usize) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cut(&error))? {
        if body.len() + chunk.len() > max {
            return Err(CliError::new(Exit::Network, "answer", "the server's answer is longer than it may be"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn cut(error: &reqwest::Error) -> CliError {
    CliError::new(Exit::Network, "cut", format!("the connection was cut: {error}")).hint("Run the command again.")
}

fn understand<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        CliError::new(Exit::Network, "answer", format!("the server's answer makes no sense: {error}"))
            .hint("Is this a Segue server, and not much newer than this program? See segue doctor.")
    })
}

/// What to do next, where the server's answer must not say more.
fn default_hint(code: Code) -> &'static str {
    match code {
        Code::NotFound => "Check the id: segue handoffs inbox, segue list.",
        Code::NotSignedIn => {
            "This device was removed from its account. To become one of its devices again: segue recover. What it has here stays here."
        }
        _ => "",
    }
}

/// The server's refusal in the words of the command line.
async fn refused(response: Response) -> CliError {
    let status = response.status();
    let wait = response.headers().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse::<u32>().ok());
    let body = read(response, 64 * 1024).await.unwrap_or_default();
    let Ok(problem) = serde_json::from_slice::<Problem>(&body) else {
        let hint = if is_away(status) {
            "The server is down or begins anew. Try again: nothing is lost and nothing is done twice."
        } else {
            "Something between here and the server answers in its place, or this is no Segue server."
        };
        return CliError::new(Exit::Network, "answer", format!("the server answered {status}")).hint(hint);
    };
    let (exit, code) = of_code(problem.code);
    let title = crate::untrusted::Untrusted(&problem.title).short(REFUSAL_CHARS_MAX);
    let mut hint = crate::untrusted::Untrusted(&problem.detail).short(REFUSAL_CHARS_MAX);
    if let (Code::RateLimited, Some(seconds)) = (problem.code, wait) {
        hint = format!("Try again in {seconds} seconds.");
    }
    if hint.is_empty() || problem.code == Code::NotSignedIn {
        default_hint(problem.code).clone_into(&mut hint);
    }
    CliError::new(exit, code, title).hint(hint)
}
