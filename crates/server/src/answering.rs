//! The service of one connection: the router, told where requests come from, and a count of those that are open.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    BoxError, Router,
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, Request},
    response::Response,
};
use futures::future::BoxFuture;
use http_body_util::BodyExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::{listen::Peer, places::Places, proxies::Proxies};

/// Who asks on a connection: one client, or those of a proxy.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) peer: Peer,
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) places: Arc<Places>,
}

/// Marks the request of an address that has as many open as it may.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crowded;

/// Cuts the connection that a request came by: for an answer that its client does not take.
#[derive(Debug, Clone)]
pub(crate) struct HangUp(pub(crate) CancellationToken);

/// The router as one connection sees it.
#[derive(Clone)]
pub(crate) struct Answering {
    router: Router,
    clients: Clients,
    open: watch::Sender<usize>,
    hang_up: HangUp,
}

impl Answering {
    /// Counts in `open` the requests whose answer has not been sent whole; any of them may `hang_up`.
    pub(crate) fn new(router: Router, clients: Clients, open: watch::Sender<usize>, hang_up: HangUp) -> Self {
        Self { router, clients, open, hang_up }
    }
}

/// One open request.
struct Open(watch::Sender<usize>);

impl Open {
    fn new(open: &watch::Sender<usize>) -> Self {
        open.send_modify(|count| *count += 1);
        Self(open.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl<B> Service<Request<B>> for Answering
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let open = Open::new(&self.open);
        let mut request = request.map(Body::new);
        let Clients { peer, proxies, places } = &self.clients;
        let mut share = None;
        let mut client = *peer;
        if proxies.include(peer.0.ip()) {
            client.0.set_ip(proxies.client(peer.0.ip(), request.headers()));
            share = places.share(client.0.ip());
            if share.is_none() {
                request.extensions_mut().insert(Crowded);
            }
        }
        request.extensions_mut().insert(ConnectInfo(client));
        request.extensions_mut().insert(self.hang_up.clone());
        let answer = self.router.call(request);
        Box::pin(async move {
            // The request is open until its body is dropped; this adapter keeps the body's length as it is.
            Ok(answer.await?.map(|body| {
                Body::new(body.map_err(move |error| {
                    let _held = (&open, &share);
                    error
                }))
            }))
        })
    }
}
