//! One function per route.

use std::path::Path;

use data_encoding::HEXLOWER;
use reqwest::{Body, Method, header};
use segue_api::{
    PACK_SHA256,
    account::{Account, Invitation, Join, OpenInvite, Server},
    bundles::{Bundle, OwnWrap, Pack, Pushed},
    handoffs::{Claim, Claimed, Handoff, Handoffs, Reservation, Reserve},
    invites::{CreateInvite, Invite},
    sessions::Session,
};
use segue_domain::{BundleId, HandoffId, PackId, SessionId};
use segue_signed::{PackEntry, Parcel};
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use super::{Remote, cut};
use crate::error::{CliError, Exit, Result};

impl Remote {
    /// What the server says of itself.
    pub fn server(&self) -> Result<Server> {
        self.get("api/v1/server")
    }

    /// What an invite lets one do.
    pub fn open_invite(&self, body: &OpenInvite) -> Result<Invitation> {
        self.post("api/v1/invites/open", body)
    }

    /// Joins.
    pub fn join(&self, body: &Join) -> Result<Account> {
        self.post("api/v1/join", body)
    }

    /// One's own account.
    pub fn account(&self) -> Result<Account> {
        self.get("api/v1/account")
    }

    /// Invites somebody.
    pub fn invite(&self, body: &CreateInvite) -> Result<Invite> {
        self.post("api/v1/invites", body)
    }

    /// Stores a pack; the server's hash of what it read must be ours.
    pub fn put_pack(&self, entry: &PackEntry, file: &Path, sent: impl Fn(u64)) -> Result<()> {
        let id = PackId::from_bytes(entry.id);
        let sha256 = HEXLOWER.encode(&entry.sha256);
        let build = || {
            let opened = std::fs::File::open(file).map_err(|error| CliError::file("read", file, &error))?;
            let stream = ReaderStream::with_capacity(tokio::fs::File::from_std(opened), 256 * 1024);
            let request = self.request(Method::PUT, &format!("api/v1/packs/{id}"))?;
            Ok(request
                .header(header::CONTENT_LENGTH, entry.len)
                .header(PACK_SHA256, &sha256)
                .body(Body::wrap_stream(stream)))
        };
        let stored: Pack = super::understand(&self.run(build, 64 * 1024)?)?;
        sent(entry.len);
        if stored.sha256 == sha256 {
            return Ok(());
        }
        Err(CliError::new(Exit::Network, "pack_hash", "the server stored other bytes than were sent")
            .hint("Try again."))
    }

    /// Stores a snapshot.
    pub fn push(&self, parcel: &Parcel<'_>) -> Result<Pushed> {
        self.post_parcel("api/v1/bundles", parcel)
    }

    /// One of one's sessions.
    pub fn session(&self, id: SessionId) -> Result<Session> {
        self.get(&format!("api/v1/sessions/{id}"))
    }

    /// What its owner needs to begin to open its newest state.
    pub fn session_bundle(&self, id: SessionId) -> Result<Bundle> {
        self.get(&format!("api/v1/sessions/{id}/bundle"))
    }

    /// Deletes a session.
    pub fn delete_session(&self, id: SessionId) -> Result<()> {
        self.send(&Method::DELETE, &format!("api/v1/sessions/{id}"), &()).map(drop)
    }

    /// A bundle's sealed manifest of at most `max` bytes.
    pub fn manifest(&self, bundle: BundleId, max: usize) -> Result<Vec<u8>> {
        self.get_bytes(&format!("api/v1/bundles/{bundle}/manifest"), max)
    }

    /// Fetches a pack into `file`; never more bytes than the envelope says.
    pub fn get_pack(&self, bundle: BundleId, entry: &PackEntry, file: &Path, received: impl Fn(u64)) -> Result<()> {
        let path = format!("api/v1/bundles/{bundle}/packs/{}", PackId::from_bytes(entry.id));
        self.runtime.block_on(async {
            let mut response = self.answer(&|| self.request(Method::GET, &path)).await?;
            let failed = |error: std::io::Error| CliError::file("write", file, &error);
            let mut out = tokio::fs::File::create(file).await.map_err(failed)?;
            let mut left = entry.len;
            while let Some(chunk) = response.chunk().await.map_err(|error| cut(&error))? {
                left = left
                    .checked_sub(chunk.len() as u64)
                    .ok_or_else(|| CliError::verification("the server sends more bytes than the sender signed for"))?;
                out.write_all(&chunk).await.map_err(failed)?;
                received(chunk.len() as u64);
            }
            out.flush().await.map_err(failed)
        })
    }

    /// Stores a claimer's own wrap.
    pub fn own_wrap(&self, bundle: BundleId, body: &OwnWrap) -> Result<()> {
        self.send(&Method::PUT, &format!("api/v1/bundles/{bundle}/own-wrap"), body).map(drop)
    }

    /// The first of two steps of a handoff.
    pub fn reserve(&self, body: &Reserve) -> Result<Reservation> {
        self.post("api/v1/handoffs/reserve", body)
    }

    /// The second: the sealed bundle.
    pub fn create_handoff(&self, parcel: &Parcel<'_>) -> Result<Handoff> {
        self.post_parcel("api/v1/handoffs", parcel)
    }

    /// One page of handoffs to (`inbox`) or from (`sent`) oneself.
    pub fn handoffs(&self, which: &str, cursor: Option<&str>) -> Result<Handoffs> {
        let mut url = url::form_urlencoded::Serializer::new(String::new());
        url.append_pair("box", which);
        if let Some(cursor) = cursor {
            url.append_pair("cursor", cursor);
        }
        self.get(&format!("api/v1/handoffs?{}", url.finish()))
    }

    /// One handoff.
    pub fn handoff(&self, id: HandoffId) -> Result<Handoff> {
        self.get(&format!("api/v1/handoffs/{id}"))
    }

    /// What its parties need to begin to open it.
    pub fn handoff_bundle(&self, id: HandoffId) -> Result<Bundle> {
        self.get(&format!("api/v1/handoffs/{id}/bundle"))
    }

    /// Claims it.
    pub fn claim(&self, id: HandoffId, body: &Claim) -> Result<Claimed> {
        self.post(&format!("api/v1/handoffs/{id}/claim"), body)
    }
}
