//! `segue device claim`: enters a code, and takes the chat in.

use segue_crypto::pairing::Purpose;
use segue_formats::active_view::ActiveView;
use serde_json::json;

use crate::{
    account::Account,
    args,
    commands::resume,
    device::{arrival, drafts, entering, preview},
    environment,
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    untrusted::Untrusted,
};

/// Takes a chat in.
pub(super) fn run(options: &args::device::ClaimCode, output: &Output) -> Result<()> {
    let (home, tools) = (Home::find()?, environment::tools()?);
    let account = Account::find(&home)?;
    let arrived = entering::run(Purpose::Handoff, options.server.as_ref(), account.as_ref(), output)?;
    let view = ActiveView::parse(arrived.view())
        .map_err(|error| CliError::verification(format!("the view of this chat cannot be read: {error}")))?;
    view.verify_tail().map_err(|error| CliError::verification(format!("this is not one chat: {error}")))?;
    let preview = preview::of(&view, &tools)?;
    output.event("arrived", preview.text, preview.value)?;
    if options.dry_run {
        return Err(not_taken("nothing was taken in (--dry-run)"));
    }
    let trusted = arrived.is_from_own_device(account.as_ref())?;
    if !trusted && !output.agrees("Continue this chat here?", "Say --yes where nobody can be asked.")? {
        return Err(not_taken("the chat was not taken in"));
    }
    let (id, remote, way) = arrived.acknowledge(&view.chat.head_hash.0)?;
    let (record, remote) = arrival::fetch(&home, account.as_ref(), remote, (id, &way), &view, output)?;
    let draft = drafts::keep(&home, &record.session_id, view.draft.as_ref())?;
    remote.complete_pairing(id)?;
    let value = json!({"session_id": record.session_id, "tool": record.header.tool.as_str(), "messages": view.chat.count,
                       "title": record.header.title, "draft_file": draft});
    let title = record.header.title.as_deref().unwrap_or("a session without title");
    let beside = draft.as_ref().map(|draft| format!("\nWhat was being written is in {draft}")).unwrap_or_default();
    let title = Untrusted(title).short(60);
    let text = format!("{title} is here: {} messages, the same chat.{beside}", view.chat.count);
    output.event("ready", text, value)?;
    resume::continue_here(&record.session_id, options.project.as_deref(), options.print, output)
}

fn not_taken(text: &str) -> CliError {
    CliError::new(Exit::Conflict, "not_taken", text)
        .hint("The other device shows it as claimed: it takes the chat back with segue device take-back.")
}
