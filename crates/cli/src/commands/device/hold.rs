//! Who holds a chat: `segue device status`, `revoke`, `take-back` and `fork` (SPEC D12).

use segue_domain::PairingId;
use serde_json::json;

use crate::{
    account::Account,
    commands::list::day,
    device::held::Moved,
    environment,
    error::{CliError, Exit, Result},
    home::Home,
    library::Library,
    output::Output,
    remote::Remote,
    resolve::resolve,
    untrusted::Untrusted,
};

/// Lists the chats that other devices hold.
pub(super) fn status(output: &Output) -> Result<()> {
    let home = Home::find()?;
    let remote = Remote::signed_in(&Account::load(&home)?)?;
    let (mut lines, mut values) = (Vec::new(), Vec::new());
    for moved in Moved::all(&home)? {
        let stands = match remote.pairing(moved.pairing()?) {
            Ok(pairing) => (pairing.state, pairing.reason.unwrap_or_default()),
            Err(error) if error.exit == Exit::NotFound => ("claimed".to_owned(), "completed".to_owned()),
            Err(error) => return Err(error),
        };
        let holder = Untrusted(&moved.holder).short(60);
        lines.push(format!("{}  {} ({})  “{holder}”  since {}", moved.session_id, stands.0, stands.1, day(moved.at)));
        values.push(json!({"session_id": moved.session_id, "pairing_id": moved.pairing_id, "state": stands.0,
                           "reason": stands.1, "holder": moved.holder, "at": moved.at}));
    }
    let text =
        if lines.is_empty() { "No chat of this machine is on another device.".to_owned() } else { lines.join("\n") };
    output.answer(text, json!({"moved": values}))
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
    output.answer(
        "Revoked. Nothing was moved.",
        json!({"pairing_id": pairing, "state": seen.state, "reason": seen.reason}),
    )
}

/// Makes a chat this machine's again.
pub(super) fn take_back(named: &str, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let moved = find(&home, named)?;
    let remote = Remote::signed_in(&Account::load(&home)?)?;
    match remote.take_back(moved.pairing()?) {
        Ok(_) => {}
        // Forgotten after a day, or it never was claimed.
        Err(error) if matches!(error.exit, Exit::NotFound | Exit::Gone | Exit::Conflict) => {}
        Err(error) => return Err(error),
    }
    moved.forget(&home)?;
    let id = &moved.session_id;
    let text = format!(
        "{id} is this machine's again, as it was when it was moved. What “{}” has of it stays there.\nContinue it: segue resume {id}",
        Untrusted(&moved.holder).short(60)
    );
    output.answer(text, json!({"session_id": id, "pairing_id": moved.pairing_id}))
}

/// Goes on here beside the device that holds the chat: from now on these are two.
pub(super) fn fork(named: &str, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let moved = find(&home, named)?;
    moved.forget(&home)?;
    let id = &moved.session_id;
    let text = format!(
        "{id} goes on here too. It is another chat than that on “{}” from now on.\nContinue it: segue resume {id}",
        Untrusted(&moved.holder).short(60)
    );
    output.answer(text, json!({"session_id": id, "pairing_id": moved.pairing_id}))
}

fn find(home: &Home, named: &str) -> Result<Moved> {
    let chosen = resolve(&Library::new(home), &environment::tools()?, Some(named))?;
    let id = chosen.record.map(|record| record.session_id);
    let moved = id.map(|id| Moved::find(home, &id)).transpose()?.flatten();
    moved.ok_or_else(|| {
        CliError::not_found("no other device holds this session").hint("See segue device status, or segue list.")
    })
}
