//! A chat that has arrived: the whole session follows its view, is proven to be the same chat, and is put where its tool finds
//! it (SPEC D1, D11).

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use segue_bundle::{Expected, OpenedBundle, Reader, verify_envelope};
use segue_domain::{Clock as _, PairingId, SessionId, limits};
use segue_formats::active_view::{ActiveView, TailSink};
use segue_signed::{BundleKind, SignedKeyCard, Wrap};
use zeroize::Zeroizing;

use super::{
    arrived::Arrival,
    claiming::Claiming,
    entering::Line,
    hearing::{Hearing, is_over},
    held::Moved,
    scene::Secrets,
};
use crate::{
    download::{self, refused},
    environment::{SystemClock, random},
    error::{CliError, Exit, Result},
    home::Home,
    library::{Head, Library, MovedFrom, Record},
    output::Output,
    remote::{Place, Remote},
};

/// A chat whose files have come, and that is not yet known to be the one that was moved.
pub struct Fetched {
    /// What is known of it.
    pub record: Record,
    content: PathBuf,
    manifest: Zeroizing<Vec<u8>>,
    envelope: Vec<u8>,
    _lock: File,
}

/// Waits until the bundle is there, and fetches it.
pub fn fetch(home: &Home, line: &mut Line, claiming: &Claiming, view: &ActiveView, output: &Output) -> Result<Fetched> {
    let backfill =
        view.backfill.as_ref().ok_or_else(|| CliError::verification("the view names nothing to follow it"))?;
    let (id, session, secrets) = (claiming.pairing()?, claiming.session()?, Secrets::of(backfill));
    output.notice("Fetching the whole chat…");
    if !line.ready {
        until_ready(&line.hearing)?;
    }
    let remote = &mut line.remote;
    let (opened, envelope) = open(remote, id, view, &secrets)?;
    let library = Library::new(home);
    let lock = library.lock(session)?;
    let content = library.content(session);
    let contents = download::fetch(home, remote, Place::OfPairing(id), &opened, &content, output)?;
    let record = record(session, claiming.own, id, view, &opened, &content);
    let record = record.inspect_err(|_| drop(fs::remove_dir_all(&content)))?;
    Ok(Fetched { record, content, manifest: contents.manifest().encode(), envelope, _lock: lock })
}

impl Fetched {
    /// Proves that it is the chat of `view`, and remembers it.
    pub fn prove(&self, home: &Home, claiming: &Claiming, view: &ActiveView) -> Result<()> {
        let (id, record) = (claiming.pairing()?, &self.record);
        is_of(view, record, &self.content.join("native")).inspect_err(|_| drop(fs::remove_dir_all(&self.content)))?;
        if !claiming.fork {
            // Before the session: what is here can be given back.
            Arrival::new(id, &record.session_id, view, claiming.own, &claiming.way_back()?, SystemClock.now())
                .save(home)?;
        }
        Library::new(home).save_state(record, &self.manifest, &self.envelope, None)
    }
}

/// The session, when all of it has come before.
pub fn fetched(home: &Home, claiming: &Claiming) -> Result<Option<Record>> {
    let record = Library::new(home).find(claiming.session()?)?;
    let id = claiming.pairing()?.to_string();
    Ok(record.filter(|record| record.moved.as_ref().is_some_and(|moved| moved.pairing_id == id)))
}

fn until_ready(hearing: &Hearing) -> Result<()> {
    let until = SystemClock.now().plus_millis(limits::PAIRING_DELIVERY_MS);
    while let Some(pairing) = hearing.stands(until)? {
        if pairing.bundle_ready {
            return Ok(());
        }
        if is_over(&pairing) {
            break;
        }
    }
    Err(taken_back())
}

/// What is said to whoever waits for a chat that does not come any more.
pub fn taken_back() -> CliError {
    CliError::new(Exit::Gone, "taken_back", "the other device has the chat back")
        .hint("To have it here, make a new code there.")
}

fn open(remote: &mut Remote, id: PairingId, view: &ActiveView, secrets: &Secrets) -> Result<(OpenedBundle, Vec<u8>)> {
    let bundle = remote.pairing_bundle(id, &secrets.token)?;
    // Whose key it is came in the sealed view, not from the server.
    let card = view.source.key_card.as_ref().ok_or_else(|| CliError::verification("the view names no key card"))?;
    let card = SignedKeyCard::parse(&card.0).map_err(|error| refused(&error))?;
    card.verify_alone().map_err(|error| refused(&error))?;
    let handoff_id = id.to_string();
    let expected = Expected {
        kind: BundleKind::Device,
        handoff_id: &handoff_id,
        session_id: Some(&view.chat.session_id),
        reader: Reader::Holder,
        now: None,
        seq_min: 0,
        revision_min: 0,
    };
    let verified = verify_envelope(&bundle.envelope.0, &card.card, &expected).map_err(|error| refused(&error))?;
    let wrap = bundle.wrap.ok_or_else(|| CliError::verification("the server keeps the key of this chat back"))?;
    let wrap = Wrap::parse(&wrap.0).map_err(|error| refused(&error))?;
    let opened = secrets.as_owner(id, |owner| verified.unwrap_own(owner, &wrap)).map_err(|error| refused(&error))?;
    Ok((opened, bundle.envelope.0))
}

/// The id that it will have here: its own when it is `same`, the session of a device of the same account; else a fresh one.
pub fn session_here(home: &Home, view: &ActiveView, same: bool) -> Result<SessionId> {
    if !same {
        return Ok(SessionId::from_bytes(random()?));
    }
    let id: SessionId =
        view.chat.session_id.parse().map_err(|_| CliError::verification("the view names no session"))?;
    // What came by a code before, and is not on its way from here, comes anew, beside what is here of it.
    let text = id.to_string();
    let again = Arrival::find(home, &text)?.is_some() && Moved::find(home, &text)?.is_none();
    match Library::new(home).find(id)? {
        Some(record) if record.native.is_some() && !again => {
            Err(CliError::new(Exit::Conflict, "already_here", "this device has this chat already")
                .hint(format!("Continue it: segue resume {id}. For a chat of its own beside it: --fork")))
        }
        _ => Ok(id),
    }
}

fn record(
    session: SessionId,
    own: bool,
    id: PairingId,
    view: &ActiveView,
    opened: &OpenedBundle,
    content: &Path,
) -> Result<Record> {
    let header = opened.verified().header();
    // The bundle names the snapshot that it was made of: what this device pushes next continues that.
    let head =
        header.parent.filter(|_| own).map(|hash| Head { seq: header.seq, envelope_hash: HEXLOWER.encode(&hash) });
    Ok(Record {
        v: 1,
        session_id: session.to_string(),
        header: download::read_header(content)?,
        native: None,
        head,
        private: view.chat.private,
        no_prefix: false,
        summary: None,
        claimed: None,
        moved: Some(MovedFrom {
            pairing_id: id.to_string(),
            device: view.source.name.clone(),
            user_id: view.source.user_id.clone(),
            session_id: view.chat.session_id.clone(),
        }),
        provenance: None,
        told: None,
    })
}

/// The same-chat proof: what was fetched has the head that the view named.
fn is_of(view: &ActiveView, record: &Record, native: &Path) -> Result<()> {
    let mut whole = TailSink::default();
    let format = segue_formats::format_for(record.header.tool);
    format.view(native, &mut whole).map_err(CliError::session)?;
    view.verify_head(&whole.head()).map_err(|error| {
        CliError::verification(format!("this is not the chat that was moved: {error}"))
            .hint("Nothing was put in place. Make a new code on the other device.")
    })
}
