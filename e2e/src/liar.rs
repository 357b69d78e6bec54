//! A server that lies about pairings: it stands before the real one, understands what passes, and changes it by a rule.
//!
//! Everything that passes is shown to the rule: what is asked, what is answered, and each event of a live stream by itself.
//! Without a rule it is honest.

mod passing;
mod streaming;

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::Result;
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::State,
    http::{HeaderMap, Request, StatusCode, header},
    response::Response,
};

pub use passing::{Fate, Passing, Side, Step, Way};

/// Longest body that is read: far above what tests send.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What becomes of what passes.
pub type Rule = Box<dyn FnMut(&mut Passing) -> Fate + Send>;

/// A lying server, for as long as the process runs.
#[derive(Clone)]
pub struct Liar {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    target: String,
    http: reqwest::Client,
    rule: Mutex<Option<Rule>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    steps: Vec<(Side, Step)>,
    bytes: Vec<u8>,
}

impl Liar {
    /// One before the server at `target`, on a port of its own. It is honest.
    pub fn start(target: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let target = target.trim_end_matches('/').to_owned();
        let shared = Arc::new(Shared { target, http, rule: Mutex::default(), seen: Mutex::default() });
        let routes = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || {
            runtime.block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener)?, routes).await })
        });
        Ok(Self { url, shared })
    }

    /// Where clients connect.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lies by this rule from now on; what was seen before is forgotten.
    pub fn lie(&self, rule: impl FnMut(&mut Passing) -> Fate + Send + 'static) {
        *lock(&self.shared.seen) = Seen::default();
        *lock(&self.shared.rule) = Some(Box::new(rule));
    }

    /// Lies no more.
    pub fn be_honest(&self) {
        *lock(&self.shared.rule) = None;
    }

    /// How often this was asked for since it began to lie.
    pub fn count(&self, side: Side, step: Step) -> usize {
        lock(&self.shared.seen).steps.iter().filter(|seen| **seen == (side, step)).count()
    }

    /// Everything that it was sent since it began to lie.
    pub fn bytes(&self) -> Vec<u8> {
        lock(&self.shared.seen).bytes.clone()
    }
}

impl Shared {
    fn judge(&self, passing: &mut Passing) -> Fate {
        lock(&self.rule).as_mut().map_or(Fate::Pass, |rule| rule(passing))
    }

    fn see(&self, asked: &Passing) {
        let mut seen = lock(&self.seen);
        seen.steps.push((asked.side, asked.step));
        seen.bytes.extend_from_slice(asked.path.as_bytes());
        seen.bytes.extend_from_slice(&asked.body);
    }
}

/// A test that failed while it held the lock has left what it guards whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    // Whoever reads an answer that never comes is told that the connection has ended.
    answer(&shared, request).await.unwrap_or_else(|_| cut())
}

async fn answer(shared: &Arc<Shared>, request: Request<Body>) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let mut headers = parts.headers;
    let mut asked = Passing::asked(&parts.method, path, &headers, to_bytes(body, BODY_BYTES_MAX).await?.to_vec());
    shared.see(&asked);
    match shared.judge(&mut asked) {
        Fate::Pass => {}
        Fate::Say(status, value) => return said(status, value.to_string().into_bytes()),
        Fate::Cut | Fate::Swallow | Fate::Repeat => return Ok(cut()),
    }
    for name in [header::HOST, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    if asked.as_stranger {
        headers.remove(header::AUTHORIZATION);
    }
    let url = format!("{}{}", shared.target, asked.path);
    let request = shared.http.request(parts.method, url).headers(headers).body(std::mem::take(&mut asked.body));
    let response = request.send().await?;
    if asked.step == Step::Live && response.status() == StatusCode::OK {
        return Ok(streaming::pass(Arc::clone(shared), asked, response));
    }
    let (status, headers) = (response.status(), response.headers().clone());
    let mut answered = Passing { way: Way::Answered, status: status.as_u16(), ..asked };
    answered.body = response.bytes().await?.to_vec();
    match shared.judge(&mut answered) {
        Fate::Pass => Ok(rebuilt(answered, headers)?),
        Fate::Say(status, value) => said(status, value.to_string().into_bytes()),
        Fate::Cut | Fate::Swallow | Fate::Repeat => Ok(cut()),
    }
}

fn rebuilt(answered: Passing, mut headers: HeaderMap) -> Result<Response> {
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let mut response = Response::new(Body::from(answered.body));
    *response.status_mut() = StatusCode::from_u16(answered.status)?;
    *response.headers_mut() = headers;
    Ok(response)
}

fn said(status: u16, body: Vec<u8>) -> Result<Response> {
    let json = [(header::CONTENT_TYPE, "application/json".parse()?)];
    rebuilt(Passing { status, body, ..Passing::default() }, json.into_iter().collect())
}

/// An answer that breaks off.
fn cut() -> Response {
    let broken = futures::stream::iter([Err::<Bytes, _>(io::Error::other("cut"))]);
    Response::new(Body::from_stream(broken))
}
