//! A session on its way out: new segments are sealed into packs and sent, then a snapshot is sealed over all of them.

mod basis;
mod gate;
mod sink;

use std::thread;

use data_encoding::HEXLOWER;
use segue_bundle::{Contents, Draft, Heading, Manifest, Owner, Plan, SealedBundle, draft, seal_bundle};
use segue_crypto::{EpochKeys, RecipientKey};
use segue_domain::{Clock as _, SessionId};
use segue_signed::{BundleKind, Card, InlinePack, Parcel, SignedEnvelope};

use self::sink::{SmallPack, UploadSink};
pub use self::{
    basis::Basis,
    gate::{Gate, Keeper},
};
use crate::{
    account::Account,
    capture::{Capture, Capturing},
    environment::{SystemClock, rng},
    error::{CliError, Exit, Result},
    home::Home,
    library::{Head, Library, Record},
    output::Output,
    provenance::References,
    remote::Remote,
};

/// How often a push is tried: a server that was restored from a backup may know neither the packs nor the state.
const TRIES_MAX: u32 = 3;

/// Everything a push needs beside the session.
pub struct Uploader<'a> {
    /// The client's folder.
    pub home: Home,
    /// Who pushes.
    pub account: Account,
    /// To where.
    pub remote: Remote,
    /// What is known of the sessions here.
    pub library: Library,
    /// Where progress is shown.
    pub output: &'a Output,
}

/// A session that is on the server as it is here.
pub struct Pushed {
    /// What it is made of: a handoff seals it again.
    pub contents: Contents,
    /// What was new.
    pub plan: Plan,
    /// Whether there was nothing to send.
    pub unchanged: bool,
}

/// A session that is cut, compressed and sealed.
pub struct Drafted {
    draft: Draft,
    inline: Vec<SmallPack>,
    basis: Basis,
}

/// The part of a heading that a push and a handoff do not share.
pub struct Purpose {
    /// Snapshot or handoff.
    pub kind: BundleKind,
    /// The handoff it belongs to.
    pub handoff_id: String,
    /// Position in the session's chain.
    pub seq: u64,
    /// The envelope before in that chain.
    pub parent: Option<[u8; 32]>,
    /// What the server may know.
    pub card: Card,
    /// What the recipient is told.
    pub message: String,
    /// What goes with it.
    pub references: References,
    /// When the handoff ends.
    pub not_after: u64,
}

impl<'a> Uploader<'a> {
    /// As the account that is signed in here.
    pub fn open(output: &'a Output) -> Result<Self> {
        let home = Home::find()?;
        let account = Account::load(&home)?;
        let (remote, library) = (Remote::signed_in(&account)?, Library::new(&home));
        Ok(Self { home, account, remote, library, output })
    }

    /// Brings the server up to the captured state. Sends what is new, and nothing when nothing changed.
    ///
    /// # Errors
    /// Conflict (exit 5) when another device pushed this session meanwhile.
    pub fn push(&self, record: &mut Record, session: &mut Capturing) -> Result<Pushed> {
        self.push_drafted(record, session, None)
    }

    /// The same of what is drafted already, if that still follows what was pushed last.
    pub fn push_drafted(
        &self,
        record: &mut Record,
        session: &mut Capturing,
        drafted: Option<Drafted>,
    ) -> Result<Pushed> {
        let basis = Basis::of(&self.library, Some(record))?;
        let mut pushed = match drafted.filter(|drafted| drafted.basis.is_as(&basis)) {
            Some(drafted) => self.send(record, session, drafted),
            None => self.try_push(record, session, basis),
        };
        for _ in 1..TRIES_MAX {
            match &pushed {
                // The server no longer has a pack of the last push: everything is sent.
                Err(error) if error.code == "pack_unusable" => {}
                // The answer to the last push was lost, the session was deleted, or the server is as it was before a push.
                Err(error) if error.code == "diverged" && self.find_head(record)? => {}
                _ => break,
            }
            pushed = self.try_push(record, session, Basis::nothing(record));
        }
        let pushed = pushed.map_err(|error| way_out(record, error))?;
        session.wait()?.warnings.iter().for_each(|warning| self.output.warn(warning));
        Ok(pushed)
    }

    fn try_push(&self, record: &mut Record, session: &mut Capturing, basis: Basis) -> Result<Pushed> {
        let library = &self.library;
        let drafted = thread::scope(|scope| {
            // Known here before the server hears of it.
            let stored = record.head.is_none().then(|| scope.spawn(|| library.save(record)));
            let drafted = self.draft(&Gate::open(), session, basis)?;
            stored.map_or(Ok(()), |stored| stored.join().expect("storing does not panic"))?;
            Ok(drafted)
        })?;
        self.send(record, session, drafted)
    }

    fn send(&self, record: &mut Record, session: &mut Capturing, drafted: Drafted) -> Result<Pushed> {
        let Drafted { draft, inline, basis } = drafted;
        let capture = session.wait()?;
        let card = capture.card(record.private);
        if let (Some((contents, envelope)), Some(head)) = (&basis.previous, &record.head) {
            let same = contents.manifest().content_hash() == draft.contents.manifest().content_hash();
            if same && envelope.envelope.header.card == card && self.is_there(record.session_id()?, head)? {
                return Ok(Pushed { plan: draft.plan(), contents: draft.contents, unchanged: true });
            }
        }
        let purpose = Purpose {
            kind: BundleKind::Snapshot,
            handoff_id: String::new(),
            seq: record.head.as_ref().map_or(1, |head| head.seq + 1),
            parent: record.head.as_ref().map(Head::hash).transpose()?,
            card,
            message: String::new(),
            references: References::default(),
            not_after: 0,
        };
        let (seq, sealed) = (purpose.seq, self.seal(record, capture, &draft.contents, purpose, &[])?);
        self.remote.push(&body(&sealed, &inline))?;
        record.header = capture.header.clone();
        record.head = Some(Head { seq, envelope_hash: HEXLOWER.encode(&sealed.envelope.hash()) });
        if seq == 1 {
            // A session that is new there belongs to nothing yet.
            record.told = None;
        }
        let manifest = draft.contents.manifest().encode();
        self.library.save_state(record, &manifest, sealed.envelope.as_bytes(), capture.progress())?;
        Ok(Pushed { plan: draft.plan(), contents: draft.contents, unchanged: false })
    }

    /// Whether the server still has the session as it was pushed last.
    fn is_there(&self, id: SessionId, head: &Head) -> Result<bool> {
        match self.remote.session(id) {
            Ok(session) => Ok(u64::try_from(session.seq) == Ok(head.seq)),
            Err(error) if error.exit == Exit::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Cuts, compresses and seals what the basis does not hold, and sends it once the gate is open. Small packs are not sent but
    /// kept, to travel with the manifest.
    pub fn draft(&self, gate: &Gate, session: &mut Capturing, basis: Basis) -> Result<Drafted> {
        let mut failed = None;
        let drafted = thread::scope(|scope| {
            let early = session.is_under_way();
            let mut sink = UploadSink::start(scope, &self.remote, &self.home, self.output, gate, early)?;
            let sources = session.sources(basis.prefixes, basis.at_head, &mut failed);
            let previous = basis.previous.as_ref().map(|(contents, _)| contents);
            let drafted = draft(&mut rng()?, sources, previous, &mut sink);
            let inline = sink.finish(drafted.is_ok())?;
            let draft = drafted.map_err(|error| {
                CliError::new(Exit::Error, "seal", format!("the session cannot be sealed: {}", causes(&error)))
            })?;
            Ok(Drafted { draft, inline, basis })
        });
        failed.map_or(drafted, Err)
    }

    /// Seals a manifest over `contents` and signs for it.
    pub fn seal(
        &self,
        record: &Record,
        capture: &Capture,
        contents: &Contents,
        purpose: Purpose,
        recipients: &[RecipientKey],
    ) -> Result<SealedBundle> {
        let keys = self.account.keys()?;
        // Also on a handoff, whose sender may read its summary and lock its key for who joins later.
        self.seal_for(record, capture, contents, purpose, recipients, owner(&self.account, &keys))
    }

    /// The same, to be opened by another owner than the account.
    pub fn seal_for(
        &self,
        record: &Record,
        capture: &Capture,
        contents: &Contents,
        purpose: Purpose,
        recipients: &[RecipientKey],
        owner: Owner<'_>,
    ) -> Result<SealedBundle> {
        let (account, keys) = (&self.account, self.account.keys()?);
        let author = record.claimed.as_ref().map_or(&account.user_id, |claimed| &claimed.author_id);
        let heading = Heading {
            kind: purpose.kind,
            handoff_id: purpose.handoff_id,
            revision: 0,
            session_id: record.session_id.clone(),
            seq: purpose.seq,
            parent: purpose.parent,
            sender_id: account.user_id.clone(),
            identity_key: keys.identity.public(),
            author_id: author.clone(),
            card: purpose.card,
            message: purpose.message,
            ticket: purpose.references.ticket,
            persona: purpose.references.persona,
            attachments: purpose.references.attachments,
            created_at: SystemClock.now().as_wire(),
            not_after: purpose.not_after,
            directory_head: None,
        };
        // The owner opens the whole session; only who has not claimed yet needs a summary beside it.
        let preview = capture.preview.as_deref().filter(|_| purpose.kind == BundleKind::Handoff);
        seal_bundle(&mut rng()?, contents, heading, &account.device_key()?, preview, recipients, Some(owner))
            .map_err(|error| CliError::new(Exit::Error, "seal", format!("the bundle cannot be sealed: {error}")))
    }

    /// Takes up where the server stands: nowhere, when the session was deleted; or at a state that this very device
    /// signed and whose answer was lost. `false` when another device made it.
    fn find_head(&self, record: &mut Record) -> Result<bool> {
        let bundle = match self.remote.session_bundle(record.session_id()?) {
            Ok(bundle) => bundle,
            Err(error) if error.exit == Exit::NotFound => {
                let was_there = record.head.take().is_some();
                return Ok(was_there);
            }
            Err(error) => return Err(error),
        };
        let Ok(envelope) = SignedEnvelope::parse(&bundle.envelope.0) else { return Ok(false) };
        let header = &envelope.envelope.header;
        let card = self.account.key_card()?.card;
        let mine = envelope.verify(&card).is_ok()
            && header.device_key == self.account.device_key()?.public()
            && header.session_id == record.session_id;
        if mine {
            record.head = Some(Head { seq: header.seq, envelope_hash: HEXLOWER.encode(&envelope.hash()) });
        }
        Ok(mine)
    }
}

/// What to do where another device was first.
fn way_out(record: &Record, error: CliError) -> CliError {
    if error.code != "diverged" {
        return error;
    }
    let keep = format!("To keep what is here as a session of its own: segue push {} --as-new", record.session_id);
    error.hint(keep)
}

/// The key that own-wraps are made with.
pub fn owner<'a>(account: &'a Account, keys: &'a EpochKeys) -> Owner<'a> {
    Owner { key: &keys.owner, user_id: &account.user_id, epoch: keys.epoch }
}

/// A sealed bundle as it is sent, with packs that were not uploaded before: together at most
/// [`PACKS_INLINE_BYTES_MAX`](segue_domain::limits::PACKS_INLINE_BYTES_MAX).
pub fn body<'a>(sealed: &'a SealedBundle, packs: &'a [SmallPack]) -> Parcel<'a> {
    Parcel {
        envelope: sealed.envelope.as_bytes(),
        manifest: &sealed.sealed_manifest,
        preview: sealed.sealed_preview.as_deref(),
        wraps: sealed.wraps.clone(),
        packs: packs.iter().map(|pack| InlinePack { id: pack.id, bytes: &pack.bytes }).collect(),
    }
}

/// What the last push or pull of a session left here. Damaged leftovers cost a full upload and nothing else.
pub fn previous(library: &Library, id: SessionId) -> Option<(Contents, SignedEnvelope)> {
    let (manifest, envelope) = library.manifest(id)?;
    let envelope = SignedEnvelope::parse(&envelope).ok()?;
    let contents = Contents::new(Manifest::parse(&manifest).ok()?, envelope.envelope.packs.clone()).ok()?;
    Some((contents, envelope))
}

/// An error with its causes, in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
