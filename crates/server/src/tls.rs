//! TLS from a certificate and a key in files. Renewed files count from the next connection on; those that are open go on
//! (SPEC A6).

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use anyhow::Context as _;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::sync::Mutex;
use tokio_rustls::TlsAcceptor;

/// A certificate and its key, as their files are now.
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    /// What the files were when they were read, whatever came of it.
    stamps: [Stamp; 2],
}

/// A file's time, length and number; none when it is not there.
type Stamp = Option<(SystemTime, u64, u64)>;

impl Certificate {
    /// Reads both files.
    pub fn open(chain: &Path, key: &Path) -> anyhow::Result<Self> {
        let stamps = [stamp(chain), stamp(key)];
        let current = Current { acceptor: read(chain, key)?, stamps };
        Ok(Self { chain: chain.to_owned(), key: key.to_owned(), current: Mutex::new(current) })
    }

    /// What the next connection is accepted with. Files that changed and cannot be used leave the ones before in force; that
    /// is logged once.
    pub(crate) async fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        let mut current = self.current.lock().await;
        let (files, before) = (Arc::clone(self), current.stamps);
        let looked = tokio::task::spawn_blocking(move || {
            let stamps = [stamp(&files.chain), stamp(&files.key)];
            (stamps != before).then(|| (stamps, read(&files.chain, &files.key)))
        });
        match looked.await {
            Ok(Some((stamps, Ok(acceptor)))) => {
                *current = Current { acceptor, stamps };
                tracing::info!("the certificate was read again");
            }
            Ok(Some((stamps, Err(error)))) => {
                current.stamps = stamps;
                tracing::error!(error = format!("{error:#}"), "the new certificate cannot be used, the old one stays");
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the certificate's files cannot be looked at"),
        }
        current.acceptor.clone()
    }
}

fn stamp(file: &Path) -> Stamp {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

fn read(chain: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read the certificate {}", chain.display()))?;
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| format!("cannot read the key {}", key.display()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .context("the certificate and the key do not belong together")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
