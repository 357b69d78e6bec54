//! Connections, from the moment they are accepted: each has its place, and none stays that asks for nothing.

use std::{
    pin::pin,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use segue_domain::limits;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    answering::{Answering, Clients, HangUp},
    listen::{self, Transport},
    metrics::Open,
    places::{Place, Places},
    proxies::Proxies,
};

/// Bytes of one HTTP/2 request that may be under way: 10 MB a second over a line of 100 ms.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of one HTTP/2 connection that may be under way: an upload that waits for the disk does not hold up what else is asked on
/// the same connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 * STREAM_WINDOW_BYTES;

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Time for the TLS handshake, then until the head of the first request is there; and to leave when told to.
    pub head: Duration,
    /// Time without any request.
    pub idle: Duration,
    /// Connections in all.
    pub all: usize,
    /// Connections of one address.
    pub per_address: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(limits::HEAD_SECONDS_MAX),
            idle: Duration::from_secs(limits::IDLE_SECONDS_MAX),
            all: limits::CONNECTIONS_MAX,
            per_address: limits::ADDRESS_CONNECTIONS_MAX,
        }
    }
}

/// Answers connections until `shutdown`, then waits for `drain` until open requests have ended, and cuts what is left.
pub(crate) async fn serve(mut listener: TcpListener, attendant: Attendant, drain: Duration) {
    let places = Arc::new(Places::new(attendant.bounds.all, attendant.bounds.per_address));
    let mut running = JoinSet::new();
    loop {
        let (tcp, peer, permit) = tokio::select! {
            () = attendant.shutdown.cancelled() => break,
            // What has ended is forgotten.
            Some(_) = running.join_next() => continue,
            accepted = async {
                let permit = places.free().await;
                let (tcp, peer) = listen::accept(&mut listener).await;
                (tcp, peer, permit)
            } => accepted,
        };
        // A proxy brings everybody: of those behind it each has their own share.
        let is_proxy = attendant.proxies.include(peer.0.ip());
        let Some(place) = (if is_proxy { Some(Place::of_proxy(permit)) } else { places.take(permit, peer.0.ip()) })
        else {
            tracing::debug!("an address has all the connections that one may have");
            continue;
        };
        let clients = Clients { peer, proxies: Arc::clone(&attendant.proxies), places: Arc::clone(&places) };
        running.spawn(attendant.clone().attend(tcp, clients, place));
    }
    drop(listener);
    let all = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(drain, all).await.is_err() {
        tracing::warn!("requests that did not end in time were cut");
        running.shutdown().await;
    }
}

/// Attends to one connection; each has its own.
#[derive(Clone)]
pub(crate) struct Attendant {
    pub(crate) router: Router,
    pub(crate) transport: Transport,
    pub(crate) bounds: Bounds,
    pub(crate) proxies: Arc<Proxies>,
    /// Counts those that are attended to.
    pub(crate) open: Arc<AtomicUsize>,
    pub(crate) shutdown: CancellationToken,
}

impl Attendant {
    async fn attend(self, tcp: TcpStream, clients: Clients, place: Place) {
        let counted = Open::new(&self.open);
        match &self.transport {
            Transport::Plain => self.talk(tcp, clients).await,
            Transport::Tls(certificate) => {
                match tokio::time::timeout(self.bounds.head, async { certificate.acceptor().await.accept(tcp).await })
                    .await
                {
                    Ok(Ok(tls)) => self.talk(tls, clients).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                }
            }
        }
        drop((counted, place));
    }

    async fn talk<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, io: I, clients: Clients) {
        let Bounds { head, idle, .. } = self.bounds;
        let requests = watch::Sender::new(0);
        let mut open = requests.subscribe();
        let hang_up = HangUp(CancellationToken::new());
        let service = Answering::new(self.router.clone(), clients, requests, hang_up.clone());
        let service = TowerToHyperService::new(service);
        let builder = protocol();
        let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
        tokio::select! {
            ended = connection.as_mut() => return note(ended),
            spoke = quiet(&mut open, head, idle) => if !spoke { return },
            () = hang_up.0.cancelled() => return,
            () = self.shutdown.cancelled() => {}
        }
        // Over HTTP/2 this says which requests are still answered, so a client can send any other again elsewhere.
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection.as_mut() => note(ended),
            _ = quiet(&mut open, head, head) => {}
            () = hang_up.0.cancelled() => {}
        }
    }
}

/// Ends when no request is open for `first`, or for `later` after one; says whether there was one.
///
/// Requests are what counts, not bytes: pings, and a head that comes byte by byte, keep no connection. That is why hyper's
/// own header timeout is not used: it also runs between the requests of a connection, where `later` is right, and neither
/// while the protocol is being found out nor over HTTP/2.
async fn quiet(open: &mut watch::Receiver<usize>, first: Duration, later: Duration) -> bool {
    let (mut spoke, mut limit) = (false, first);
    loop {
        let none = *open.borrow_and_update() == 0;
        let changed = open.changed();
        let changed = if none { tokio::time::timeout(limit, changed).await } else { Ok(changed.await) };
        match changed {
            Ok(Ok(())) => (spoke, limit) = (true, later),
            // The connection is gone.
            Ok(Err(_)) => std::future::pending().await,
            Err(_) => return spoke,
        }
    }
}

/// HTTP/1.1 and HTTP/2, as the client likes.
fn protocol() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // A client whose network has gone never says so: it is found out by its silence.
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(Duration::from_secs(limits::PING_SECONDS))
        .keep_alive_timeout(Duration::from_secs(limits::PONG_SECONDS_MAX));
    builder
}

fn note<E: std::fmt::Debug>(ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!(?error, "a connection broke");
    }
}
