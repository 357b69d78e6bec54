//! Moving a chat: the source's side from the code to "ready there" (SPEC D1, D5, D13).

use std::thread::{self, Scope};

use segue_api::pairings::{Pairing, ReleaseView};
use segue_crypto::pairing::{Purpose, Released, SizeClass};
use segue_domain::{Clock as _, Timestamp, limits};
use segue_formats::Found;
use segue_signed::{lv::lv_cat, sha256};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    ahead::{Ahead, Sealing},
    backfill,
    hearing::Happening,
    held::Moved,
    offering::{self, Arrived, LetIn, Offering, Terms},
    scene::{self, Chat, Secrets},
};
use crate::{
    commands::{Prepared, Reading, prepare},
    environment::{SystemClock, tools},
    error::{CliError, Exit, Result},
    library::Record,
    output::Output,
    untrusted::Untrusted,
    upload::{Pushed, Uploader},
};

/// How long a view waits for a reply that is being written, in milliseconds: less than the server waits for this device.
const TURN_WAIT_MS: i64 = 45_000;
/// Time between two looks at a reply that is being written, in milliseconds.
const TURN_LOOK_MS: i64 = 500;

/// Longest time before something is sent again to a server that did not answer, in milliseconds.
const AGAIN_MS: i64 = 5_000;

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

/// Shows a code and waits until somebody has the chat, or the code is over.
pub fn run(uploader: &Uploader<'_>, wanted: Wanted, output: &Output) -> Result<()> {
    let tag = chat_tag(uploader, &wanted.found)?;
    // Views of all chats are of one size: it says nothing about them, and is known before the chat is read.
    let terms = Terms { purpose: Purpose::Handoff, size_class: SizeClass::Large, tag, command: "segue device start" };
    let tools = tools()?;
    thread::scope(|scope| {
        let ahead = Ahead::begin(scope, uploader, tools, wanted.found.clone());
        let (offering, let_in) = offering::offer(uploader, terms, output, |offering| show(offering, &wanted))?;
        Moving { offering, wanted }.release(scope, let_in, ahead)
    })
}

/// What tells the chats of this device apart, for the server, and tells it nothing else.
fn chat_tag(uploader: &Uploader<'_>, found: &Found) -> Result<[u8; 32]> {
    let key = uploader.account.device_key()?;
    let chat =
        [b"segue/chat-tag/1".as_slice(), key.expose(), found.tool.as_str().as_bytes(), found.native_id.as_bytes()];
    Ok(sha256(&Zeroizing::new(lv_cat(&chat))))
}

fn show(offering: &Offering<'_>, wanted: &Wanted) -> Result<()> {
    let title = wanted.found.title.as_deref().unwrap_or("a session without title");
    let how = if wanted.link { format!("\n\nOr open there:\n\n  {}", *offering.link) } else { String::new() };
    let text = format!(
        "{}Moving {} to another device.\n\n  {}\n\nEnter this code there within {}: segue device claim --server {}{how}\n\n\
         The chat moves, your keys and settings stay here. The server keeps nothing that it could read. {}",
        offering.qr(),
        Untrusted(title).short(60),
        *offering.code,
        offering.minutes(),
        offering.uploader.account.server,
        offering.keys(),
    );
    let mut value = json!({"event": "issued", "pairing_id": offering.id.to_string(), "code": *offering.code,
                           "expires_in_ms": offering.lifetime});
    if wanted.link {
        value["link"] = offering.link.as_str().into();
    }
    offering.output.answer(text, value)
}

/// A view that is ready to go.
struct Packed {
    secrets: Secrets,
    released: Released,
    moved: Moved,
    body: ReleaseView,
}

/// A chat on its way.
struct Moving<'a> {
    offering: Offering<'a>,
    wanted: Wanted,
}

impl<'a> Moving<'a> {
    /// Moves the chat. Whatever fails before it is on its way ends the code, so that nobody waits for it.
    fn release<'scope>(mut self, scope: &'scope Scope<'scope, 'a>, let_in: LetIn, ahead: Ahead<'scope>) -> Result<()> {
        let taken = self.take(scope, ahead);
        let (mut session, chat, sealing) = taken.map_err(|error| self.offering.given_up(error))?;
        let told = backfill::as_told(self.offering.uploader, &session.record);
        let told = told.map_err(|error| self.offering.given_up(error))?;
        let draft = self.wanted.draft.take();
        let packed = self.pack(let_in, &told, &chat, draft).map_err(|error| self.offering.given_up(error))?;
        let Packed { secrets, released, moved, .. } = self.send_view(packed)?;
        // All of it goes behind the view.
        let pushed = backfill::push(self.offering.uploader, &mut session, told.private, sealing.go());
        let sent = self.send_rest(&mut session, pushed, told.private, &secrets, &moved);
        drop(session);
        if sent.as_ref().is_err_and(|error| self.keep_here(error, &moved)) {
            let hint = "The chat stays here, and the other device is told so. For a new code: segue device start";
            return sent.map_err(|error| error.hint(hint));
        }
        sent.and_then(|()| self.until_ready(&released, &moved)).map_err(|error| match error.code {
            "not_arrived" | "not_taken" | "verification_failed" => error,
            // Whatever it is: this is what can be done about it.
            _ => error.hint(yours_with(&moved)),
        })
    }

    /// Waits for a reply that is being written, then takes the chat as it is.
    fn take<'scope>(
        &self,
        scope: &'scope Scope<'scope, 'a>,
        ahead: Ahead<'scope>,
    ) -> Result<(Prepared, Chat, Sealing<'scope>)> {
        let (tools, uploader) = (tools()?, self.offering.uploader);
        self.wait_for_turn()?;
        let wanted = &self.wanted.found;
        let format = segue_formats::format_for(wanted.tool);
        let found = format.find(&tools, &wanted.native_id).ok().flatten().unwrap_or_else(|| wanted.clone());
        let (chat, capture, sealing) = match ahead.read() {
            Ok(read) if read.1.is_current(&tools, &found) && !read.2.has_failed() => read,
            _ => Ahead::begin(scope, uploader, tools, found).read()?,
        };
        let session = prepare(uploader, Some(&wanted.native_id), Reading::Captured(capture), false)?;
        uploader.library.save(&session.record)?;
        Ok((session, chat, sealing))
    }

    /// Makes what is released. Known here before anybody can have it.
    fn pack(&self, let_in: LetIn, record: &Record, chat: &Chat, draft: Option<String>) -> Result<Packed> {
        let LetIn { approved, name, attempt } = let_in;
        // Reading may have taken a while.
        self.offering.hearing.still_wanted()?;
        let (tools, secrets, account) = (tools()?, Secrets::draw()?, &self.offering.uploader.account);
        let made = scene::make(&tools, account, chat, record, draft, &secrets, approved.room())?;
        let own = account.device_key()?;
        let (release, released) = approved.release(&made.bytes, Some(&own)).map_err(|error| {
            CliError::new(Exit::Error, "view", format!("the view of this session is too long: {error}"))
        })?;
        let id = self.offering.id;
        let mut moved = Moved::new(id, &record.session_id, chat.native(), &name, made.handed, SystemClock.now());
        moved.keep_return(&released.return_opener());
        moved.save(&self.offering.uploader.home)?;
        let body = ReleaseView {
            attempt,
            release: release.encode().into(),
            fetch_token_hash: Some(sha256(&secrets.token).to_vec().into()),
        };
        Ok(Packed { secrets, released, moved, body })
    }

    fn send_view(&self, packed: Packed) -> Result<Packed> {
        let moved = &packed.moved;
        if let Err(error) = self.send(&packed.body) {
            return match error.exit {
                Exit::Network | Exit::Interrupted => {
                    Err(error.hint(format!("It may have been delivered. {}", yours_with(moved))))
                }
                _ => {
                    moved.forget(&self.offering.uploader.home)?;
                    Err(error.hint("The chat stays here. For a new code: segue device start"))
                }
            };
        }
        let who = Untrusted(&moved.holder).short(60);
        let text = format!("Claimed by “{who}”. Leave this running until it says that it is ready there.");
        self.offering.output.event("claimed", text, json!({"name": who, "session_id": moved.session_id}))?;
        Ok(packed)
    }

    /// Sends the release until the server has it: a way to it that breaks is waited for, as long as the answer waits there.
    fn send(&self, body: &ReleaseView) -> Result<()> {
        let until = self.offering.deadline.plus_millis(limits::PAIRING_APPROVAL_MS);
        loop {
            match self.offering.uploader.remote.release_view(self.offering.id, body) {
                Ok(_) => return Ok(()),
                Err(error) if error.exit == Exit::Network => self.until_heard(until, error)?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends the whole chat in the same way. When nobody waits for it any more, the pairing says why.
    fn send_rest(
        &self,
        session: &mut Prepared,
        mut pushed: Result<Pushed>,
        private: bool,
        secrets: &Secrets,
        moved: &Moved,
    ) -> Result<()> {
        let (uploader, id) = (self.offering.uploader, self.offering.id);
        let until = SystemClock.now().plus_millis(limits::PAIRING_DELIVERY_MS);
        loop {
            match pushed.and_then(|pushed| backfill::deliver(uploader, session, &pushed, id, secrets)) {
                Ok(()) => return Ok(()),
                Err(error) if error.exit == Exit::Network => self.until_heard(until, error)?,
                Err(error) if error.exit == Exit::Conflict => {
                    let pairing = uploader.remote.pairing(id)?;
                    return self.over(&pairing, moved).and(Err(error));
                }
                Err(error) => return Err(error),
            }
            pushed = backfill::push(uploader, session, private, None);
        }
    }

    /// Waits until the server is heard again, or for a while; `otherwise` is why it is waited for, when it was for too long.
    fn until_heard(&self, until: Timestamp, otherwise: CliError) -> Result<()> {
        let soon = SystemClock.now().plus_millis(AGAIN_MS);
        match self.offering.hearing.stands(soon.min(until))? {
            None if SystemClock.now() >= until => Err(otherwise),
            Some(_) | None => Ok(()),
        }
    }

    /// A reply that is being written is finished first, or moved as far as it came.
    fn wait_for_turn(&self) -> Result<()> {
        let (tools, found) = (tools()?, &self.wanted.found);
        let format = segue_formats::format_for(found.tool);
        let until = SystemClock.now().plus_millis(TURN_WAIT_MS);
        let mut said = false;
        while !self.wanted.now && SystemClock.now() < until {
            let now = format.find(&tools, &found.native_id).ok().flatten().unwrap_or_else(|| found.clone());
            if !format.turn(&now).is_ok_and(|turn| turn.is_alive(SystemClock.now().as_millis())) {
                return Ok(());
            }
            if !said {
                let text = "A reply is still being written: it is finished first, for at most 45 seconds.";
                self.offering.output.event("turn", text.to_owned(), json!({}))?;
                said = true;
            }
            let look = SystemClock.now().plus_millis(TURN_LOOK_MS);
            match self.offering.hearing.next(look)? {
                Happening::Stands(pairing) if pairing.state != "issued" => return Err(self.offering.ended(&pairing)),
                _ => {}
            }
        }
        Ok(())
    }

    /// "Ready there" comes from the other device's sealed word alone.
    fn until_ready(&self, released: &Released, moved: &Moved) -> Result<()> {
        let head = match self.offering.until_acknowledged(released)? {
            Arrived::At(head) => head,
            Arrived::Not(pairing) => {
                return pairing.map_or(Ok(()), |pairing| self.over(&pairing, moved)).and(Err(not_arrived(moved)));
            }
        };
        if head != moved.handed.head_hash.0 {
            return Err(CliError::verification("the other device arrived at another chat").hint(yours_with(moved)));
        }
        let who = Untrusted(&moved.holder).short(60);
        let text = format!(
            "Ready on “{who}”. It holds the chat now: take it back with segue device take-back {}",
            moved.session_id
        );
        self.offering.output.event("ready", text, json!({"name": who, "session_id": moved.session_id}))
    }

    /// Takes the chat back when it is this machine that cannot give all of it, so that nobody waits for the rest. Whether it did.
    fn keep_here(&self, error: &CliError, moved: &Moved) -> bool {
        let uploader = self.offering.uploader;
        error.exit == Exit::Error
            && uploader.remote.take_back(self.offering.id).is_ok_and(|pairing| pairing.returned.is_none())
            && moved.forget(&uploader.home).is_ok()
    }

    /// How the other device's access ended, if it has.
    fn over(&self, pairing: &Pairing, moved: &Moved) -> Result<()> {
        match pairing.reason.as_deref() {
            // Everything is there, and no word that it is: the other device lets the chat go.
            Some("completed") => {
                moved.note_not_taken(&self.offering.uploader.home)?;
                Err(not_taken(moved))
            }
            Some("taken_back" | "lapsed") => Err(not_arrived(moved)),
            _ => Ok(()),
        }
    }
}

fn not_arrived(moved: &Moved) -> CliError {
    CliError::new(Exit::Gone, "not_arrived", "the chat has not arrived on the other device").hint(yours_with(moved))
}

fn not_taken(moved: &Moved) -> CliError {
    let who = Untrusted(&moved.holder).short(60);
    let text = format!("“{who}” did not take the chat over: it refused it, or made a chat of its own of it");
    CliError::new(Exit::Gone, "not_taken", text).hint(format!("Nobody holds it. {}", yours_with(moved)))
}

fn yours_with(moved: &Moved) -> String {
    format!("It is yours again with: segue device take-back {}", moved.session_id)
}
