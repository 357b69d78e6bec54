//! A model server on this machine that speaks the Anthropic Messages API and answers by script.
//!
//! Markers in the last user text choose the answer: `[[tool:NAME:{json}]]` and `[[tool:Bash:command]]` call a tool,
//! `[[think]]` puts a signed thinking block first, anything else is answered with text that quotes it.

mod answer;
mod routes;
mod stream;

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::sync::oneshot;

/// A running stub. It stops when it is dropped.
pub struct ModelStub {
    url: String,
    seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl ModelStub {
    /// Starts a stub on a free port of 127.0.0.1, in a thread of its own, so that plain tests can use it.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let seen = Arc::new(Seen::default());
        let routes = routes::of(Arc::clone(&seen));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::select! {
                ended = async { axum::serve(listener, routes).await } => ended,
                _ = stopped => Ok(()),
            }
        };
        let thread = thread::Builder::new().name("model-stub".to_owned()).spawn(move || runtime.block_on(serve))?;
        Ok(Self { url, seen, stop: Some(stop), thread: Some(thread) })
    }

    /// Its address, for `ANTHROPIC_BASE_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bodies of all `POST /v1/messages` since the start or the last [`clear`](Self::clear), in order.
    pub fn requests(&self) -> Vec<Value> {
        self.seen.requests().clone()
    }

    /// Forgets the requests seen so far.
    pub fn clear(&self) {
        self.seen.requests().clear();
    }
}

impl Drop for ModelStub {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// What the stub has seen, shared between the test and the stub's thread.
#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<Value>>,
}

impl Seen {
    /// A test that failed while it held the lock has left the list whole.
    fn requests(&self) -> MutexGuard<'_, Vec<Value>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An id with this prefix that no other answer of any stub of this test run has.
fn unique(prefix: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{prefix}_stub_{:x}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
