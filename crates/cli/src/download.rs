//! A session on its way in: everything is verified before it is claimed, and again before it is put in place.

mod opening;

use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
    thread,
};

use segue_bundle::{
    Contents, Expected, OpenedBundle, PackSource, ReadSeek, UnpackError, open::VerifyError, unpack, verify_envelope,
};
use segue_domain::{Clock as _, HandoffId, limits::MANIFEST_BYTES_MAX};
use segue_formats::Header;
use segue_signed::{BundleKind, PackEntry, SignedKeyCard, Unverified, Wrap};
use serde_json::Value;

use self::opening::{Opening, claim_link};
use crate::{
    account::Account,
    capture::HEADER_PATH,
    claim_link::ClaimLink,
    contacts,
    environment::{SystemClock, rng},
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    progress::Progress,
    remote::{Place, Remote},
    spool::Spool,
    upload::causes,
};

/// Longest neutral header that is read, in bytes.
const HEADER_BYTES_MAX: u64 = 1024 * 1024;

/// A handoff whose envelope is its sender's and whose wrap opens.
pub struct VerifiedHandoff {
    /// The bundle, opened as far as its manifest.
    pub opened: OpenedBundle,
    /// Who handed it over.
    pub sender_email: String,
    /// The claim link that it was opened with.
    pub link: Option<ClaimLink>,
    /// The signed envelope, as it was sent.
    pub envelope: Vec<u8>,
    sealed_preview: Option<Vec<u8>>,
}

impl VerifiedHandoff {
    /// The sender's summary.
    pub fn preview(&self) -> Result<Option<Value>> {
        let Some(sealed) = &self.sealed_preview else { return Ok(None) };
        let plain = self.opened.open_preview(sealed.clone()).map_err(|error| refused(&error))?;
        Ok(serde_json::from_slice(&plain).ok())
    }
}

/// Verifies a handoff in the protocol's order, up to the commit. Nothing is claimed.
///
/// # Errors
/// Verification (exit 9); gone (exit 10) when it has expired by this machine's clock.
pub fn verify_handoff(
    home: &Home,
    account: &Account,
    remote: &Remote,
    id: HandoffId,
    link: Option<ClaimLink>,
    output: &Output,
    claimed: bool,
) -> Result<VerifiedHandoff> {
    let bundle = remote.handoff_bundle(id)?;
    let card = SignedKeyCard::parse(&bundle.sender_card.0).map_err(|error| refused(&error))?;
    let acquaintance = contacts::check(home, &bundle.sender_email, &card)?;
    let wrap = bundle.wrap.ok_or_else(|| {
        CliError::new(Exit::Conflict, "not_openable", "this handoff can no longer be opened")
            .hint("It was claimed by somebody else, or has ended.")
    })?;
    let wrap = Wrap::parse(&wrap.0).map_err(|error| refused(&error))?;
    let handoff_id = id.to_string();
    let opening = Opening::of(&wrap, &bundle.envelope.0, || claim_link(link, &wrap, &bundle.sender_email, output))?;
    let reader = opening.reader(&wrap, account);
    let expected = Expected {
        kind: BundleKind::Handoff,
        handoff_id: &handoff_id,
        session_id: None,
        reader,
        now: (!claimed).then(|| SystemClock.now().as_wire()),
        seq_min: 0,
        revision_min: 0,
    };
    let verified = verify_envelope(&bundle.envelope.0, &card.card, &expected).map_err(|error| match error {
        VerifyError::Expired => CliError::new(Exit::Gone, "expired", "this handoff has expired")
            .hint("Ask its sender to hand it over again. If that is wrong, check this machine's clock: segue doctor"),
        VerifyError::Unverified(Unverified::Device) => refused(&error).hint(
            "Its sender has removed that device since, or never had it. Nothing was opened: ask them to hand it over again.",
        ),
        error => refused(&error),
    })?;
    let opened = opening.open(verified, &wrap, home, account, remote, output)?;
    // Oneself one need not meet: one's keys are here.
    if card.card.user_id != account.user_id {
        acquaintance.pin(home, output)?;
    } else if card.card.identity_key != account.keys()?.identity.public() {
        return Err(CliError::verification("the server gives another identity key as your own")
            .hint("Nothing was opened. Tell whoever runs the server."));
    }
    Ok(VerifiedHandoff {
        opened,
        sender_email: bundle.sender_email,
        link: opening.into_link(),
        envelope: bundle.envelope.0,
        sealed_preview: bundle.preview.map(|preview| preview.0),
    })
}

/// Fetches a bundle and puts its verified files at `destination`, all or nothing.
pub fn fetch(
    home: &Home,
    remote: &Remote,
    bundle: Place,
    opened: &OpenedBundle,
    destination: &Path,
    output: &Output,
) -> Result<Contents> {
    let sealed = remote.manifest(bundle, MANIFEST_BYTES_MAX as usize)?;
    let contents = opened.open_manifest(sealed).map_err(|error| refused(&error))?;
    remove_leftover(destination)?;
    if let Some(parent) = destination.parent() {
        crate::home::create_dir(parent)?;
    }
    let folder = home.temporary()?;
    let spools: Vec<_> =
        (0..contents.packs().len()).map(|index| Spool::new(folder.path().join(index.to_string()))).collect();
    let progress = Progress::bytes(output, "fetching");
    progress.expect(contents.packs().iter().map(|pack| pack.len).sum());
    thread::scope(|scope| {
        let fetched = scope.spawn(|| fetch_packs(remote, bundle, contents.packs(), &spools, &progress));
        let unpacked = unpack(&mut rng()?, &contents, &Spools(&spools), destination);
        // Nobody waits for the rest any more.
        give_up(&spools);
        // A pack that did not come explains a file that did not.
        fetched.join().expect("fetching does not panic").and(unpacked.map_err(|error| not_unpacked(&error)))
    })?;
    Ok(contents)
}

/// Fetches one pack after the other; all that are missing after an error are given up.
fn fetch_packs(
    remote: &Remote,
    bundle: Place,
    packs: &[PackEntry],
    spools: &[Arc<Spool>],
    progress: &Progress,
) -> Result<()> {
    let fetch = |(pack, spool): (&PackEntry, &Arc<Spool>)| {
        let writer = spool.writer();
        let writer =
            writer.map_err(|error| CliError::new(Exit::Error, "spool", format!("cannot keep a pack: {error}")))?;
        remote.get_pack(bundle, pack, writer, |bytes| progress.advance(bytes))
    };
    let fetched = packs.iter().zip(spools).try_for_each(fetch);
    give_up(spools);
    fetched
}

fn give_up(spools: &[Arc<Spool>]) {
    for spool in spools {
        spool.give_up();
    }
}

/// A pull that was cut short between its last rename and its record left verified files, which are fetched again; one that
/// was killed before left some of them beside, in folders with hidden names.
fn remove_leftover(destination: &Path) -> Result<()> {
    let name = destination.file_name().unwrap_or_default().to_string_lossy();
    let hidden = format!(".{name}.");
    let beside = destination.parent().and_then(|parent| fs::read_dir(parent).ok()).into_iter().flatten().flatten();
    let parts =
        beside.filter(|entry| entry.file_name().to_string_lossy().starts_with(&hidden)).map(|entry| entry.path());
    for path in parts.chain([destination.to_owned()]) {
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CliError::file("remove", &path, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The packs that are fetched.
struct Spools<'a>(&'a [Arc<Spool>]);

impl PackSource for Spools<'_> {
    fn open(&self, index: usize) -> io::Result<Box<dyn ReadSeek>> {
        Ok(Box::new(self.0[index].reader()?))
    }
}

/// The neutral header of unpacked files.
pub fn read_header(content: &Path) -> Result<Header> {
    let path = content.join(HEADER_PATH);
    let failed = |error: &io::Error| CliError::file("read", &path, error);
    let file = File::open(&path).map_err(|error| failed(&error))?;
    serde_json::from_reader(io::Read::take(io::BufReader::new(file), HEADER_BYTES_MAX))
        .map_err(|error| CliError::verification(format!("the session's header makes no sense: {error}")))
}

/// Why files are not in place: this machine's disk, or what came.
fn not_unpacked(error: &UnpackError) -> CliError {
    match error {
        UnpackError::Staging(_) | UnpackError::Pack { .. } | UnpackError::Write { .. } => {
            CliError::new(Exit::Error, "file", format!("the session cannot be put in place: {}", causes(error)))
                .hint("Look after this machine's disk, then run the command again: what was claimed stays yours.")
        }
        error => refused(error),
    }
}

/// Something that must not be believed.
pub fn refused(error: &dyn std::error::Error) -> CliError {
    CliError::verification(format!("verification failed: {}", causes(error)))
        .hint("Nothing was put in place. Tell the sender, and whoever runs the server.")
}
