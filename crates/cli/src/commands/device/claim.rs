//! `segue device claim`: enters a code, and takes the chat in.

use std::{fs::File, path::Path, thread};

use segue_api::pairings::AcknowledgeView;
use segue_crypto::pairing::Purpose;
use segue_domain::Clock as _;
use segue_formats::{Env, active_view::ActiveView};
use serde_json::json;

use crate::{
    account::Account,
    args::device::ClaimCode,
    commands::resume::{self, Placed},
    device::{
        arrival,
        arrived::Arrival,
        claiming::Claiming,
        drafts,
        entering::{self, Arrived, Line},
        farewell::Farewell,
        given::{self, Given},
        preview,
    },
    environment::{self, SystemClock},
    error::{CliError, Exit, Result},
    home::Home,
    library::Record,
    output::Output,
    untrusted::Untrusted,
    upload::Gate,
};

/// Takes a chat in.
pub(super) fn run(options: &ClaimCode, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let account = Account::find(&home)?;
    // Known to be wrong before the code is used up.
    let project = options.project.as_deref().map(resume::canonical).transpose()?;
    let given = given::given(Purpose::Handoff, output)?;
    let entered = given.as_ref().map(|given| given.nameplate);
    let begun = if options.dry_run { None } else { Claiming::find(&home, entered)? };
    let (claiming, _lock, mut line) = match begun {
        Some((begun, lock)) => {
            output.notice("Going on with the chat that was being taken in here.");
            let line = begun.line(account.as_ref())?;
            (begun, lock, line)
        }
        None => enter(options, given, &home, account.as_ref(), output)?,
    };
    let taken = take_in(&claiming, &mut line, &home, project.as_deref(), output);
    let placed = taken.inspect_err(|error| {
        // What may succeed another time is kept for it.
        if !matches!(error.exit, Exit::Network | Exit::Error | Exit::Interrupted) {
            line.let_go();
            drop(claiming.forget(&home));
        }
    })??;
    claiming.forget(&home)?;
    placed.go_on(options.print, output)
}

/// Enters the code, and asks whether what has come is wanted. Stored on return.
fn enter(
    options: &ClaimCode,
    given: Option<Given>,
    home: &Home,
    account: Option<&Account>,
    output: &Output,
) -> Result<(Claiming, File, Line)> {
    let arrived = entering::run(Purpose::Handoff, given, options.server.as_ref(), account, output)?;
    let view = look(&arrived, options, account, output).inspect_err(|_| arrived.let_go())?;
    let own = !options.fork && arrived.is_from_own_device(account)?;
    let session = arrival::session_here(home, &view, own).inspect_err(|_| arrived.let_go())?;
    let (claiming, line) = Claiming::begin(arrived, session, &view, (own, options.fork));
    let saved = claiming.save(home);
    let lock = saved.inspect_err(|_| line.let_go())?;
    Ok((claiming, lock, line))
}

/// Shows what has come; whose it is and what it is are known before anything is made of it.
fn look(arrived: &Arrived, options: &ClaimCode, account: Option<&Account>, output: &Output) -> Result<ActiveView> {
    let tools: Env = environment::tools()?;
    let view = ActiveView::parse(arrived.view())
        .map_err(|error| CliError::verification(format!("the view of this chat cannot be read: {error}")))?;
    view.verify_tail().map_err(|error| CliError::verification(format!("this is not one chat: {error}")))?;
    let preview = preview::of(&view, &tools)?;
    output.event("arrived", preview.text, preview.value)?;
    if options.dry_run {
        return Err(not_taken("nothing was taken in (--dry-run)"));
    }
    if arrived.is_from_own_device(account)? {
        return Ok(view);
    }
    let (remote, id) = (arrived.line.remote.again(), arrived.line.id);
    let _farewell = Farewell::before_interrupt(move || drop(remote.complete_pairing(id)));
    if output.agrees("Continue this chat here?", "Say --yes where nobody can be asked.")? {
        Ok(view)
    } else {
        Err(not_taken("the chat was not taken in"))
    }
}

fn not_taken(text: &str) -> CliError {
    CliError::new(Exit::Conflict, "not_taken", text)
        .hint("The other device is told: it takes the chat back with segue device take-back.")
}

/// The other device had the chat back before it was ready here.
fn taken_back(home: &Home, record: &Record, error: CliError) -> CliError {
    let noted = Arrival::find(home, &record.session_id)
        .and_then(|arrival| arrival.map_or(Ok(()), |mut arrival| arrival.taken_back(home, SystemClock.now())));
    noted.map_or_else(|failed| failed, |()| error)
}

/// What the server gave is not what the other device sealed, or not there.
fn not_fetched(error: CliError) -> CliError {
    match error.exit {
        Exit::NotFound | Exit::Verification => error.hint(
            "Nothing was put in place, and the other device still has all of the chat: segue device take-back there.",
        ),
        _ => error,
    }
}

/// Fetches the whole chat, proves that it is the one that was moved, says so to the other device, and puts it in place. What
/// comes of the latter is told apart: the chat is here, whether or not its tool has it yet.
fn take_in(
    claiming: &Claiming,
    line: &mut Line,
    home: &Home,
    project: Option<&Path>,
    output: &Output,
) -> Result<Result<Placed>> {
    let view = claiming.view()?;
    if let Some(record) = arrival::fetched(home, claiming)? {
        tell(claiming, line, &record, &view, home, output)?;
        line.let_go();
        return Ok(resume::place_arrived(&record.session_id, project, output));
    }
    let fetched = arrival::fetch(home, line, claiming, &view, output).map_err(not_fetched)?;
    // It is made ready for its tool while all of it is read for the proof, and put in place when that holds.
    let gate = Gate::closed();
    thread::scope(|scope| {
        let keeper = gate.keeper();
        let placing = scope.spawn(|| resume::place_proven(&fetched, project, &|| gate.pass().is_ok(), output));
        let proven = fetched.prove(home, claiming, &view).map_err(not_fetched);
        let told = proven.and_then(|()| tell(claiming, line, &fetched.record, &view, home, output));
        told.map(|()| {
            keeper.open();
            // Meanwhile; it is here whether or not the server hears of it, and what that keeps ends by itself.
            line.let_go();
            placing.join().expect("placing does not panic")
        })
    })
}

/// Says that the whole chat is here: to the other device, and to the person at this one.
fn tell(
    claiming: &Claiming,
    line: &Line,
    record: &Record,
    view: &ActiveView,
    home: &Home,
    output: &Output,
) -> Result<()> {
    let draft = drafts::keep(home, &record.session_id, view.draft.as_ref())?;
    if !claiming.fork {
        // Only now the other device may call it ready here.
        let acknowledgement = claiming.acknowledgement()?.into();
        let told = line.remote.acknowledge_view(claiming.pairing()?, &AcknowledgeView { acknowledgement });
        told.map_err(|error| if error.exit == Exit::Network { error } else { taken_back(home, record, error) })?;
    }
    let value = json!({"session_id": record.session_id, "tool": record.header.tool.as_str(), "messages": view.chat.count,
                       "title": record.header.title, "draft_file": draft});
    let title = Untrusted(record.header.title.as_deref().unwrap_or("a session without title")).short(60);
    let beside = draft.as_ref().map(|draft| format!("\nWhat was being written is in {draft}")).unwrap_or_default();
    let same = if claiming.fork { "a chat of its own from here" } else { "the same chat" };
    let text = format!("{title} is here: {} messages, {same}.{beside}", view.chat.count);
    output.event("ready", text, value)
}
