//! Packs on their way. A transfer that is cut goes on from where it was.

use std::{
    fmt::{self, Display},
    sync::Arc,
    time::Duration,
};

use data_encoding::HEXLOWER;
use futures::stream;
use reqwest::{Body, Method, Response, StatusCode, header};
use segue_api::{UPLOAD_COMPLETE, UPLOAD_OFFSET, bundles::Pack};
use segue_domain::{BundleId, PackId, PairingId};
use segue_signed::PackEntry;

use super::{Remote, cut, read, refused, understand};
use crate::{
    error::{CliError, Exit, Result},
    spool::{Spool, SpoolWriter},
};

/// How often a transfer is taken up again without a byte more than the time before.
const IDLE_ATTEMPTS_MAX: u32 = 5;
/// Longest answer to an upload, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Where a bundle is read.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// One that the account holds.
    Held(BundleId),
    /// That of a pairing.
    OfPairing(PairingId),
}

impl Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(id) => write!(formatter, "bundles/{id}"),
            Self::OfPairing(id) => write!(formatter, "pairings/{id}/bundle"),
        }
    }
}

impl Remote {
    /// Stores a pack while it is still being written; `sent` is told of each piece.
    ///
    /// # Errors
    /// Network, when nothing more arrives at the server. When the spool breaks, the error says only that.
    pub fn put_pack(
        &self,
        id: PackId,
        spool: &Arc<Spool>,
        sent: &(impl Fn(u64) + Clone + Send + 'static),
    ) -> Result<Pack> {
        self.runtime.block_on(async {
            let (mut offset, mut idle) = (0, 0);
            loop {
                let error = match self.put_from(id, spool, offset, sent.clone()).await {
                    Err(error) if !spool.is_broken() && may_pass(&error) => error,
                    answer => return answer,
                };
                idle += 1;
                if idle == IDLE_ATTEMPTS_MAX {
                    return Err(error);
                }
                tokio::time::sleep(Duration::from_millis(100 << idle)).await;
                // Where the server cannot be asked either, the next attempt finds out.
                if let Ok(arrived) = self.arrived(id).await {
                    idle = if arrived > offset { 0 } else { idle };
                    offset = arrived;
                }
            }
        })
    }

    async fn put_from(
        &self,
        id: PackId,
        spool: &Arc<Spool>,
        offset: u64,
        sent: impl Fn(u64) + Send + 'static,
    ) -> Result<Pack> {
        let failed =
            |error: std::io::Error| CliError::new(Exit::Error, "spool", format!("cannot read a pack: {error}"));
        let mut reader = spool.reader().map_err(failed)?;
        reader.go_to(offset).map_err(failed)?;
        let pieces = stream::try_unfold((reader, sent), |(mut reader, sent)| async move {
            let piece = reader.next_piece().await?;
            Ok::<_, std::io::Error>(piece.map(|piece| {
                sent(piece.len() as u64);
                (piece, (reader, sent))
            }))
        });
        let path = format!("api/v1/packs/{id}");
        let request = match offset {
            0 => self.request(Method::PUT, &path)?,
            _ => self.request(Method::PATCH, &path)?.header(UPLOAD_OFFSET, offset),
        };
        let response =
            request.body(Body::wrap_stream(pieces)).send().await.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        understand(&read(response, ANSWER_BYTES_MAX).await?)
    }

    /// How many bytes of an upload the server has: none when it has all, as a repeated upload is answered at once.
    async fn arrived(&self, id: PackId) -> Result<u64> {
        let request = self.quick(Method::HEAD, &format!("api/v1/packs/{id}"))?;
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let said = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let complete = said(UPLOAD_COMPLETE) == Some("?1");
        Ok(said(UPLOAD_OFFSET).and_then(|offset| offset.parse().ok()).filter(|_| !complete).unwrap_or(0))
    }

    /// Fetches a pack; never more bytes than the envelope says.
    pub fn get_pack(
        &self,
        bundle: Place,
        entry: &PackEntry,
        mut spool: SpoolWriter,
        received: impl Fn(u64),
    ) -> Result<()> {
        let path = format!("api/v1/{bundle}/packs/{}", PackId::from_bytes(entry.id));
        self.runtime.block_on(async {
            let mut idle = 0;
            while spool.written() < entry.len {
                let before = spool.written();
                let Err(error) = self.get_rest(&path, entry, &mut spool, &received).await else { continue };
                idle = if spool.written() > before { 1 } else { idle + 1 };
                if idle == IDLE_ATTEMPTS_MAX || !may_pass(&error) {
                    return Err(error);
                }
                tokio::time::sleep(Duration::from_millis(100 << idle)).await;
            }
            spool.complete();
            Ok(())
        })
    }

    async fn get_rest(
        &self,
        path: &str,
        entry: &PackEntry,
        spool: &mut SpoolWriter,
        received: &impl Fn(u64),
    ) -> Result<()> {
        let start = spool.written();
        let build = || {
            let request = self.request(Method::GET, path)?;
            Ok(if start > 0 { request.header(header::RANGE, format!("bytes={start}-")) } else { request })
        };
        let mut response = self.answer(&build).await?;
        check_start(&response, start)?;
        while let Some(chunk) = response.chunk().await.map_err(|error| cut(&error))? {
            if spool.written() + chunk.len() as u64 > entry.len {
                return Err(CliError::verification("the server sends more bytes than the sender signed for"));
            }
            let written = spool.write(&chunk);
            written.map_err(|error| CliError::new(Exit::Error, "spool", format!("cannot keep a pack: {error}")))?;
            received(chunk.len() as u64);
        }
        if spool.written() == entry.len {
            return Ok(());
        }
        Err(CliError::verification("the server sends fewer bytes than the sender signed for"))
    }
}

/// Whether an answer begins at the byte that was asked for.
fn check_start(response: &Response, start: u64) -> Result<()> {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let starts = range.is_some_and(|range| range.starts_with(&format!("bytes {start}-")));
    match response.status() {
        StatusCode::OK if start == 0 => Ok(()),
        StatusCode::PARTIAL_CONTENT if starts => Ok(()),
        _ => Err(CliError::new(Exit::Network, "answer", "the server sends another part of a pack than was asked for")),
    }
}

/// Whether a transfer may get on later: the network failed, or the server has not noticed yet that it did.
fn may_pass(error: &CliError) -> bool {
    matches!(error.code, "unreachable" | "cut" | "unavailable" | "conflict")
}

/// Whether the server read what was sent.
pub fn same_bytes(stored: &Pack, entry: &PackEntry) -> bool {
    stored.sha256 == HEXLOWER.encode(&entry.sha256)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use super::*;

    #[test]
    fn more_bytes_than_were_signed_for_are_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let (mut asked, mut byte) = (Vec::new(), [0]);
            while !asked.ends_with(b"\r\n\r\n") {
                client.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345").unwrap();
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pack");
        let spool = Spool::new(path.clone());
        let entry = PackEntry { id: [1; 16], sha256: [0; 32], len: 4 };
        let (remote, bundle) = (Remote::anonymous(&url).unwrap(), BundleId::from_bytes([2; 16]));
        let refused = remote.get_pack(Place::Held(bundle), &entry, spool.writer().unwrap(), |_| ()).unwrap_err();
        assert_eq!(refused.exit, Exit::Verification);
        assert!(spool.is_broken() && std::fs::metadata(path).unwrap().len() <= entry.len);
        server.join().unwrap();
    }
}
