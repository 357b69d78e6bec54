//! `segue delete`: removes a session from the server. What was handed over stays with whom it was handed to (SPEC T3),
//! and the tool's own files are not touched.

use serde_json::json;

use crate::{
    account::Account,
    args,
    error::{CliError, Result},
    home::Home,
    library::Library,
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
    let question = format!("Delete {id} from the server? (y/N)");
    if !output.says_yes() && !output.ask(&question, "Confirm with --yes.")?.eq_ignore_ascii_case("y") {
        return Err(CliError::usage("nothing was deleted"));
    }
    let _lock = library.lock(id)?;
    Remote::signed_in(&account)?.delete_session(id)?;
    library.remove(id)?;
    output.answer(format!("Deleted {id} from the server."), json!({"session_id": id.to_string()}))
}
