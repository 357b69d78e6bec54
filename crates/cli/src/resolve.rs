//! Which session is meant: our id, the sender's id of a claimed copy, a handoff's id, the tool's own id, or the unique
//! beginning of one (SPEC T2).

use std::path::PathBuf;

use segue_formats::{Env, Found};

use crate::{
    environment,
    error::{CliError, Exit, Result},
    library::{Library, Native, Record},
    untrusted::Untrusted,
};

/// Shortest beginning that is looked up.
const PREFIX_CHARS_MIN: usize = 4;

/// A session that was meant: known to Segue, found in a tool, or both.
pub struct Chosen {
    /// What Segue knows of it.
    pub record: Option<Record>,
    /// Where the tool keeps it on this machine.
    pub found: Option<Found>,
}

/// Finds the session that `text` means; without text, the newest one of the current directory.
///
/// # Errors
/// Not found (exit 4), or ambiguous (exit 2).
pub fn resolve(library: &Library, tools: &Env, text: Option<&str>) -> Result<Chosen> {
    let records = library.records()?;
    let Some(text) = text else { return newest_here(&records, tools) };
    if let Some(record) = pick(&records, text)? {
        if !names(record).any(|name| name == text) {
            only(tools, record, text)?;
        }
        let found = match &record.native {
            Some(native) => segue_formats::format_for(record.header.tool)
                .find(tools, &native.id)
                .map_err(|error| cannot_look(&error))?,
            None => None,
        };
        return Ok(Chosen { record: Some(record.clone()), found });
    }
    let found = find_native(tools, text)?;
    let found = found.ok_or_else(|| {
        CliError::not_found(format!("no session here is called {}", Untrusted(text)))
            .hint("See segue list. A handoff that was not claimed yet: segue pull-handoff hnd_…")
    })?;
    Ok(with_record(&records, found))
}

/// A beginning must not also be that of a session which was never pushed.
fn only(tools: &Env, record: &Record, text: &str) -> Result<()> {
    let known = record.native.as_ref().map(|native| native.id.as_str());
    for format in segue_formats::ALL {
        let similar = format.find_beginning(tools, text).map_err(|error| cannot_look(&error))?;
        if let Some(other) = similar.iter().find(|found| Some(found.native_id.as_str()) != known) {
            let message = format!("{} means several sessions", Untrusted(text));
            let ids = format!("{}, {}", record.session_id, Untrusted(&other.native_id));
            return Err(CliError::new(Exit::Usage, "ambiguous", message).hint(format!("Say which one: {ids}")));
        }
    }
    Ok(())
}

/// Finds a session that Segue knows of.
pub fn resolve_recorded(library: &Library, text: &str) -> Result<Record> {
    let records = library.records()?;
    pick(&records, text)?.cloned().ok_or_else(|| {
        CliError::not_found(format!("no session that was pushed or pulled here is called {}", Untrusted(text)))
            .hint("See segue list.")
    })
}

fn names(record: &Record) -> impl Iterator<Item = &str> {
    let claimed = record.claimed.iter().flat_map(|claimed| [&claimed.handoff_id, &claimed.parent_session_id]);
    let native = record.native.iter().map(|native| &native.id);
    std::iter::once(&record.session_id).chain(claimed).chain(native).map(String::as_str)
}

fn pick<'a>(records: &'a [Record], text: &str) -> Result<Option<&'a Record>> {
    // Its own id is unique; the others may name several copies.
    if let Some(record) = records.iter().find(|record| record.session_id == text) {
        return Ok(Some(record));
    }
    let exact: Vec<_> = records.iter().filter(|record| names(record).any(|name| name == text)).collect();
    if !exact.is_empty() {
        return one(text, &exact);
    }
    if text.len() < PREFIX_CHARS_MIN {
        return Ok(None);
    }
    let similar: Vec<_> = records.iter().filter(|record| names(record).any(|name| name.starts_with(text))).collect();
    one(text, &similar)
}

fn one<'a>(text: &str, candidates: &[&'a Record]) -> Result<Option<&'a Record>> {
    match candidates {
        [] => Ok(None),
        [record] => Ok(Some(record)),
        several => {
            let ids: Vec<_> = several.iter().take(10).map(|record| record.session_id.as_str()).collect();
            let message = format!("{} means {} sessions", Untrusted(text), several.len());
            Err(CliError::new(Exit::Usage, "ambiguous", message).hint(format!("Say which one: {}", ids.join(", "))))
        }
    }
}

fn find_native(tools: &Env, text: &str) -> Result<Option<Found>> {
    let mut similar = Vec::new();
    for format in segue_formats::ALL {
        if let Some(found) = format.find(tools, text).map_err(|error| cannot_look(&error))? {
            return Ok(Some(found));
        }
        if text.len() >= PREFIX_CHARS_MIN {
            similar.extend(format.find_beginning(tools, text).map_err(|error| cannot_look(&error))?);
        }
    }
    if similar.len() > 1 {
        let message = format!("{} means {} sessions", Untrusted(text), similar.len());
        return Err(CliError::new(Exit::Usage, "ambiguous", message).hint("Type more of the id; see segue list."));
    }
    Ok(similar.pop())
}

fn newest_here(records: &[Record], tools: &Env) -> Result<Chosen> {
    let here = environment::current_dir()?;
    let mut each_tools_newest = Vec::new();
    for format in segue_formats::ALL {
        let mut all = format.discover(tools).map_err(|error| cannot_look(&error))?;
        each_tools_newest.extend(all.find(|found| directory(records, found).as_ref() == Some(&here)));
    }
    let newest = each_tools_newest.into_iter().max_by_key(|found| found.updated_at_ms);
    newest.map(|found| with_record(records, found)).ok_or_else(|| {
        CliError::not_found(format!("no session of {} was found", here.display()))
            .hint("Say which session is meant; see segue list.")
    })
}

/// What Segue knows of a session that was found in its tool.
pub fn with_record(records: &[Record], found: Found) -> Chosen {
    Chosen { record: record_of(records, &found).cloned(), found: Some(found) }
}

fn record_of<'a>(records: &'a [Record], found: &Found) -> Option<&'a Record> {
    let same = |native: &Native| native.id == found.native_id && native.path == found.path;
    records.iter().find(|record| record.header.tool == found.tool && record.native.as_ref().is_some_and(same))
}

/// Where a session is continued: where it was resumed, which its own lines do not say before the tool writes the next.
pub fn directory(records: &[Record], found: &Found) -> Option<PathBuf> {
    let resumed = record_of(records, found).and_then(|record| record.native.as_ref()).map(|native| native.cwd.clone());
    resumed.or_else(|| found.cwd.clone())
}

/// A tool's sessions cannot be listed.
pub fn cannot_look(error: &segue_formats::DiscoverError) -> CliError {
    CliError::new(Exit::Error, "discover", format!("the tool's sessions cannot be listed: {error}"))
}
