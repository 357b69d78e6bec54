//! `segue ticket`, `persona`, `kb` and `wiki`: the records of a project, all in one way.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use clap::Args;
use segue_api::projects::{EditRecord, NewRecord, Record, RecordEntry, TicketState};
use segue_domain::{ProjectId, RecordKind, Reference, limits::RECORD_BODY_BYTES_MAX};
use serde_json::{Value, json};

use super::{list::day, project};
use crate::{
    args::projects::{Content, Named, Of, Records, Tickets, Titled},
    error::{CliError, Result},
    home::Home,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// A record that is to be made.
pub(super) trait New: Args {
    /// Its name, its title, its text and its project.
    fn parts(&self) -> (Option<&str>, &str, &Content, &Of);
}

impl New for Titled {
    fn parts(&self) -> (Option<&str>, &str, &Content, &Of) {
        (None, &self.title, &self.content, &self.of)
    }
}

impl New for Named {
    fn parts(&self) -> (Option<&str>, &str, &Content, &Of) {
        (Some(&self.name), self.title.as_deref().unwrap_or(&self.name), &self.content, &self.of)
    }
}

/// The records of one kind in the project that is meant.
struct Shelf<'a> {
    remote: Remote,
    project: ProjectId,
    kind: RecordKind,
    output: &'a Output,
}

/// Works on records.
pub(super) fn run<N: New>(kind: RecordKind, options: &Records<N>, output: &Output) -> Result<()> {
    match options {
        Records::Create(new) => create(kind, new, output),
        Records::List { of, cursor } => Shelf::open(kind, of, output)?.list(cursor.as_deref()),
        Records::Show(one) => {
            let shelf = Shelf::open(kind, &one.of, output)?;
            shelf.report(&shelf.find(&one.name)?)
        }
        Records::Edit { one, title, content } => {
            let (title, body) = (title.clone(), read(content, output)?);
            if title.is_none() && body.is_none() {
                return Err(CliError::usage("nothing is to be changed").hint("Give --title, --body or --file."));
            }
            Shelf::open(kind, &one.of, output)?.edit(&one.name, |record| {
                record.title = title.unwrap_or(std::mem::take(&mut record.title));
                record.body = body.unwrap_or(std::mem::take(&mut record.body));
            })
        }
        Records::Delete(one) => Shelf::open(kind, &one.of, output)?.delete(&one.name),
    }
}

/// Works on tickets, which can be closed too.
pub(super) fn tickets(options: &Tickets, output: &Output) -> Result<()> {
    let (one, state) = match options {
        Tickets::Record(options) => return run(RecordKind::Ticket, options, output),
        Tickets::Close(one) => (one, TicketState::Closed),
        Tickets::Reopen(one) => (one, TicketState::Open),
    };
    Shelf::open(RecordKind::Ticket, &one.of, output)?.edit(&one.name, |ticket| ticket.state = Some(state))
}

fn create<N: New>(kind: RecordKind, new: &N, output: &Output) -> Result<()> {
    let (name, title, content, of) = new.parts();
    if name.is_some_and(|name| !kind.may_be_called(name)) {
        return Err(CliError::usage(format!("no {kind} can be called that"))
            .hint("Names are made of a-z, 0-9, '.', '_' and '-', and begin with a letter or digit."));
    }
    let body = read(content, output)?.unwrap_or_default();
    let body = NewRecord { ref_id: name.map(str::to_owned), title: title.to_owned(), body };
    let shelf = Shelf::open(kind, of, output)?;
    shelf.report(&shelf.remote.create_record(shelf.project, kind, &body)?)
}

/// The text that was given, if one was.
fn read(content: &Content, output: &Output) -> Result<Option<String>> {
    let Some(path) = &content.file else { return Ok(content.body.clone()) };
    let failed = |error: &io::Error| CliError::file("read", path, error);
    // One byte more than may be tells that there is more.
    let max = RECORD_BODY_BYTES_MAX as u64 + 1;
    let read = if path == Path::new("-") {
        output.input.whole(max).map(|bytes| bytes.to_vec())
    } else {
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(max).read_to_end(&mut bytes)).map(|_| bytes)
    };
    let bytes = read.map_err(|error| failed(&error))?;
    if bytes.len() > RECORD_BODY_BYTES_MAX {
        return Err(CliError::usage(format!("the text is longer than {RECORD_BODY_BYTES_MAX} bytes"))
            .hint("Shorten it, or keep it in the repository and name it here."));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| CliError::usage("the text is not UTF-8"))
}

impl<'a> Shelf<'a> {
    fn open(kind: RecordKind, of: &Of, output: &'a Output) -> Result<Self> {
        let home = Home::find()?;
        let remote = Remote::caller(&home)?;
        let project = project::id(&project::meant(&home, &remote, of.project.as_deref())?)?;
        Ok(Self { remote, project, kind, output })
    }

    fn reference(&self, name: &str) -> Result<Reference> {
        Reference::new(self.kind, name).map_err(|_| {
            CliError::not_found(format!("no {} is called {}", self.kind, Untrusted(name).short(80)))
                .hint(format!("See segue {} list.", command(self.kind)))
        })
    }

    fn find(&self, name: &str) -> Result<Record> {
        self.remote.record(self.project, &self.reference(name)?)
    }

    fn edit(&self, name: &str, change: impl FnOnce(&mut EditRecord)) -> Result<()> {
        let Record { entry, body } = self.find(name)?;
        let mut edit = EditRecord { title: entry.title, body, state: None, version: entry.version };
        change(&mut edit);
        self.report(&self.remote.edit_record(self.project, &self.reference(name)?, &edit)?)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let reference = self.reference(name)?;
        let deleted = self.output.agrees(&format!("Delete the {} {name}?", self.kind), "Confirm with --yes.")?;
        if deleted {
            self.remote.delete_record(self.project, &reference)?;
        }
        let text = if deleted { format!("Deleted {name}.") } else { "Nothing was deleted.".to_owned() };
        self.output.answer(text, json!({"kind": self.kind.as_str(), "ref_id": name, "deleted": deleted}))
    }

    fn list(&self, cursor: Option<&str>) -> Result<()> {
        let page = self.remote.records(self.project, self.kind, cursor)?;
        let mut lines: Vec<_> = page.records.iter().map(line).collect();
        if let Some(next) = &page.next {
            lines.push(format!("More: segue {} list --cursor {}", command(self.kind), Untrusted(next)));
        }
        let empty = format!("There is none. Make one: segue {} create", command(self.kind));
        let value = json!({"records": page.records, "next": page.next});
        self.output.answer(if lines.is_empty() { empty } else { lines.join("\n") }, value)
    }

    fn report(&self, record: &Record) -> Result<()> {
        let mut text = line(&record.entry);
        if !record.body.is_empty() {
            text.push_str("\n\n");
            text.push_str(&Untrusted(&record.body).paragraphs("  "));
        }
        // The API's own shape; serialising it cannot fail.
        self.output.answer(text, serde_json::to_value(record).unwrap_or(Value::Null))
    }
}

/// The command of a kind.
fn command(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Ticket => "ticket",
        RecordKind::Persona => "persona",
        RecordKind::KbEntry => "kb",
        RecordKind::WikiPage => "wiki",
    }
}

fn line(entry: &RecordEntry) -> String {
    let state = match entry.state {
        Some(TicketState::Open) => "open    ",
        Some(TicketState::Closed) => "closed  ",
        None => "",
    };
    let title = Untrusted(&entry.title).short(80);
    format!("{}  {}  {state}{title}", Untrusted(&entry.ref_id), day(entry.updated_at))
}
