//! A way between a client and a server that remembers every byte of it, and may change what the server answers.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context as _, Result};

type Bytes = Arc<Mutex<Vec<u8>>>;
/// Changes some bytes of an answer without changing their number.
type Tamper = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// A recording relay on a port of its own.
pub(crate) struct Recorder {
    url: String,
    sent: Bytes,
    answered: Bytes,
}

impl Recorder {
    /// Relays to the server at `url`.
    pub(crate) fn start(url: &str) -> Result<Self> {
        Self::tampering(url, |_| ())
    }

    /// Relays to the server at `url` and changes its answers.
    pub(crate) fn tampering(url: &str, tamper: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Result<Self> {
        let (tamper, honest): (Tamper, Tamper) = (Arc::new(tamper), Arc::new(|_| ()));
        let target = url.strip_prefix("http://").context("not a plain http server")?.trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let relay = Self {
            url: format!("http://{}", listener.local_addr()?),
            sent: Bytes::default(),
            answered: Bytes::default(),
        };
        let (sent, answered) = (Arc::clone(&relay.sent), Arc::clone(&relay.answered));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                if let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) {
                    pass(from_client, to_server, Arc::clone(&sent), Arc::clone(&honest));
                    pass(server, client, Arc::clone(&answered), Arc::clone(&tamper));
                }
            }
        });
        Ok(relay)
    }

    /// Where clients connect.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// All that was sent and all that was answered so far.
    pub(crate) fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let copy = |bytes: &Bytes| bytes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (copy(&self.sent), copy(&self.answered))
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, record: Bytes, tamper: Tamper) {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            tamper(&mut buffer[..count]);
            record.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        // The other side may be gone already.
        drop(to.shutdown(Shutdown::Write));
    });
}
