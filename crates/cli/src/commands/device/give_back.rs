//! `segue device return`: gives a chat back to the device that it came from.

use std::fs::File;

use segue_domain::Clock as _;
use serde_json::{Value, json};

use crate::{
    account::Account,
    args::device::GiveBack,
    device::{arrived::Arrival, drafts, returning::Giving},
    environment::{self, SystemClock},
    error::{CliError, Result},
    home::{self, Home},
    library::Library,
    output::Output,
    resolve::resolve,
    untrusted::Untrusted,
};

/// Gives a chat back. Repeated, it sends the same.
pub(super) fn run(options: &GiveBack, output: &Output) -> Result<()> {
    let (home, tools) = (Home::find()?, environment::tools()?);
    let account = Account::find(&home)?;
    let chosen = resolve(&Library::new(&home), &tools, options.session.as_deref())?;
    let record = chosen.record.ok_or_else(nothing_came)?;
    let _lock = lock(&home)?;
    // Those that are too old lose their keys.
    Arrival::all(&home, SystemClock.now())?;
    let mut arrival = Arrival::find(&home, &record.session_id)?.ok_or_else(nothing_came)?;
    let draft = options.draft.as_deref().map(|path| drafts::read(path, output)).transpose()?;
    let (account, found) = (account.as_ref(), chosen.found.as_ref());
    let giving = Giving { home: &home, account, tools: &tools, record: &record, found, output };
    let again = arrival.returned_at.is_some();
    let news = if again { None } else { Some(giving.make(&mut arrival, draft, options.now)?) };
    if !arrival.sent {
        giving.send(&mut arrival)?;
    }
    let source = Untrusted(&arrival.source).short(60);
    let id = &record.session_id;
    let mut lines = match news {
        None => vec![format!("{id} was given back to “{source}” already.")],
        Some(news) => vec![format!("Given back to “{source}”: {} new messages.", news.messages)],
    };
    if let Some(news) = news.filter(|news| news.left_out > 0) {
        lines.push(format!(
            "Of {} messages only the words go back, not calls of tools and their results.",
            news.left_out
        ));
    }
    lines.push("It takes them in with segue device take-back, within a day.".to_owned());
    let value = json!({
        "session_id": id, "pairing_id": arrival.pairing_id, "to": arrival.source, "pushed": arrival.own, "again": again,
        "messages": news.map_or(Value::Null, |news| news.messages.into()),
        "left_out": news.map_or(Value::Null, |news| news.left_out.into()),
    });
    output.answer(lines.join("\n"), value)
}

/// One return at a time: what is sealed is sealed once.
fn lock(home: &Home) -> Result<File> {
    let folder = home.path("arrived");
    home::create_dir(&folder)?;
    let failed = |error: std::io::Error| CliError::file("lock", &folder, &error);
    let file = File::open(&folder).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

fn nothing_came() -> CliError {
    CliError::not_found("this session did not come from another device").hint("See segue device status.")
}
