//! The destination: is given the code and receives the view (SPEC D5, D7).

use segue_api::pairings::{AnswerPairing, LeasePairing, Leased, Pairing};
use segue_crypto::pairing::{
    Answered, ClientKind, Destination, Introduction, Nameplate, Offer, PairingSecret, Place, Purpose, Received,
    Refused, Release, ReturnSealer,
};
use segue_domain::{Clock as _, PairingId, Timestamp, limits};
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::{
    given::{self, Given},
    hearing::Hearing,
};
use crate::{
    account::Account,
    environment::{self, SystemClock, random, rng},
    error::{CliError, Exit, Result},
    output::Output,
    remote::Remote,
};

/// How long this device waits, behind the time that the source has, for the server to say that it is over, in milliseconds: a
/// bad line's time.
const PATIENCE_MS: i64 = 30_000;

/// The way to the relay: what asks, and what listens.
pub struct Line {
    /// Which pairing.
    pub id: PairingId,
    /// What asks.
    pub remote: Remote,
    pub(super) hearing: Hearing,
    /// Whether the whole chat was there when the view came: then nothing more is heard of it.
    pub(super) ready: bool,
}

impl Line {
    /// To a pairing that is known.
    pub fn open(remote: Remote, id: PairingId) -> Self {
        let mut hearing = Hearing::begin();
        hearing.listen(remote.again(), id);
        Self { id, remote, hearing, ready: false }
    }

    /// Whether the other device has the chat back, as far as the server says.
    pub fn is_taken_back(&self) -> bool {
        let pairing = self.remote.pairing(self.id);
        pairing.is_ok_and(|pairing| matches!(pairing.reason.as_deref(), Some("taken_back" | "lapsed")))
    }

    /// Says that nothing more is fetched. When this is lost, a source that waits does so for an hour.
    pub fn let_go(&self) {
        drop(self.remote.complete_pairing(self.id));
    }
}

/// A view that came, and the way to who sent it.
pub struct Arrived {
    /// By which symbols it was found.
    pub nameplate: Nameplate,
    /// The way to the relay.
    pub line: Line,
    /// The server.
    pub server: Url,
    /// What this device is known by there.
    pub token: Zeroizing<[u8; 32]>,
    received: Received,
}

impl Arrived {
    /// The view.
    pub fn view(&self) -> &[u8] {
        self.received.view()
    }

    /// Whether it comes from a device of `account`.
    pub fn is_from_own_device(&self, account: Option<&Account>) -> Result<bool> {
        let card = account.map(Account::key_card).transpose()?;
        Ok(card.is_some_and(|card| self.received.own_source(&card.card).is_some()))
    }

    /// The sealed word to the source at which head this device arrived, to be sent when it has; what seals a return; and the
    /// way to the relay.
    pub fn into_parts(self, head: &[u8; 32]) -> (Vec<u8>, ReturnSealer, Line) {
        let (acknowledgement, sealer) = self.received.acknowledge(head);
        (acknowledgement, sealer, self.line)
    }

    /// Says that nothing is taken in: the source need not wait.
    pub fn let_go(&self) {
        self.line.let_go();
    }
}

/// Enters the code for `purpose` that is given, or else asked for, until a view has come.
pub fn run(
    purpose: Purpose,
    mut given: Option<Given>,
    server: Option<&Url>,
    account: Option<&Account>,
    output: &Output,
) -> Result<Arrived> {
    let (mut destination, mut hearing) = (None::<(Nameplate, [u8; 16], Destination)>, Hearing::begin());
    loop {
        let given = given.take().map_or_else(|| given::ask(purpose, output), Ok)?;
        let server = given.server.as_ref().or(server).or(account.map(|account| &account.server)).ok_or_else(|| {
            CliError::usage("it is not known which server the code is from")
                .hint("Name it as the other device shows it: --server URL. A link names it by itself.")
        })?;
        let token = Zeroizing::new(random::<32>()?);
        let remote = Remote::destination(server, account, &token)?;
        let leased = remote.lease_pairing(&LeasePairing {
            nameplate: given.nameplate.to_string(),
            purpose: purpose.as_str().to_owned(),
            method: given.secret.method().as_str().to_owned(),
        });
        let leased = leased.map_err(|error| match error.exit {
            Exit::NotFound => CliError::not_found("nothing is offered under this code")
                .hint("Codes live for minutes. Check the first four symbols, or make a new code on the other device."),
            _ => error,
        })?;
        let (id, place, offer) = understand(purpose, &leased)?;
        // Counted for as long as it is the same code, which stands for one pairing, or each answer would be one more guess.
        let mut tried = match destination.take() {
            Some((nameplate, hid, tried)) if nameplate == given.nameplate => {
                let same = Some(tried).filter(|_| hid == place.hid);
                same.ok_or_else(|| refused(Refused::OtherPairing))?
            }
            _ => Destination::new(place),
        };
        let (answer, answered) = answer(&mut tried, &given.secret, &offer, account)?;
        remote.answer_pairing(id, &AnswerPairing { answer: answer.into() }).map_err(of_no_use)?;
        let until = SystemClock.now().plus_millis(lifetime(&leased));
        hearing.listen(remote.again(), id);
        match wait(&hearing, until, answered, output)? {
            Some((received, ready)) => {
                let (nameplate, server) = (given.nameplate, server.clone());
                return Ok(Arrived { nameplate, line: Line { id, remote, hearing, ready }, server, token, received });
            }
            None if tried.tries_left() > 0 && output.may_ask() => {
                output.notice("That code does not match. One try is left on this device.");
                destination = Some((given.nameplate, place.hid, tried));
            }
            None => {
                return Err(CliError::new(Exit::Verification, "code_mismatch", "the code did not match").hint(
                    "If it was typed correctly, somebody may be interfering. Make a new code on the other device.",
                ));
            }
        }
    }
}

fn understand(purpose: Purpose, leased: &Leased) -> Result<(PairingId, Place, Offer)> {
    let senseless =
        || CliError::new(Exit::Network, "answer", "the server's answer makes no sense").hint("See segue doctor.");
    let id: PairingId = leased.pairing_id.parse().map_err(|_| senseless())?;
    let server_id = leased.server_id.0.as_slice().try_into().map_err(|_| senseless())?;
    let offer = Offer::parse(&leased.offer.0).map_err(|_| senseless())?;
    Ok((id, Place { purpose, server_id, hid: *id.as_bytes() }, offer))
}

fn answer(
    destination: &mut Destination,
    secret: &PairingSecret,
    offer: &Offer,
    account: Option<&Account>,
) -> Result<(Vec<u8>, Answered)> {
    let name = environment::device_name();
    let key = account.map(Account::device_key).transpose()?;
    let account = account.zip(key.as_ref());
    let introduction = Introduction {
        name: &name,
        kind: ClientKind::Cli,
        account: account.map(|(account, key)| (account.user_id.as_str(), account.device_id.as_str(), key)),
    };
    let (answer, answered) = destination.answer(&mut rng()?, secret, offer, &introduction).map_err(refused)?;
    Ok((answer.encode(), answered))
}

/// A server that understands nothing of an answer, or knows nothing of the pairing that it has just given.
fn of_no_use(error: CliError) -> CliError {
    match error.exit {
        Exit::Usage | Exit::NotFound => error.hint("Make a new code on the other device."),
        _ => error,
    }
}

/// An offer that is not answered.
fn refused(error: Refused) -> CliError {
    CliError::verification(error.to_string())
        .hint("Make a new code on the other device, and tell whoever runs the server.")
}

/// How long the source may take at most, in milliseconds: what is left of the code, and an approval.
fn lifetime(leased: &Leased) -> i64 {
    let longest = i64::from(limits::PAIRING_SECONDS_MAX) * 1000;
    leased.expires_in_ms.clamp(0, longest) + limits::PAIRING_APPROVAL_MS + PATIENCE_MS
}

/// Waits for the source: what it sends, and whether all of the chat is there. None when it found the code wrong.
fn wait(hearing: &Hearing, until: Timestamp, answered: Answered, output: &Output) -> Result<Option<(Received, bool)>> {
    let sas = answered.sas();
    let text = format!("Waiting for the other device. If it asks, it must show {sas}.");
    output.event("waiting", text, json!({"sas": sas}))?;
    loop {
        let pairing = hearing.stands(until).map_err(of_no_use)?.ok_or_else(unanswered)?;
        if pairing.refused {
            return Ok(None);
        }
        if let Some(release) = &pairing.release {
            let changed = |text: String| CliError::verification(text).hint("Make a new code on the other device.");
            let other = "the server sent something else than the other device released";
            let release = Release::parse(&release.0).map_err(|_| changed(other.to_owned()))?;
            let received = answered.receive(&release).map_err(|error| changed(error.to_string()))?;
            return Ok(Some((received, pairing.bundle_ready)));
        }
        if pairing.state != "issued" {
            return Err(ended(&pairing));
        }
    }
}

fn unanswered() -> CliError {
    CliError::new(Exit::Gone, "expired", "the other device did not answer in time")
        .hint("Make a new code on the other device.")
}

/// Why a code is over, for who entered it.
fn ended(pairing: &Pairing) -> CliError {
    let (exit, code, text) = match (pairing.state.as_str(), pairing.reason.as_deref()) {
        ("expired", Some("unanswered")) => return unanswered(),
        ("expired", _) => (Exit::Gone, "expired", "this code has expired"),
        ("claimed", Some("taken")) => (Exit::Conflict, "already_claimed", "another device claimed this first"),
        ("claimed", Some("taken_back" | "lapsed")) => (Exit::Gone, "taken_back", "the other device took the chat back"),
        ("claimed", _) => {
            (Exit::Verification, "verification_failed", "the server says that the chat came here, and kept it back")
        }
        (_, Some("not_approved")) => (Exit::Gone, "not_approved", "the other device did not let this one in"),
        (_, Some("too_many_guesses")) => (Exit::Gone, "too_many_guesses", "too many wrong codes were entered"),
        (_, Some("restarted")) => (Exit::Gone, "restarted", "the other device was ended, and its code with it"),
        (_, Some("superseded")) => (Exit::Gone, "superseded", "a newer code took the place of this one"),
        _ => (Exit::Gone, "revoked", "the other device cancelled this handoff"),
    };
    CliError::new(exit, code, text).hint("Make a new code on the other device.")
}
