//! `segue device take-back`: makes a chat this machine's again, with what was said on the other device.

use segue_api::Bytes;
use segue_domain::PairingId;
use segue_formats::view::Role;
use serde_json::json;

use super::hold::find;
use crate::{
    account::Account,
    device::{
        drafts,
        held::Moved,
        taking_back::{self, CameBack},
    },
    environment,
    error::{CliError, Exit, Result},
    home::Home,
    library::{Library, Record},
    output::Output,
    remote::Remote,
    resolve::resolve,
    untrusted::Untrusted,
};

/// Takes a chat back. From the first request on the other device can give nothing back any more; what it gave before is shown
/// and, if a person says so, put behind the chat.
pub(super) fn run(named: &str, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let moved = find(&home, named)?;
    let remote = Remote::signed_in(&Account::load(&home)?)?;
    let returned = take_back(&remote, moved.pairing()?)?;
    let Some(sealed) = returned else { return as_it_was(&home, &moved, output) };
    // It may be signed by a device that was added since this one last looked.
    crate::devices::catch_up(&home, output)?;
    let account = Account::load(&home)?;
    let came = taking_back::open(&home, &account, &remote, &moved, &sealed.0, output)?;
    show(&moved, &came, output)?;
    if !output.agrees("Put this behind the chat here?", "Say --yes where nobody can be asked.")? {
        return Err(CliError::new(Exit::Conflict, "not_taken", "nothing was changed here").hint(format!(
            "What came back waits for a day. To go on here without it: segue device fork {}",
            moved.session_id
        )));
    }
    let tools = environment::tools()?;
    let record = record(&home, &moved)?;
    let put = came.put(&home, &tools, &moved, &record, output)?;
    let draft = drafts::keep(&home, &moved.session_id, came.back.draft.as_ref())?;
    moved.forget(&home)?;
    // Where this is not heard, the relay forgets it within a day.
    drop(remote.received_return(moved.pairing()?));
    let (id, holder) = (&moved.session_id, Untrusted(&moved.holder).short(60));
    let native_id = &put.native.id;
    let text = match (put.forked, came.back.seq) {
        (false, _) => format!("{id} is this machine's again, with {} from “{holder}”.", new_messages(&came)),
        (true, Some(_)) => format!(
            "The chat went on here meanwhile, as {}. What came back from “{holder}” is a fork beside it: {native_id}, \
             and {id} from now on.",
            moved.native.id
        ),
        (true, None) => format!(
            "The chat went on here meanwhile, and {id} stays that. What came back from “{holder}” is a fork beside it: {native_id}."
        ),
    };
    let next = if put.forked { native_id } else { id };
    let beside = draft.as_ref().map(|draft| format!("\nWhat was being written is in {draft}")).unwrap_or_default();
    let value = json!({
        "session_id": id, "pairing_id": moved.pairing_id, "returned": true, "messages": came.messages, "forked": put.forked,
        "native_id": native_id, "native_path": put.native.path, "draft_file": draft, "count": came.back.count,
        "head_hash": came.back.head_hash, "place": came.back.pointer,
    });
    output.answer(format!("{text}{beside}\nContinue it: segue resume {next}"), value)
}

/// What came back, if anything. From here on nothing can come any more, nor be claimed.
fn take_back(remote: &Remote, id: PairingId) -> Result<Option<Bytes>> {
    let refused = match remote.take_back(id) {
        Ok(pairing) => return Ok(pairing.returned),
        Err(error) => error,
    };
    match refused.exit {
        // Nobody has claimed it, and nobody may from here on.
        Exit::Conflict => match remote.revoke_pairing(id, "user") {
            // Just now somebody has.
            Err(error) if error.code == "already_claimed" => remote.take_back(id).map(|pairing| pairing.returned),
            Err(error) if error.exit == Exit::Network => Err(error),
            _ => Ok(None),
        },
        // Forgotten after a day, or over before anybody had it.
        Exit::NotFound | Exit::Gone => Ok(None),
        _ => Err(refused),
    }
}

/// Nothing came back.
fn as_it_was(home: &Home, moved: &Moved, output: &Output) -> Result<()> {
    moved.forget(home)?;
    let id = &moved.session_id;
    let text = format!(
        "{id} is this machine's again, as it was when it was moved. What “{}” has of it stays there.\nContinue it: segue resume {id}",
        Untrusted(&moved.holder).short(60)
    );
    output.answer(text, json!({"session_id": id, "pairing_id": moved.pairing_id, "returned": false}))
}

fn show(moved: &Moved, came: &CameBack, output: &Output) -> Result<()> {
    let holder = Untrusted(&moved.holder).short(60);
    let mut lines = vec![format!("“{holder}” gave it back: {}.", new_messages(came))];
    lines.extend(came.last_words.as_ref().map(|(role, text)| {
        let who = if *role == Role::User { "you" } else { "the model" };
        format!("Last, by {who}: {}", Untrusted(text).short(200))
    }));
    let draft = came.back.draft.as_ref();
    lines.extend(draft.map(|draft| format!("Being written: {}", Untrusted(&draft.text).short(200))));
    let last = came.last_words.as_ref().map(|(role, text)| json!({"role": role, "text": text}));
    let value = json!({
        "session_id": moved.session_id, "from": moved.holder, "messages": came.messages, "last": last,
        "draft": draft.map(|draft| &draft.text),
    });
    output.event("came_back", lines.join("\n"), value)
}

fn new_messages(came: &CameBack) -> String {
    format!("{} new message{}", came.messages, if came.messages == 1 { "" } else { "s" })
}

fn record(home: &Home, moved: &Moved) -> Result<Record> {
    let chosen = resolve(&Library::new(home), &environment::tools()?, Some(&moved.session_id))?;
    chosen.record.ok_or_else(|| CliError::not_found("there is no such session").hint("See segue list."))
}
