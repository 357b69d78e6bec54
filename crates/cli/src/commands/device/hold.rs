//! Who holds a chat: `segue device status`, `revoke` and `fork` (SPEC D12).

use segue_domain::{Clock as _, PairingId};
use serde_json::{Value, json};

use crate::{
    account::Account,
    commands::list::day,
    device::{
        arrived::Arrival,
        held::{DAMAGED, Moved},
        notes, shown,
    },
    environment::{self, SystemClock},
    error::{CliError, Exit, Result},
    home::Home,
    library::Library,
    output::Output,
    remote::Remote,
    resolve::resolve,
    untrusted::Untrusted,
};

/// Lists the chats that other devices hold, and those that came from others.
pub(super) fn status(output: &Output) -> Result<()> {
    let home = Home::find()?;
    let account = Account::find(&home)?;
    let arrivals = Arrival::all(&home, SystemClock.now())?;
    let whole = notes::warn_of_damaged(&home, output);
    let (mut lines, mut moved, mut arrived) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(account) = &account {
        let remote = Remote::signed_in(account)?;
        shown::end_abandoned(&home, &remote)?;
        for held in Moved::all(&home, SystemClock.now())? {
            match away(&remote, &held) {
                Ok((line, value)) => {
                    lines.push(line);
                    moved.push(value);
                }
                Err(error) if error.code == DAMAGED => output.warn(format!("Warning: {error}. {}", error.hint)),
                Err(error) => return Err(error),
            }
        }
    }
    for arrival in arrivals {
        let source = Untrusted(&arrival.source).short(60);
        let stands = match (arrival.returned_at, arrival.sent) {
            (None, _) => "here",
            (Some(_), false) => "given back, not sent yet: segue device return",
            (Some(_), true) => "given back",
        };
        lines.push(format!("{}  {stands}  from “{source}”  since {}", arrival.session_id, day(arrival.at)));
        arrived
            .push(json!({"session_id": arrival.session_id, "pairing_id": arrival.pairing_id, "source": arrival.source,
                            "at": arrival.at, "returned": arrival.returned_at.is_some(), "sent": arrival.sent}));
    }
    let text = match (lines.is_empty(), whole) {
        (false, _) => lines.join("\n"),
        (true, true) => "No chat of this machine is on another device, and none came from one.".to_owned(),
        (true, false) => "No note that can be read names a chat.".to_owned(),
    };
    output.answer(text, json!({"moved": moved, "arrived": arrived}))
}

/// A chat that another device holds.
fn away(remote: &Remote, moved: &Moved) -> Result<(String, Value)> {
    let (state, reason, returned) = match remote.pairing(moved.pairing()?) {
        Ok(pairing) => (pairing.state, pairing.reason.unwrap_or_default(), pairing.returned.is_some()),
        Err(error) if error.exit == Exit::NotFound => ("claimed".to_owned(), "completed".to_owned(), false),
        Err(error) => return Err(error),
    };
    let holder = Untrusted(&moved.holder).short(60);
    let back = if returned {
        format!("  has given it back: segue device take-back {}", moved.session_id)
    } else {
        String::new()
    };
    let (state, reason) = (Untrusted(&state).short(20), Untrusted(&reason).short(20));
    let stands = if moved.not_taken { "was not taken by".to_owned() } else { stands(&state, &reason) };
    let line = format!("{}  {stands} “{holder}”  since {}{back}", moved.session_id, day(moved.at));
    let value = json!({"session_id": moved.session_id, "pairing_id": moved.pairing_id, "state": state, "reason": reason,
                       "holder": moved.holder, "at": moved.at, "returned": returned});
    Ok((line, value))
}

/// What the server's words for it mean.
fn stands(state: &str, reason: &str) -> String {
    let known = match (state, reason) {
        ("issued", _) => "may go to",
        ("claimed", "delivering") => "is on its way to",
        ("claimed", "acknowledged" | "completed") => "is held by",
        ("claimed", "taken_back" | "lapsed") => "did not arrive on",
        ("revoked" | "expired", _) => "was not taken by",
        _ => return format!("is {state} ({reason}):"),
    };
    known.to_owned()
}

/// Ends a code that is shown, also by another process or another device of the account.
pub(super) fn revoke(pairing: &str, output: &Output) -> Result<()> {
    let id: PairingId =
        pairing.parse().map_err(|_| CliError::usage("this is no id of a pairing: it begins with par_"))?;
    let remote = Remote::signed_in(&Account::load(&Home::find()?)?)?;
    let seen = remote.revoke_pairing(id, "user").map_err(|error| match error.code {
        "already_claimed" => error.hint("The chat was claimed: segue device take-back SESSION"),
        _ => error,
    })?;
    if seen.state != "revoked" {
        return Err(
            CliError::verification("the server does not say that the code is revoked").hint("See segue device status.")
        );
    }
    output.answer(
        "Revoked. Nothing was moved.",
        json!({"pairing_id": pairing, "state": seen.state, "reason": seen.reason}),
    )
}

/// Goes on here beside the device that holds the chat: from now on these are two.
pub(super) fn fork(named: &str, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let id = session(&home, named)?;
    let (holder, pairing_id) = match (Moved::find(&home, &id)?, Arrival::find(&home, &id)?) {
        (Some(moved), _) => {
            moved.forget(&home)?;
            (moved.holder, moved.pairing_id)
        }
        (None, Some(arrival)) if arrival.returned_at.is_some() => {
            arrival.forget(&home)?;
            (arrival.source, arrival.pairing_id)
        }
        (None, _) => return Err(not_held()),
    };
    let text = format!(
        "{id} goes on here too. It is another chat than that on “{}” from now on.\nContinue it: segue resume {id}",
        Untrusted(&holder).short(60)
    );
    output.answer(text, json!({"session_id": id, "pairing_id": pairing_id}))
}

/// The note of a chat that another device holds.
pub(super) fn find(home: &Home, named: &str) -> Result<Moved> {
    Moved::find(home, &session(home, named)?)?.ok_or_else(not_held)
}

fn session(home: &Home, named: &str) -> Result<String> {
    let chosen = resolve(&Library::new(home), &environment::tools()?, Some(named))?;
    chosen.record.map(|record| record.session_id).ok_or_else(not_held)
}

fn not_held() -> CliError {
    CliError::not_found("no other device holds this session").hint("See segue device status, or segue list.")
}
