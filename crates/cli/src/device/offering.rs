//! The source: shows a code, judges who enters it, and lets one in (SPEC D5–D9, A1).
//!
//! Secrets and counters are in memory only: when this process ends, its code is worth nothing.

use std::io::{self, IsTerminal as _};

use fast_qr::{ECL, QRBuilder};
use segue_api::pairings::{IssuePairing, Pairing, RefuseAnswer};
use segue_crypto::pairing::{Answer, Approved, Confirmed, GUESSES_MAX, Judgement, Place, Purpose, SizeClass, Source};
use segue_domain::{Clock as _, PairingId, Timestamp};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    approval::{self, Decision},
    hearing::{Happening, Hearing},
};
use crate::{
    environment::{SystemClock, random, rng},
    error::{CliError, Exit, Result},
    output::Output,
    upload::Uploader,
};

/// What is offered.
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
    deadline: Timestamp,
    entering: bool,
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

impl<'a> Offering<'a> {
    /// Asks the server for a nameplate, and makes a code of it.
    pub(super) fn open(uploader: &'a Uploader<'a>, terms: Terms, output: &'a Output) -> Result<(Self, Source)> {
        let senseless = |what: &str| CliError::new(Exit::Network, "answer", format!("the server does not say {what}"));
        let server = uploader.remote.server()?;
        let server_id = server.server_id.0.as_slice().try_into().map_err(|_| senseless("which it is"))?;
        let place = Place { purpose: terms.purpose, server_id, hid: random()? };
        let source = Source::new(&mut rng()?, place, terms.size_class, server.pairing_seconds);
        let [code_offer, link_offer] = source.offers().map(|offer| offer.encode().into());
        let begun = SystemClock.now();
        let body = IssuePairing { chat_tag: terms.tag.to_vec().into(), code_offer, link_offer };
        let shown = uploader.remote.issue_pairing(&body)?;
        let lifetime = shown.expires_in_ms.unwrap_or_default().min(i64::from(server.pairing_seconds) * 1000);
        let nameplate = shown.nameplate.as_deref().and_then(|text| text.parse().ok());
        let nameplate = nameplate.ok_or_else(|| senseless("under which nameplate"))?;
        let path = if terms.purpose == Purpose::Link { "l" } else { "h" };
        let address = uploader.account.server.join(path);
        let address = address.map_err(|_| CliError::usage("the server's address is not a URL"))?;
        let id = PairingId::from_bytes(place.hid);
        let offering = Self {
            uploader,
            output,
            id,
            hearing: Hearing::of(&uploader.account, id)?,
            terms,
            lifetime,
            code: source.code(nameplate),
            link: Zeroizing::new(format!("{address}#{}", *source.fragment(nameplate))),
            deadline: begun.plus_millis(lifetime),
            entering: false,
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
        format!("{}:{:02}", self.lifetime / 60_000, self.lifetime / 1_000 % 60)
    }

    /// Waits for somebody who knows the secret and is let in. Whoever ends it before ends the code with it.
    pub(super) fn wait(self, source: Source) -> Result<(Self, LetIn)> {
        let (uploader, id) = (self.uploader, self.id);
        self.wait_for_one(source).map_err(|error| {
            if error.exit != Exit::Interrupted {
                return error;
            }
            match uploader.remote.revoke_pairing(id, "user") {
                Ok(_) => CliError::new(Exit::Interrupted, "revoked", "you ended this code; nothing was given away"),
                Err(_) => error.hint("The code ends by itself within minutes; nobody here answers it any more."),
            }
        })
    }

    fn wait_for_one(mut self, mut source: Source) -> Result<(Self, LetIn)> {
        loop {
            match self.hearing.next(self.deadline)? {
                Happening::Stands(pairing) if pairing.state != "issued" => return Err(self.ended(&pairing)),
                Happening::Stands(pairing) => {
                    self.say_entering(&pairing)?;
                    let Some(answer) = pairing.answer.filter(|_| pairing.attempt == source.attempt()) else { continue };
                    // What is no answer at all was made by the server, and is waited over: time ends it.
                    let Ok(answer) = Answer::parse(&answer.0) else { continue };
                    let attempt = source.attempt();
                    source = match source.receive(&mut rng()?, &answer) {
                        Judgement::Confirmed(confirmed) => return self.let_in(confirmed, attempt),
                        Judgement::Refused(next) => {
                            self.refuse(attempt, Some(&next))?;
                            *next
                        }
                        Judgement::Burned => {
                            self.refuse(attempt, None)?;
                            return Err(self.burned());
                        }
                        Judgement::Stale(same) => *same,
                    };
                }
                Happening::TimeOver => {
                    // The server records it when it is asked.
                    drop(self.uploader.remote.pairing(self.id));
                    return Err(self.expired());
                }
                Happening::Said(_) | Happening::Silent => {}
            }
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
        let offers = next.map(|next| next.offers().map(|offer| offer.encode().into()));
        let [code_offer, link_offer] = offers.map_or([None, None], |offers| offers.map(Some));
        self.uploader.remote.refuse_answer(self.id, &RefuseAnswer { attempt, code_offer, link_offer })?;
        let text = format!("Someone entered a wrong code ({attempt} of {GUESSES_MAX}).");
        self.output.event("wrong_code", text, json!({"attempt": attempt, "of": GUESSES_MAX}))
    }

    fn let_in(mut self, confirmed: Box<Confirmed>, attempt: u8) -> Result<(Self, LetIn)> {
        let (name, account) = (confirmed.hello().name.clone(), &self.uploader.account);
        match approval::decide(confirmed, account, &mut self.hearing, SystemClock.now(), self.output)? {
            Decision::Approved(approved) => Ok((self, LetIn { approved, name, attempt })),
            Decision::Refused => {
                self.uploader.remote.revoke_pairing(self.id, "not_approved")?;
                Err(self.over("not_approved", "the device was not let in; nothing was given away"))
            }
            Decision::Ended(pairing) => Err(self.ended(&pairing)),
        }
    }

    /// Why the code is over, for who showed it.
    pub(super) fn ended(&self, pairing: &Pairing) -> CliError {
        match (pairing.state.as_str(), pairing.reason.as_deref()) {
            ("expired", _) => self.expired(),
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
