//! A chat that is being taken in: `claiming/<par_…>.json`, from a person's yes until the session is where its tool finds it. What
//! is cut short at any point goes on from there (SPEC D9).

use std::fs::{self, File};

use segue_crypto::pairing::{Nameplate, ReturnSealer};
use segue_domain::{PairingId, SessionId};
use segue_formats::active_view::ActiveView;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::{
    arrived::WayBack,
    entering::{Arrived, Line},
    notes,
};
use crate::{
    account::Account,
    base64url,
    error::{CliError, Exit, Result},
    home::{self, Home},
    remote::Remote,
};

/// What was begun.
#[derive(Serialize, Deserialize)]
pub struct Claiming {
    /// Version of this file.
    v: u32,
    pairing_id: String,
    /// The first four symbols of its code: who enters that again means this.
    nameplate: String,
    /// The relay.
    pub server: Url,
    /// What this device is known by at the relay, base64url.
    token: String,
    /// `ses_…` here.
    session_id: String,
    /// Whether it is the same session, of a device of the same account, which signed for it.
    pub own: bool,
    /// Whether it becomes a chat of its own, and the other device keeps its.
    pub fork: bool,
    /// As it was sealed, base64url.
    view: String,
    /// The sealed acknowledgement, base64url.
    acknowledgement: String,
    /// What seals that which is given back, base64url.
    return_key: String,
}

impl Claiming {
    /// What begins now, and the way to the relay.
    pub fn begin(arrived: Arrived, session: SessionId, view: &ActiveView, (own, fork): (bool, bool)) -> (Self, Line) {
        let (encoded, (id, token)) = (base64url::encode(arrived.view()), (arrived.line.id, arrived.token.clone()));
        let (nameplate, server) = (arrived.nameplate.to_string(), arrived.server.clone());
        let (acknowledgement, sealer, line) = arrived.into_parts(&view.chat.head_hash.0);
        let claiming = Self {
            v: 1,
            pairing_id: id.to_string(),
            nameplate,
            server,
            token: base64url::encode(&*token),
            session_id: session.to_string(),
            own,
            fork,
            view: encoded,
            acknowledgement: base64url::encode(&acknowledgement),
            return_key: base64url::encode(sealer.expose().as_slice()),
        };
        (claiming, line)
    }

    /// What was cut short: of the code that is entered again, or the newest of all when none is. Nobody else goes on with it for
    /// as long as the file is open.
    pub fn find(home: &Home, entered: Option<Nameplate>) -> Result<Option<(Self, File)>> {
        let mut all: Vec<(_, Self)> = Vec::new();
        for claiming in notes::readable::<Self>(home, "claiming") {
            let written = fs::metadata(claiming.path(home)).and_then(|metadata| metadata.modified());
            all.push((written.ok(), claiming));
        }
        all.sort_by_key(|(written, _)| *written);
        let named = |claiming: &Self| entered.is_none_or(|entered| entered.to_string() == claiming.nameplate);
        let mut all = all.into_iter().rev().map(|(_, claiming)| claiming).filter(named);
        Ok(all.find_map(|claiming| claiming.lock(home).map(|lock| (claiming, lock))))
    }

    /// None when another process goes on with it, or is done.
    fn lock(&self, home: &Home) -> Option<File> {
        let path = self.path(home);
        // Gone by now, it was somebody else's until just before.
        File::open(&path).ok().filter(|file| file.try_lock().is_ok() && path.is_file())
    }

    /// Stores it, for this user only; on return it is on disk, and this process alone goes on with it.
    pub fn save(&self, home: &Home) -> Result<File> {
        home::write_json(&self.path(home), self)?;
        self.lock(home).ok_or_else(|| {
            CliError::new(Exit::Conflict, "busy", "another segue goes on with this chat")
                .hint("Wait until it has ended.")
        })
    }

    /// Everything is at its place, or nothing of it comes any more.
    pub fn forget(&self, home: &Home) -> Result<()> {
        home::remove(&self.path(home))
    }

    fn path(&self, home: &Home) -> std::path::PathBuf {
        home.path(&format!("claiming/{}.json", self.pairing_id))
    }

    /// The pairing.
    pub fn pairing(&self) -> Result<PairingId> {
        self.pairing_id.parse().map_err(|_| damaged())
    }

    /// The session here.
    pub fn session(&self) -> Result<SessionId> {
        self.session_id.parse().map_err(|_| damaged())
    }

    /// The view that came.
    pub fn view(&self) -> Result<ActiveView> {
        ActiveView::parse(&base64url::decode(&self.view).ok_or_else(damaged)?).map_err(|_| damaged())
    }

    /// The sealed word that it arrived.
    pub fn acknowledgement(&self) -> Result<Vec<u8>> {
        base64url::bytes(&self.acknowledgement).ok_or_else(damaged)
    }

    /// The way to the relay.
    pub fn line(&self, account: Option<&Account>) -> Result<Line> {
        Ok(Line::open(Remote::destination(&self.server, account, &*self.token()?)?, self.pairing()?))
    }

    /// The way back to who gave the chat.
    pub fn way_back(&self) -> Result<WayBack> {
        let key = base64url::fixed(&self.return_key).ok_or_else(damaged)?;
        Ok(WayBack { server: self.server.clone(), token: self.token()?, sealer: ReturnSealer::from_bytes(&key) })
    }

    fn token(&self) -> Result<Zeroizing<[u8; 32]>> {
        base64url::fixed(&self.token).ok_or_else(damaged)
    }
}

fn damaged() -> CliError {
    CliError::new(Exit::Error, "pending_damaged", "what was begun on this machine is damaged")
        .hint("Move the folder claiming in the client's folder away, and make a new code on the other device.")
}
