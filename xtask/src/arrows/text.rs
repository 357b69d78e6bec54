//! Rules that only the text of the sources can show. Pure: sources come in, sentences come out.

use super::sources::Source;

/// The longest a file may be; most are near 150.
const LONGEST: usize = 500;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "manager", "service", "util", "utils"];

/// The one place where the state of a handoff is written.
const STATE_WRITER: &str = "crates/server/src/store/handoffs.rs";

/// One sentence for each rule that is broken.
pub(super) fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        found.extend(too_long(source));
        found.extend(empty_name(source));
        found.extend(database_in_http(source));
    }
    found.extend(state_writers(sources));
    found
}

fn too_long(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    (lines > LONGEST).then(|| format!("{} has {lines} lines; {LONGEST} is the most.", source.path))
}

fn empty_name(source: &Source) -> Option<String> {
    let mut names = source.path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
    let name = names.find(|name| EMPTY_NAMES.contains(name))?;
    Some(format!("{}: `{name}` says nothing; name the module after what it holds.", source.path))
}

fn database_in_http(source: &Source) -> Option<String> {
    let http = source.path.starts_with("crates/server/src/http");
    (http && source.text.contains("sqlx"))
        .then(|| format!("{} names sqlx; only the store speaks to the database.", source.path))
}

/// A second place that writes the state would be a second state machine.
fn state_writers(sources: &[Source]) -> Option<String> {
    let ours = sources.iter().filter(|source| source.path.starts_with("crates/"));
    let writers: Vec<_> = ours.flat_map(|source| vec![source.path.as_str(); state_writes(&source.text)]).collect();
    if writers == [STATE_WRITER] {
        return None;
    }
    let places = if writers.is_empty() { "nowhere".to_owned() } else { writers.join(", ") };
    Some(format!("`UPDATE handoffs SET state` must be written once, in {STATE_WRITER}; it is in: {places}."))
}

/// How many statements in this text assign the column `state` of `handoffs`.
fn state_writes(text: &str) -> usize {
    let words = text.to_lowercase().replace('\\', " ");
    let flat = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let statements = flat.split("update handoffs ").skip(1);
    let assigned = |statement: &str| {
        let inside = statement.split('"').next().unwrap_or_default();
        let clause = inside.split(" where ").next().unwrap_or_default();
        let columns = clause.split_once("set ").map_or("", |(_, columns)| columns);
        columns.split(',').any(|pair| pair.split('=').next().is_some_and(|column| column.trim() == "state"))
    };
    statements.filter(|statement| assigned(statement)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    fn writer() -> Source {
        source(STATE_WRITER, "query(\"UPDATE handoffs\n   SET version = $1, state = $2\n WHERE id = $3\")")
    }

    #[test]
    fn the_state_is_written_in_one_place() {
        assert_eq!(violations(&[writer()]), Vec::<String>::new());
        let reader = "query(\"UPDATE handoffs SET seen = $1 WHERE state = $2\"); let state = 1;";
        assert_eq!(violations(&[writer(), source("crates/server/src/x.rs", reader)]), Vec::<String>::new());
    }

    #[test]
    fn a_second_writer_or_none_is_reported() {
        let second = source("crates/server/src/x.rs", "\"update handoffs set state = 'open'\"");
        let found = violations(&[writer(), second]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].ends_with("it is in: crates/server/src/store/handoffs.rs, crates/server/src/x.rs."),
            "{found:?}"
        );
        assert!(violations(&[])[0].ends_with("it is in: nowhere."));
    }

    #[test]
    fn broken_rules_on_files_are_reported() {
        let long = source("crates/a/src/long.rs", &"\n".repeat(501));
        let named = source("crates/a/src/utils/text.rs", "");
        let http = source("crates/server/src/http/claim.rs", "use sqlx::Row;");
        let found = violations(&[writer(), long, named, http]);
        assert_eq!(
            found,
            [
                "crates/a/src/long.rs has 501 lines; 500 is the most.",
                "crates/a/src/utils/text.rs: `utils` says nothing; name the module after what it holds.",
                "crates/server/src/http/claim.rs names sqlx; only the store speaks to the database.",
            ]
        );
    }
}
