//! What a source does while its code is shown, and after it let somebody in: it waits, judges, and counts for itself.

use segue_api::pairings::{Pairing, RefuseAnswer};
use segue_crypto::pairing::{Answer, Confirmed, GUESSES_MAX, Judgement, Released, Source};
use segue_domain::{Clock as _, limits};
use serde_json::json;

use super::{Arrived, LetIn, Offering, Waited};
use crate::{
    device::{
        approval::{self, Decision},
        countdown::Countdown,
        hearing::{Happening, is_over},
    },
    environment::{SystemClock, rng},
    error::{CliError, Exit, Result},
};

/// How far two clocks may be apart that run as they should, in milliseconds: over the life of a code, with a slow line.
const CLOCKS_APART_MS: i64 = 5_000;

impl<'a> Offering<'a> {
    /// Waits for somebody who knows the secret and is let in. Whoever ends it before ends the code with it.
    pub(super) fn wait(mut self, source: Source) -> Result<Waited<'a>> {
        match self.wait_for_one(source) {
            Ok(Some(let_in)) => Ok(Waited::LetIn(Box::new(self), let_in)),
            Ok(None) => {
                self.uploader.remote.revoke_pairing(self.id, "user")?;
                Ok(Waited::Again(self.hearing))
            }
            Err(error) if error.exit == Exit::Interrupted => Err(self.given_up(error)),
            Err(error) if error.exit == Exit::Gone && self.hearing.reads_lines() => self.again(error),
            Err(error) if matches!(error.exit, Exit::Network | Exit::NotFound) => {
                Err(error.hint(format!("Nothing was given away. For a new code: {}", self.terms.command)))
            }
            Err(error) => Err(error),
        }
    }

    /// Ends the code because of what went wrong here, before anything was given away.
    pub(in crate::device) fn given_up(&self, error: CliError) -> CliError {
        let told = self.uploader.remote.revoke_pairing(self.id, "user");
        match (error.exit, told) {
            (Exit::Interrupted, Ok(_)) => {
                CliError::new(Exit::Interrupted, "revoked", "you ended this code; nothing was given away")
            }
            (_, Err(_)) => error.hint(
                "Nothing was given away. The code ends by itself within minutes; nobody here answers it any more.",
            ),
            (_, Ok(_)) => {
                let hint = format!("Nothing was given away, and the code is over. {}", error.hint);
                error.hint(hint.trim_end())
            }
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
                    // A server takes nothing of that kind from a device, so this is its own.
                    let answer = Answer::parse(&answer.0).map_err(|_| self.senseless())?;
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
                Happening::Said(line) if line.eq_ignore_ascii_case("c") => {
                    self.output.copy(&self.link);
                    self.output.notice("The link is copied, if this terminal lets it be.");
                }
                Happening::Said(_) | Happening::Silent => {}
            }
        }
    }

    fn senseless(&self) -> CliError {
        drop(self.uploader.remote.revoke_pairing(self.id, "user"));
        CliError::verification("the server gave something that no device answers")
            .hint(format!("Nothing was given away. For a new code: {}", self.terms.command))
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
    pub(in crate::device) fn until_acknowledged(&self, released: &Released) -> Result<Arrived> {
        let until = SystemClock.now().plus_millis(limits::PAIRING_DELIVERY_MS);
        while let Some(pairing) = self.hearing.stands(until)? {
            // The relay's own words say nothing of it.
            if let Some(Ok(head)) = pairing.acknowledgement.as_ref().map(|sealed| released.acknowledged(&sealed.0)) {
                return Ok(Arrived::At(head));
            }
            if is_over(&pairing) {
                return Ok(Arrived::Not(Some(pairing)));
            }
        }
        Ok(Arrived::Not(None))
    }

    /// Why the code is over, for who showed it.
    pub(in crate::device) fn ended(&self, pairing: &Pairing) -> CliError {
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
