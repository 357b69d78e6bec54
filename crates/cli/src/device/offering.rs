//! The source: shows a code, judges who enters it, and lets one in (SPEC D5–D9, A1).
//!
//! Secrets and counters are in memory only: when this process ends, its code is worth nothing.

use std::io::{self, IsTerminal as _};

use fast_qr::{ECL, QRBuilder};
use segue_api::pairings::{IssuePairing, Pairing, RefuseAnswer};
use segue_crypto::pairing::{
    Answer, Approved, Confirmed, GUESSES_MAX, Judgement, Place, Purpose, Released, SizeClass, Source,
};
use segue_domain::{Clock as _, PairingId, Timestamp, limits};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    approval::{self, Decision},
    countdown::{self, Countdown},
    hearing::{Happening, Hearing, is_over},
    shown::{self, Shown},
};
use crate::{
    environment::{SystemClock, random, rng},
    error::{CliError, Exit, Result},
    output::Output,
    upload::Uploader,
};

/// How far two clocks may be apart that run as they should, in milliseconds: over the life of a code, with a slow line.
const CLOCKS_APART_MS: i64 = 5_000;

/// What is offered.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// What the code is for.
    pub(super) purpose: Purpose,
    /// What the view is padded to.
    pub(super) size_class: SizeClass,
    /// What tells the offers of this device apart, for the server, and tells it nothing else.
    pub(super) tag: [u8; 32],
    /// The command that makes a new code.
    pub(super) command: &'static str,
}

/// A code that is shown.
pub(super) struct Offering<'a> {
    pub(super) uploader: &'a Uploader<'a>,
    pub(super) output: &'a Output,
    pub(super) id: PairingId,
    pub(super) hearing: Hearing,
    terms: Terms,
    /// How long the code lives, in milliseconds.
    pub(super) lifetime: i64,
    /// The code and the link, to be shown.
    pub(super) code: Zeroizing<String>,
    pub(super) link: Zeroizing<String>,
    /// By this machine's clock too, nothing is released after it.
    pub(super) deadline: Timestamp,
    entering: bool,
    _shown: Shown,
}

/// Who was let in.
pub(super) struct LetIn {
    /// Releases the view to them.
    pub(super) approved: Approved,
    /// What they call themselves. Text from outside.
    pub(super) name: String,
    /// Which offer they answered.
    pub(super) attempt: u8,
}

/// What the other device says.
pub(super) enum Arrived {
    /// It has what hashes to this.
    At([u8; 32]),
    /// Nothing, and does not any more: how the pairing stands, unless nothing was heard.
    Not(Option<Box<Pairing>>),
}

/// Shows codes until somebody who knows one is let in. A person may have a new one for one that is over (SPEC D8).
pub(super) fn offer<'a>(
    uploader: &'a Uploader<'a>,
    terms: Terms,
    output: &'a Output,
    show: impl Fn(&Offering<'_>) -> Result<()>,
) -> Result<(Offering<'a>, LetIn)> {
    shown::end_abandoned(&uploader.home, &uploader.remote)?;
    let mut hearing = Hearing::begin();
    if output.may_ask() && !output.is_json() {
        hearing.read_lines();
    }
    loop {
        let (offering, source) = Offering::open(uploader, terms, output, hearing)?;
        show(&offering)?;
        match offering.wait(source)? {
            Waited::LetIn(offering, let_in) => return Ok((*offering, let_in)),
            Waited::Again(back) => hearing = back,
        }
    }
}

/// How waiting ended.
enum Waited<'a> {
    LetIn(Box<Offering<'a>>, LetIn),
    /// A new code is wanted.
    Again(Hearing),
}

impl<'a> Offering<'a> {
    /// Asks the server for a nameplate, and makes a code of it.
    fn open(
        uploader: &'a Uploader<'a>,
        terms: Terms,
        output: &'a Output,
        mut hearing: Hearing,
    ) -> Result<(Self, Source)> {
        let senseless = |what: &str| {
            CliError::new(Exit::Network, "answer", format!("the server does not say {what}")).hint("See segue doctor.")
        };
        let server = uploader.remote.server()?;
        let server_id = server.server_id.0.as_slice().try_into().map_err(|_| senseless("which it is"))?;
        let place = Place { purpose: terms.purpose, server_id, hid: random()? };
        // Both clocks count, and no server makes this one longer.
        let seconds = server.pairing_seconds.clamp(limits::PAIRING_SECONDS_MIN, limits::PAIRING_SECONDS_MAX);
        let source = Source::new(&mut rng()?, place, terms.size_class, seconds);
        let [code_offer, link_offer] = source.offers().map(|offer| offer.encode().into());
        let id = PairingId::from_bytes(place.hid);
        let (shown, begun) = (Shown::note(&uploader.home, id)?, SystemClock.now());
        let body = IssuePairing { chat_tag: terms.tag.to_vec().into(), code_offer, link_offer };
        let issued = uploader.remote.issue_pairing(&body)?;
        let lifetime = issued.expires_in_ms.unwrap_or_default().clamp(0, i64::from(seconds) * 1000);
        let nameplate = issued.nameplate.as_deref().and_then(|text| text.parse().ok());
        let nameplate = nameplate.ok_or_else(|| senseless("under which nameplate"))?;
        let path = if terms.purpose == Purpose::Link { "l" } else { "h" };
        let address = uploader.account.server.join(path);
        let address = address.map_err(|_| CliError::usage("the server's address is not a URL"))?;
        hearing.listen(uploader.remote.again(), id);
        let offering = Self {
            uploader,
            output,
            id,
            hearing,
            terms,
            lifetime,
            code: source.code(nameplate),
            link: Zeroizing::new(format!("{address}#{}", *source.fragment(nameplate))),
            deadline: begun.plus_millis(lifetime),
            entering: false,
            _shown: shown,
        };
        Ok((offering, source))
    }

    /// The link for a camera, where a terminal shows it.
    pub(super) fn qr(&self) -> String {
        if !io::stdout().is_terminal() || self.output.is_json() {
            return String::new();
        }
        let code = QRBuilder::new(self.link.as_str()).ecl(ECL::L).build();
        code.map(|code| format!("{}\n", code.to_str())).unwrap_or_default()
    }

    /// The lifetime as minutes and seconds.
    pub(super) fn minutes(&self) -> String {
        countdown::minutes(self.lifetime)
    }

    /// How it is ended from here.
    pub(super) fn keys(&self) -> &'static str {
        if self.hearing.reads_lines() { "Ctrl-C ends it; n and Enter shows another code." } else { "Ctrl-C ends it." }
    }

    /// Waits for somebody who knows the secret and is let in. Whoever ends it before ends the code with it.
    fn wait(mut self, source: Source) -> Result<Waited<'a>> {
        match self.wait_for_one(source) {
            Ok(Some(let_in)) => Ok(Waited::LetIn(Box::new(self), let_in)),
            Ok(None) => {
                self.uploader.remote.revoke_pairing(self.id, "user")?;
                Ok(Waited::Again(self.hearing))
            }
            Err(error) if error.exit == Exit::Interrupted => Err(self.interrupted(error)),
            Err(error) if error.exit == Exit::Gone && self.hearing.reads_lines() => self.again(error),
            Err(error) if matches!(error.exit, Exit::Network | Exit::NotFound) => {
                Err(error.hint(format!("Nothing was given away. For a new code: {}", self.terms.command)))
            }
            Err(error) => Err(error),
        }
    }

    fn interrupted(&self, error: CliError) -> CliError {
        match self.uploader.remote.revoke_pairing(self.id, "user") {
            Ok(_) => CliError::new(Exit::Interrupted, "revoked", "you ended this code; nothing was given away"),
            Err(_) => error.hint("The code ends by itself within minutes; nobody here answers it any more."),
        }
    }

    /// A new code is never shown by itself: somebody who guesses would be served one after the other.
    fn again(self, over: CliError) -> Result<Waited<'a>> {
        self.output.notice(format!("Over: {}.\nPress Enter for a new code, Ctrl-C to end.", over.message));
        let until = SystemClock.now().plus_millis(i64::from(limits::PAIRING_SECONDS_MAX) * 1000);
        loop {
            match self.hearing.next(until) {
                Ok(Happening::Said(_)) => return Ok(Waited::Again(self.hearing)),
                Ok(Happening::Stands(_)) => {}
                Ok(Happening::Silent | Happening::TimeOver) | Err(_) => return Err(over),
            }
        }
    }

    /// None when its person wants another code.
    fn wait_for_one(&mut self, mut source: Source) -> Result<Option<LetIn>> {
        let countdown = Countdown::of(self.output);
        loop {
            let happening = self.hearing.next(countdown.next(self.deadline))?;
            if matches!(happening, Happening::TimeOver) && SystemClock.now() < self.deadline {
                countdown.show(self.deadline);
                continue;
            }
            countdown.hide();
            match happening {
                Happening::Stands(pairing) if pairing.state != "issued" => return Err(self.ended(&pairing)),
                Happening::Stands(pairing) => {
                    self.say_entering(&pairing)?;
                    let Some(answer) = pairing.answer.filter(|_| pairing.attempt == source.attempt()) else { continue };
                    // What is no answer at all was made by the server, and is waited over: time ends it.
                    let Ok(answer) = Answer::parse(&answer.0) else { continue };
                    let attempt = source.attempt();
                    source = match source.receive(&mut rng()?, &answer) {
                        Judgement::Confirmed(confirmed) => return self.let_in(confirmed, attempt).map(Some),
                        Judgement::Refused(next) => {
                            self.refuse(attempt, Some(&next))?;
                            *next
                        }
                        Judgement::Burned => {
                            // The secret is gone already, whatever the server makes of it.
                            drop(self.refuse(attempt, None));
                            return Err(self.burned());
                        }
                        Judgement::Stale(same) => *same,
                    };
                }
                Happening::TimeOver => {
                    self.let_expire();
                    return Err(self.expired());
                }
                Happening::Said(line) if line.eq_ignore_ascii_case("n") => return Ok(None),
                Happening::Said(_) | Happening::Silent => {}
            }
        }
    }

    /// The server records it when it is asked; one whose clock says otherwise is told that nobody here answers any more.
    fn let_expire(&self) {
        let left = self.uploader.remote.pairing(self.id).ok().and_then(|pairing| pairing.expires_in_ms);
        if left.is_some_and(|left| left > CLOCKS_APART_MS) {
            drop(self.uploader.remote.revoke_pairing(self.id, "user"));
        }
    }

    fn say_entering(&mut self, pairing: &Pairing) -> Result<()> {
        if pairing.entering && !self.entering {
            self.output.event("entering", "Another device is connecting…".to_owned(), json!({}))?;
        }
        self.entering = pairing.entering;
        Ok(())
    }

    fn refuse(&self, attempt: u8, next: Option<&Source>) -> Result<()> {
        // First: a server that fails now does not keep it from being seen.
        let text = format!("Someone entered a wrong code ({attempt} of {GUESSES_MAX}).");
        self.output.event("wrong_code", text, json!({"attempt": attempt, "of": GUESSES_MAX}))?;
        let offers = next.map(|next| next.offers().map(|offer| offer.encode().into()));
        let [code_offer, link_offer] = offers.map_or([None, None], |offers| offers.map(Some));
        self.uploader.remote.refuse_answer(self.id, &RefuseAnswer { attempt, code_offer, link_offer }).map(drop)
    }

    fn let_in(&mut self, confirmed: Box<Confirmed>, attempt: u8) -> Result<LetIn> {
        let (name, account) = (confirmed.hello().name.clone(), &self.uploader.account);
        match approval::decide(confirmed, account, &mut self.hearing, SystemClock.now(), self.output)? {
            Decision::Approved(approved) => Ok(LetIn { approved, name, attempt }),
            Decision::Refused => {
                // Nobody here answers it any more, whether or not the server hears of it.
                drop(self.uploader.remote.revoke_pairing(self.id, "not_approved"));
                Err(self.over("not_approved", "the device was not let in; nothing was given away"))
            }
            Decision::Ended(pairing) => Err(self.ended(&pairing)),
        }
    }

    /// Waits for the other device's sealed word that it has arrived: what it says, or how the pairing ended without it.
    pub(super) fn until_acknowledged(&self, released: &Released) -> Result<Arrived> {
        let until = SystemClock.now().plus_millis(limits::PAIRING_DELIVERY_MS);
        loop {
            let pairing = match self.hearing.next(until)? {
                Happening::Stands(pairing) => pairing,
                Happening::TimeOver => return Ok(Arrived::Not(None)),
                Happening::Said(_) | Happening::Silent => continue,
            };
            // The relay's own words say nothing of it.
            if let Some(Ok(head)) = pairing.acknowledgement.as_ref().map(|sealed| released.acknowledged(&sealed.0)) {
                return Ok(Arrived::At(head));
            }
            if is_over(&pairing) {
                return Ok(Arrived::Not(Some(pairing)));
            }
        }
    }

    /// Why the code is over, for who showed it.
    pub(super) fn ended(&self, pairing: &Pairing) -> CliError {
        match (pairing.state.as_str(), pairing.reason.as_deref()) {
            ("expired", _) => self.expired(),
            ("claimed", _) => {
                CliError::verification("the server says that the chat was claimed, but it was given to nobody")
                    .hint(format!("It stays here. For a new code: {}", self.terms.command))
            }
            (_, Some("too_many_guesses")) => self.burned(),
            (_, Some("superseded")) => self.over("superseded", "a newer code took the place of this one"),
            (_, Some("device_removed")) => self.over("device_removed", "this device was removed from its account"),
            _ => self.over("revoked", "this code was revoked; nothing was given away"),
        }
    }

    fn expired(&self) -> CliError {
        self.over("expired", "the code expired, which is normal; nothing was given away")
    }

    fn burned(&self) -> CliError {
        self.over("too_many_guesses", "stopped after 3 wrong codes; nothing was given away")
    }

    fn over(&self, code: &'static str, text: &str) -> CliError {
        CliError::new(Exit::Gone, code, text).hint(format!("For a new code: {}", self.terms.command))
    }
}
