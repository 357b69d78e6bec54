//! `segue device claim`: enters a code, and takes the chat in.

use std::{fs::File, path::Path, sync::mpsc, thread};

use segue_api::pairings::AcknowledgeView;
use segue_crypto::pairing::Purpose;
use segue_domain::Clock as _;
use segue_formats::{Env, Naming, active_view::ActiveView};
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
        ending::Farewell,
        entering::{self, Arrived, Line},
        given::{self, Given},
        notes, preview,
    },
    environment::{self, SystemClock},
    error::{CliError, Exit, Result},
    home::Home,
    library::{Library, Record},
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
            let line = go_on(&begun, account.as_ref(), output)?;
            (begun, lock, line)
        }
        None => enter(options, given, &home, account.as_ref(), output)?,
    };
    let taken = take_in(&claiming, &mut line, &home, project.as_deref(), output);
    // Whichever request it is that meets it first; what was taken back is deleted.
    let is_gone = |error: &CliError| error.exit == Exit::Gone || error.exit == Exit::NotFound && line.is_taken_back();
    let taken = taken.map_err(|error| if is_gone(&error) { arrival::taken_back() } else { error });
    let placed = taken.inspect_err(|error| {
        // What may succeed another time is kept for it.
        if !matches!(error.exit, Exit::Network | Exit::Error | Exit::Interrupted) {
            line.let_go();
            drop(claiming.forget(&home));
        }
    })?;
    let placed = placed.map_err(|error| match error.hint.as_str() {
        "" => error
            .hint("The chat is here, and not yet where its tool finds it. Mend that, then segue device claim goes on."),
        _ => error,
    })?;
    claiming.forget(&home)?;
    placed.go_on(options.print, output)
}

/// The way to a pairing whose chat was being taken in. Where its server is not reached, it is waited for.
fn go_on(begun: &Claiming, account: Option<&Account>, output: &Output) -> Result<Line> {
    output.notice(format!(
        "Going on with the chat that was being taken in here, from {}. For another, pipe its code in.",
        begun.server
    ));
    let line = begun.line(account)?;
    if let Err(error) = line.remote.pairing(line.id)
        && error.exit == Exit::Network
    {
        output.notice(format!("Waiting for the server: {error}. Ctrl-C ends this; segue device claim goes on."));
    }
    Ok(line)
}

/// Enters the code, and asks whether what has come is wanted. Stored on return.
fn enter(
    options: &ClaimCode,
    given: Option<Given>,
    home: &Home,
    account: Option<&Account>,
    output: &Output,
) -> Result<(Claiming, File, Line)> {
    notes::warn_of_damaged(home, output);
    let arrived = entering::run(Purpose::Handoff, given, options.server.as_ref(), account, output)?;
    let view = look(&arrived, options, output).inspect_err(|_| arrived.let_go())?;
    confirm(&arrived, account, output)?;
    let own = !options.fork && arrived.is_from_own_device(account)?;
    let session = arrival::session_here(home, &view, own).inspect_err(|_| arrived.let_go())?;
    let (claiming, line) = Claiming::begin(arrived, session, &view, (own, options.fork));
    let saved = claiming.save(home);
    let lock = saved.inspect_err(|_| line.let_go())?;
    Ok((claiming, lock, line))
}

/// Shows what has come; whose it is and what it is are known before anything is made of it.
fn look(arrived: &Arrived, options: &ClaimCode, output: &Output) -> Result<ActiveView> {
    let tools: Env = environment::tools()?;
    let view = ActiveView::parse(arrived.view())
        .map_err(|error| CliError::verification(format!("the view of this chat cannot be read: {error}")))?;
    view.verify_tail().map_err(|error| CliError::verification(format!("this is not one chat: {error}")))?;
    let preview = preview::of(&view, &tools)?;
    output.event("arrived", preview.text, preview.value)?;
    if options.dry_run {
        return Err(not_taken("nothing was taken in (--dry-run)"));
    }
    Ok(view)
}

/// Asks whether what came is wanted, unless it comes from a device of one's own. Who declines, however they do, is let go.
fn confirm(arrived: &Arrived, account: Option<&Account>, output: &Output) -> Result<()> {
    if arrived.is_from_own_device(account)? {
        return Ok(());
    }
    let (remote, id) = (arrived.line.remote.again(), arrived.line.id);
    // Kept until the other device was told: a terminal that closes ends the question and the process at once.
    let farewell = Farewell::with(move || drop(remote.complete_pairing(id)));
    let agreed = output.agrees("Continue this chat here?", "Say --yes where nobody can be asked.");
    if !matches!(agreed, Ok(true)) {
        arrived.let_go();
    }
    drop(farewell);
    if agreed? { Ok(()) } else { Err(not_taken("the chat was not taken in")) }
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
    let (view, library) = (claiming.view()?, Library::new(home));
    let (record, fetched, _lock) = match arrival::fetched(home, claiming)? {
        Some(record) if record.native.is_some() => {
            tell(claiming, line, &record, &view, home, output)?;
            line.let_go();
            return Ok(resume::place_arrived(&record.session_id, project, output));
        }
        Some(record) => (record, None, Some(library.lock(claiming.session()?)?)),
        None => {
            let fetched = arrival::fetch(home, line, claiming, &view, output).map_err(not_fetched)?;
            (fetched.record.clone(), Some(fetched), None)
        }
    };
    // It is made ready for its tool while all of it is read for the proof, and put in place when that holds.
    // One for each arrival, however often it is put there.
    let fresh = environment::uuid(*claiming.pairing()?.as_bytes());
    let naming = if claiming.fork { Naming::Fresh(&fresh) } else { Naming::OwnOr(&fresh) };
    thread::scope(|scope| {
        let ((gate, keeper), (drafted, is_drafted)) = (Gate::closed(), mpsc::channel());
        let arrived = record.clone();
        let placing = scope.spawn(move || {
            // Whether anybody listens is theirs.
            let proven = || drafted.send(()).is_ok() && gate.pass().is_ok();
            resume::place_proven(arrived, project, naming, &proven, output)
        });
        if let Some(fetched) = &fetched {
            fetched.prove(home, claiming, &view).map_err(not_fetched)?;
        }
        // Where it cannot be put in place, the other device is not told that it is.
        if is_drafted.recv().is_ok() {
            tell(claiming, line, &record, &view, home, output)?;
            keeper.open();
            // Meanwhile; it is here whether or not the server hears of it, and what that keeps ends by itself.
            line.let_go();
        }
        Ok(placing.join().expect("placing does not panic"))
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
