//! The source: shows a code, judges who enters it, and releases the view to one (SPEC D5–D9).
//!
//! Secrets and counters are in memory only: when this process ends, its code is worth nothing.

use segue_api::pairings::{IssuePairing, Pairing, RefuseAnswer, ReleaseView};
use segue_crypto::pairing::{Answer, Approved, GUESSES_MAX, Judgement, Place, Purpose, Released, SizeClass, Source};
use segue_domain::{Clock as _, PairingId, Timestamp};
use segue_formats::{Found, Turn};
use segue_signed::{lv::lv_cat, sha256};
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::{
    approval::{self, Decision},
    backfill,
    hearing::{Happening, Hearing},
    held::Moved,
    scene::{self, Secrets},
};
use crate::{
    commands::{Reading, prepare},
    environment::{SystemClock, random, rng, tools},
    error::{CliError, Exit, Result},
    library::Native,
    output::Output,
    untrusted::Untrusted,
    upload::Uploader,
};

/// How long a view waits for a reply that is being written, in milliseconds: less than the server waits for this device.
const TURN_WAIT_MS: i64 = 45_000;
/// Time between two looks at a reply that is being written, in milliseconds.
const TURN_LOOK_MS: i64 = 500;

/// What is moved, and how.
pub struct Wanted {
    /// The session in its tool.
    pub found: Found,
    /// What is being written, if anything.
    pub draft: Option<String>,
    /// Whether a reply that is being written is moved as far as it came.
    pub now: bool,
    /// Whether the link is shown.
    pub link: bool,
}

/// A code that is shown.
struct Offering<'a> {
    uploader: &'a Uploader<'a>,
    output: &'a Output,
    wanted: Wanted,
    id: PairingId,
    hearing: Hearing,
    /// By this machine's clock too, nothing is released after it.
    deadline: Timestamp,
    entering: bool,
}

/// Shows a code and waits until somebody has the chat, or the code is over.
pub fn run(uploader: &Uploader<'_>, wanted: Wanted, output: &Output) -> Result<()> {
    let server = uploader.remote.server()?;
    let server_id = server.server_id.0.as_slice().try_into();
    let server_id =
        server_id.map_err(|_| CliError::new(Exit::Network, "answer", "the server does not say which it is"))?;
    let place = Place { purpose: Purpose::Handoff, server_id, hid: random()? };
    let source = Source::new(&mut rng()?, place, SizeClass::Large, server.pairing_seconds);
    let [code_offer, link_offer] = source.offers().map(|offer| offer.encode().into());
    let begun = SystemClock.now();
    let chat_tag = chat_tag(uploader, &wanted.found)?.to_vec().into();
    let shown = uploader.remote.issue_pairing(&IssuePairing { chat_tag, code_offer, link_offer })?;
    let id = PairingId::from_bytes(place.hid);
    let lifetime = shown.expires_in_ms.unwrap_or_default().min(i64::from(server.pairing_seconds) * 1000);
    show(&source, &shown, &uploader.account.server, &wanted, lifetime, output)?;
    let hearing = Hearing::of(&uploader.account, id)?;
    let deadline = begun.plus_millis(lifetime);
    Offering { uploader, output, wanted, id, hearing, deadline, entering: false }.wait(source)
}

/// What tells the chats of this device apart, for the server, and tells it nothing else.
fn chat_tag(uploader: &Uploader<'_>, found: &Found) -> Result<[u8; 32]> {
    let key = uploader.account.device_key()?;
    let chat =
        [b"segue/chat-tag/1".as_slice(), key.expose(), found.tool.as_str().as_bytes(), found.native_id.as_bytes()];
    Ok(sha256(&Zeroizing::new(lv_cat(&chat))))
}

fn show(source: &Source, shown: &Pairing, server: &Url, wanted: &Wanted, lifetime: i64, output: &Output) -> Result<()> {
    let nameplate = shown.nameplate.as_deref().and_then(|text| text.parse().ok());
    let nameplate = nameplate.ok_or_else(|| CliError::new(Exit::Network, "answer", "the server gives no nameplate"))?;
    let code = source.code(nameplate);
    let mut link = server.join("h").map_err(|_| CliError::usage("the server's address is not a URL"))?;
    link.set_fragment(Some(&source.fragment(nameplate)));
    let title = wanted.found.title.as_deref().unwrap_or("a session without title");
    let minutes = format!("{}:{:02}", lifetime / 60_000, lifetime / 1_000 % 60);
    let how = if wanted.link { format!("\n\nOr open there:\n\n  {link}") } else { String::new() };
    let text = format!(
        "Moving {} to another device.\n\n  {}\n\nEnter this code there within {minutes}: segue device claim --server {server}{how}\n\n\
         The chat moves, your keys and settings stay here. Nothing is kept on the server. Ctrl-C ends it.",
        Untrusted(title).short(60),
        *code,
    );
    let mut value =
        json!({"event": "issued", "pairing_id": shown.pairing_id, "code": *code, "expires_in_ms": lifetime});
    if wanted.link {
        value["link"] = link.to_string().into();
    }
    output.answer(text, value)
}

impl Offering<'_> {
    /// Waits for somebody who knows the secret.
    fn wait(mut self, mut source: Source) -> Result<()> {
        loop {
            match self.hearing.next(self.deadline)? {
                Happening::Stands(pairing) if pairing.state != "issued" => return Err(ended(&pairing)),
                Happening::Stands(pairing) => {
                    self.say_entering(&pairing)?;
                    let Some(answer) = pairing.answer.filter(|_| pairing.attempt == source.attempt()) else { continue };
                    // What is no answer at all was made by the server, and is waited over: time ends it.
                    let Ok(answer) = Answer::parse(&answer.0) else { continue };
                    let attempt = source.attempt();
                    source = match source.receive(&mut rng()?, &answer) {
                        Judgement::Confirmed(confirmed) => {
                            let name = confirmed.hello().name.clone();
                            let account = &self.uploader.account;
                            let decision = approval::decide(
                                confirmed,
                                account,
                                &mut self.hearing,
                                SystemClock.now(),
                                self.output,
                            )?;
                            return self.decided(decision, &name, attempt);
                        }
                        Judgement::Refused(next) => {
                            self.refuse(attempt, Some(&next))?;
                            *next
                        }
                        Judgement::Burned => {
                            self.refuse(attempt, None)?;
                            return Err(burned());
                        }
                        Judgement::Stale(same) => *same,
                    };
                }
                Happening::TimeOver => {
                    // The server knows by itself, or will.
                    drop(self.uploader.remote.pairing(self.id));
                    return Err(expired());
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

    fn decided(self, decision: Decision, name: &str, attempt: u8) -> Result<()> {
        match decision {
            Decision::Approved(approved) => self.release(approved, name, attempt),
            Decision::Refused => {
                self.uploader.remote.revoke_pairing(self.id, "not_approved")?;
                Err(CliError::new(Exit::Gone, "not_approved", "the device was not let in; nothing was moved")
                    .hint("To move the chat after all, start again: segue device start"))
            }
            Decision::Ended(pairing) => Err(ended(&pairing)),
        }
    }

    /// Waits for a reply that is being written, then moves the chat.
    fn release(mut self, approved: Approved, name: &str, attempt: u8) -> Result<()> {
        let (tools, secrets) = (tools()?, Secrets::draw()?);
        self.wait_for_turn()?;
        let native_id = self.wanted.found.native_id.clone();
        let mut session = prepare(self.uploader, Some(&native_id), Reading::WhatIsNew, false)?;
        let session_id = session.record.session_id.clone();
        let format = segue_formats::format_for(self.wanted.found.tool);
        let found = format.find(&tools, &native_id).ok().flatten().unwrap_or_else(|| self.wanted.found.clone());
        let (account, draft) = (&self.uploader.account, self.wanted.draft.take());
        let made = scene::make(&tools, account, &found, &session_id, draft, &secrets, approved.room())?;
        let own = account.device_key()?;
        let (release, released) = approved.release(&made.bytes, Some(&own)).map_err(|error| {
            CliError::new(Exit::Error, "view", format!("the view of this session is too long: {error}"))
        })?;
        let native = Native { id: native_id, path: found.path.clone(), cwd: found.cwd.clone().unwrap_or_default() };
        let mut moved = Moved::new(self.id, &session_id, native, name, made.handed, SystemClock.now());
        // Known here before anybody can have it; forgotten again when nobody got it.
        moved.save(&self.uploader.home)?;
        let body = ReleaseView {
            attempt,
            release: release.encode().into(),
            fetch_token_hash: Some(sha256(&secrets.token).to_vec().into()),
        };
        match self.uploader.remote.release_view(self.id, &body) {
            Ok(_) => {}
            Err(error) if error.exit == Exit::Network => {
                return Err(error.hint("The chat may have been moved. See: segue device status"));
            }
            Err(error) => {
                moved.forget(&self.uploader.home)?;
                return Err(error);
            }
        }
        let who = Untrusted(name).short(60);
        self.output.event("claimed", format!("Claimed by “{who}”."), json!({"name": who, "session_id": session_id}))?;
        backfill::send(self.uploader, &mut session, self.id, &secrets)?;
        drop(session);
        self.until_ready(released, &mut moved)
    }

    /// A reply that is being written is finished first, or moved as far as it came.
    fn wait_for_turn(&self) -> Result<()> {
        let (tools, found) = (tools()?, &self.wanted.found);
        let format = segue_formats::format_for(found.tool);
        let until = SystemClock.now().plus_millis(TURN_WAIT_MS);
        let mut said = false;
        while !self.wanted.now && SystemClock.now() < until {
            let now = format.find(&tools, &found.native_id).ok().flatten().unwrap_or_else(|| found.clone());
            let Ok(Turn::Running { .. }) = format.turn(&now) else { return Ok(()) };
            if !said {
                let text = "A reply is still being written: it is finished first, for at most 45 seconds.";
                self.output.event("turn", text.to_owned(), json!({}))?;
                said = true;
            }
            let look = SystemClock.now().plus_millis(TURN_LOOK_MS);
            match self.hearing.next(look)? {
                Happening::Stands(pairing) if pairing.state != "issued" => return Err(ended(&pairing)),
                _ => {}
            }
        }
        Ok(())
    }

    /// "Ready there" comes from the other device's sealed word alone.
    fn until_ready(self, released: Released, moved: &mut Moved) -> Result<()> {
        let home = &self.uploader.home;
        let until = SystemClock.now().plus_millis(segue_domain::limits::PAIRING_DELIVERY_MS);
        loop {
            let Happening::Stands(pairing) = self.hearing.next(until)? else {
                continue;
            };
            if let Some(sealed) = &pairing.acknowledgement
                && let Ok(head) = released.acknowledged(&sealed.0)
            {
                if head != moved.handed.head_hash.0 {
                    return Err(CliError::verification("the other device arrived at another chat")
                        .hint(format!("Take it back: segue device take-back {}", moved.session_id)));
                }
                moved.keep_return(&released.into_return());
                moved.save(home)?;
                let who = Untrusted(&moved.holder).short(60);
                let text = format!(
                    "Ready on “{who}”. It holds the chat now: take it back with segue device take-back {}",
                    moved.session_id
                );
                self.output.event("ready", text, json!({"name": who, "session_id": moved.session_id}))?;
                return Ok(());
            }
            if matches!(pairing.reason.as_deref(), Some("taken_back" | "lapsed")) {
                return Err(CliError::new(Exit::Gone, "not_arrived", "the chat has not arrived on the other device")
                    .hint(format!("It is yours again with: segue device take-back {}", moved.session_id)));
            }
        }
    }
}

/// Why a code is over, for who showed it.
fn ended(pairing: &Pairing) -> CliError {
    let (code, text) = match (pairing.state.as_str(), pairing.reason.as_deref()) {
        ("expired", _) => return expired(),
        (_, Some("too_many_guesses")) => return burned(),
        (_, Some("superseded")) => ("superseded", "a newer code for this chat took the place of this one"),
        (_, Some("device_removed")) => ("device_removed", "this device was removed from its account"),
        _ => ("revoked", "this code was revoked; nothing was moved"),
    };
    CliError::new(Exit::Gone, code, text).hint("For a new code: segue device start")
}

fn expired() -> CliError {
    CliError::new(Exit::Gone, "expired", "the code expired, which is normal; nothing was moved")
        .hint("For a new code: segue device start")
}

fn burned() -> CliError {
    CliError::new(Exit::Gone, "too_many_guesses", "stopped after 3 wrong codes; nothing was moved")
        .hint("For a new code: segue device start")
}
