//! `segue list`: the sessions on this machine, newest first. Asks neither the network nor the account.

use std::fmt::Write as _;

use segue_formats::Found;
use serde_json::{Value, json};

use crate::{
    args, environment,
    error::Result,
    home::Home,
    library::{Library, Record},
    output::Output,
    resolve::{cannot_look, directory, with_record},
    untrusted::Untrusted,
};

/// One line of the list.
struct Row {
    session_id: Option<String>,
    tool: &'static str,
    native_id: Option<String>,
    title: String,
    directory: String,
    updated_at: i64,
    from: Option<String>,
}

/// Lists.
pub(super) fn run(options: &args::List, output: &Output) -> Result<()> {
    let library = Library::new(&Home::find()?);
    let records = library.records()?;
    let here = if options.here { Some(environment::current_dir()?.display().to_string()) } else { None };
    let is_meant = |row: &Row| here.as_ref().is_none_or(|here| row.directory == *here);
    // One more than is shown tells whether there are more.
    let mut rows = native_rows(&records, options.limit.saturating_add(1), is_meant)?;
    let shown: Vec<_> = rows.iter().filter_map(|row| row.session_id.clone()).collect();
    let others = records.iter().filter(|record| !shown.contains(&record.session_id)).map(recorded_row);
    rows.extend(others.filter(is_meant));
    rows.sort_by_key(|row| std::cmp::Reverse(row.updated_at));
    let more = rows.len() > options.limit;
    rows.truncate(options.limit);
    let value = json!({"sessions": rows.iter().map(to_json).collect::<Vec<_>>(), "more": more});
    output.answer(table(&rows, more), value)
}

/// The newest `count` sessions of each tool that are meant; no other is looked at.
fn native_rows(records: &[Record], count: usize, is_meant: impl Fn(&Row) -> bool) -> Result<Vec<Row>> {
    let tools = environment::tools()?;
    let mut rows = Vec::new();
    for format in segue_formats::ALL {
        let all = format.discover(&tools).map_err(|error| cannot_look(&error))?;
        rows.extend(all.map(|found| native_row(records, found)).filter(&is_meant).take(count));
    }
    Ok(rows)
}

fn native_row(records: &[Record], found: Found) -> Row {
    let (directory, chosen) = (directory(records, &found), with_record(records, found.clone()));
    Row {
        session_id: chosen.record.as_ref().map(|record| record.session_id.clone()),
        tool: found.tool.as_str(),
        native_id: Some(found.native_id),
        title: found.title.unwrap_or_default(),
        directory: directory.map(|cwd| cwd.display().to_string()).unwrap_or_default(),
        updated_at: found.updated_at_ms,
        from: chosen.record.and_then(|record| record.claimed).map(|claimed| claimed.sender_email),
    }
}

/// A pulled session that was not resumed yet, or one whose native file is gone.
fn recorded_row(record: &Record) -> Row {
    Row {
        session_id: Some(record.session_id.clone()),
        tool: record.header.tool.as_str(),
        native_id: None,
        title: record.header.title.clone().unwrap_or_default(),
        directory: String::new(),
        updated_at: record.header.updated_at.unwrap_or_default(),
        from: record.claimed.as_ref().map(|claimed| claimed.sender_email.clone()),
    }
}

fn to_json(row: &Row) -> Value {
    json!({
        "session_id": row.session_id, "tool": row.tool, "native_id": row.native_id, "title": row.title,
        "directory": row.directory, "updated_at": row.updated_at, "from": row.from,
    })
}

fn table(rows: &[Row], more: bool) -> String {
    if rows.is_empty() {
        return "No sessions yet. Start one with your tool, for example: claude".to_owned();
    }
    let mut text = String::new();
    for row in rows {
        let id = row.session_id.as_deref().or(row.native_id.as_deref()).unwrap_or_default();
        let id: String = id.chars().take(12).collect();
        let title = if row.title.is_empty() { "(no title)" } else { &row.title };
        let from = row.from.as_deref().map(|from| format!("  from {}", Untrusted(from).short(40))).unwrap_or_default();
        let line = format!(
            "{id:12}  {}  {:11}  {:40}  {}{from}",
            day(row.updated_at),
            row.tool,
            Untrusted(title).short(40),
            Untrusted(&row.directory).short(48),
        );
        // Writing to a String cannot fail.
        writeln!(text, "{}", line.trim_end()).unwrap_or_default();
    }
    if more {
        write!(text, "There are more: segue list --limit {}", rows.len() * 10).unwrap_or_default();
    }
    text.trim_end().to_owned()
}

/// A day and time in this machine's zone.
pub(crate) fn day(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map(|at| at.to_zoned(environment::time_zone()).strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}
