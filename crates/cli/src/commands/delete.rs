//! `segue delete`: removes a session from the server. What was handed over stays with whom it was handed to (SPEC T3),
//! and the tool's own files are not touched.

use serde_json::json;

use crate::{
    account::Account,
    args,
    error::{Exit, Result},
    home::Home,
    library::{Library, Record},
    output::Output,
    remote::Remote,
    resolve::resolve_recorded,
};

/// Deletes.
pub(super) fn run(options: &args::Delete, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let account = Account::load(&home)?;
    let library = Library::new(&home);
    let record = resolve_recorded(&library, &options.session)?;
    let id = record.session_id()?;
    let question = format!("Delete {id} from the server?");
    if !output.agrees(&question, "Confirm with --yes.")? {
        return output.answer("Nothing was deleted.", json!({"session_id": id.to_string(), "deleted": false}));
    }
    let _lock = library.lock(id)?;
    match Remote::signed_in(&account)?.delete_session(id) {
        // An earlier delete that was cut short got this far.
        Err(error) if error.exit == Exit::NotFound => {}
        answer => answer?,
    }
    let kept = if record.claimed.is_some() {
        // What was pulled may be the only copy, so it stays here.
        library.save(&Record { head: None, ..record })?;
        " The pulled copy on this machine stays."
    } else {
        library.remove(id)?;
        ""
    };
    output
        .answer(format!("Deleted {id} from the server.{kept}"), json!({"session_id": id.to_string(), "deleted": true}))
}
