//! `segue show`: one session, with its last messages. Asks neither the network nor the account.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    fs::File,
    io::{BufReader, BufWriter, Seek as _},
};

use segue_formats::{
    Header,
    view::{Message, Part, Role, ViewReader},
};
use serde_json::{Value, json};

use super::list::day;
use crate::{
    args, environment,
    error::{CliError, Result},
    home::Home,
    library::Library,
    output::Output,
    resolve::{Chosen, resolve},
    untrusted::Untrusted,
};

/// Longest piece of a message that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 400;

/// A session as far as it is shown.
struct Shown {
    header: Header,
    summary: Option<Value>,
    messages: VecDeque<Message>,
}

/// Shows.
pub(super) fn run(options: &args::Show, output: &Output) -> Result<()> {
    let library = Library::new(&Home::find()?);
    let chosen = resolve(&library, &environment::tools()?, options.session.as_deref())?;
    let session_id = chosen.record.as_ref().map(|record| record.session_id.clone());
    let from = chosen.record.as_ref().and_then(|record| record.claimed.as_ref()).map(|from| from.sender_email.clone());
    let provenance = chosen.record.as_ref().and_then(|record| record.provenance.clone());
    let about = provenance.as_ref();
    let shown = load(&library, chosen, options.messages)?;
    let header = &shown.header;
    let mut text = format!("{}  {}", session_id.as_deref().unwrap_or("not pushed"), header.tool.as_str());
    let counts = &header.counts;
    let size = format!(
        "{} messages, {} tool calls",
        counts.user_messages.saturating_add(counts.assistant_messages),
        counts.tool_calls
    );
    let updated = header.updated_at.map(day);
    let facts = [
        ("title", header.title.as_deref()),
        ("from", from.as_deref()),
        ("model", header.model.as_deref()),
        ("directory", header.cwd.as_deref()),
        ("branch", header.git_branch.as_deref()),
        ("changed", updated.as_deref()),
        ("size", Some(size.as_str())),
        ("project", about.map(|about| about.project_id.as_str())),
        ("ticket", about.and_then(|about| about.ticket.as_deref())),
        ("persona", about.and_then(|about| about.persona.as_deref())),
        ("tool's id", Some(header.native_id.as_str())),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            write!(text, "\n{name:10} {}", Untrusted(fact)).unwrap_or_default();
        }
    }
    text.push_str(&shown.summary.as_ref().map(summarise).unwrap_or_default());
    for message in &shown.messages {
        text.push_str(&paragraph(message));
    }
    let value = json!({
        "session_id": session_id, "from": from, "session": header, "provenance": provenance, "summary": shown.summary,
        "messages": shown.messages,
    });
    output.answer(text, value)
}

fn load(library: &Library, chosen: Chosen, count: usize) -> Result<Shown> {
    if let Some(found) = chosen.found {
        let format = segue_formats::format_for(found.tool);
        let mut view = view_file()?;
        let captured = format.capture(&environment::tools()?, &found, Some(&mut view)).map_err(CliError::session)?;
        let summary = serde_json::from_str(&captured.summary.to_json_bounded()).ok();
        return Ok(Shown { header: captured.header, summary, messages: last(view, count)? });
    }
    let record = chosen.record.ok_or_else(|| CliError::not_found("there is no such session"))?;
    let native = library.content(record.session_id()?).join("native");
    let mut view = view_file()?;
    segue_formats::format_for(record.header.tool).view(&native, &mut view).map_err(CliError::session)?;
    Ok(Shown { header: record.header, summary: record.summary, messages: last(view, count)? })
}

fn view_file() -> Result<BufWriter<File>> {
    tempfile::tempfile().map(BufWriter::new).map_err(CliError::session)
}

/// The last `count` messages of a view that was written.
fn last(mut view: BufWriter<File>, count: usize) -> Result<VecDeque<Message>> {
    view.rewind().map_err(CliError::session)?;
    let mut messages = VecDeque::new();
    for message in ViewReader::new(BufReader::new(view.get_ref())) {
        messages.push_back(message.map_err(|error| CliError::verification(error.to_string()))?);
        if messages.len() > count {
            messages.pop_front();
        }
    }
    Ok(messages)
}

fn paragraph(message: &Message) -> String {
    let who = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut text = format!("\n\n{who}");
    for part in &message.parts {
        let (what, said) = match part {
            Part::Text { text, .. } | Part::Notice { text, .. } => (String::new(), text.clone()),
            Part::ToolCall { name, input, .. } => (format!("calls {} ", Untrusted(name).short(60)), input.to_string()),
            Part::ToolResult { text, is_error, .. } => {
                ((if *is_error { "failed: " } else { "answers: " }).to_owned(), text.clone())
            }
            Part::Image { media_type, bytes } => (String::new(), format!("[{media_type}, {bytes} bytes]")),
        };
        let said: String = said.chars().take(SHOWN_CHARS_MAX).collect();
        write!(text, "\n{}", Untrusted(&(what + &said)).paragraphs("  ")).unwrap_or_default();
    }
    text
}

/// The sender's summary in a few lines. It is the sender's word, and as hostile as any text.
pub(super) fn summarise(summary: &Value) -> String {
    let mut text = String::new();
    let words = |name: &str| summary[name].as_array().into_iter().flatten().filter_map(Value::as_str);
    for (title, name) in [("files modified", "files_modified"), ("commands", "commands"), ("errors", "errors")] {
        let mut some = words(name).take(5).peekable();
        if some.peek().is_some() {
            write!(text, "\n\n{title}").unwrap_or_default();
        }
        for word in some {
            write!(text, "\n  {}", Untrusted(word).short(100)).unwrap_or_default();
        }
    }
    let count = |name: &str| summary[name].as_u64().unwrap_or_default();
    if count("tests_run") > 0 {
        let (run, passed, failed) = (count("tests_run"), count("tests_passed"), count("tests_failed"));
        write!(text, "\n\ntests  {run} run, {passed} passed, {failed} failed").unwrap_or_default();
    }
    if let Some(last) = words("last_messages").next_back() {
        let last: String = last.chars().take(SHOWN_CHARS_MAX).collect();
        write!(text, "\n\nlast words\n{}", Untrusted(&last).paragraphs("  ")).unwrap_or_default();
    }
    text
}
