//! Reading a transcript: every line once, in file order, into an index, facts and a summary.

use std::collections::HashMap;
use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};

use super::index::{Index, Key, Kind};
use super::layout::encode_dir;
use super::messages::result_text;
use super::record::{Block, Content, NativeMessage, Record, is_record, readable};
use crate::clip::clip;
use crate::lines::{Lines, MAX_LINE};
use crate::summary::Summary;
use crate::torn::{Damage, Split, TornReport, is_object, split_line, whole};

/// Longest text kept of a title, path or name, in bytes.
pub(super) const MAX_FACT: usize = 1024;

/// Most calls that are about to write a file at a time.
const MAX_OPEN_WRITES: usize = 100_000;

/// The model's name on messages that the tool made up.
const SYNTHETIC: &str = "<synthetic>";

/// What lines say about their session.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) version: Option<String>,
    pub(super) model: Option<String>,
    pub(super) git_branch: Option<String>,
    pub(super) started_at: Option<i64>,
    pub(super) updated_at: Option<i64>,
    first_cwd: Option<String>,
    home_cwd: Option<String>,
    custom_title: Option<String>,
    ai_title: Option<String>,
    summary: Option<String>,
}

impl Facts {
    /// The title that the tool shows.
    pub(super) fn title(&self) -> Option<&str> {
        self.custom_title.as_deref().or(self.ai_title.as_deref()).or(self.summary.as_deref())
    }

    /// The working directory. A session may move to subdirectories; it belongs to the one that its folder is named for.
    pub(super) fn cwd(&self) -> Option<&str> {
        self.home_cwd.as_deref().or(self.first_cwd.as_deref())
    }

    /// Learns from a line. `folder` is the name of the project's folder.
    pub(super) fn learn(&mut self, record: &Record<'_>, message: Option<&NativeMessage<'_>>, folder: &str) {
        for (fact, said) in [
            (&mut self.version, &record.version),
            (&mut self.custom_title, &record.custom_title),
            (&mut self.ai_title, &record.ai_title),
            (&mut self.summary, &record.summary),
        ] {
            if let Some(said) = said.as_deref().filter(|text| !text.trim().is_empty()) {
                *fact = Some(clip(said, MAX_FACT).to_owned());
            }
        }
        if let Some(branch) = &record.git_branch {
            // Outside of git, and where no branch is checked out, the tool says HEAD.
            self.git_branch = Some(clip(branch, MAX_FACT).to_owned()).filter(|name| !name.is_empty() && name != "HEAD");
        }
        if let Some(cwd) = record.cwd.as_deref().filter(|cwd| cwd.len() <= 4 * MAX_FACT) {
            if self.first_cwd.is_none() {
                self.first_cwd = Some(cwd.to_owned());
            }
            if self.home_cwd.is_none() && encode_dir(cwd) == folder {
                self.home_cwd = Some(cwd.to_owned());
            }
        }
        if let Some(at) = record.at() {
            self.started_at = Some(self.started_at.unwrap_or(at));
            self.updated_at = Some(self.updated_at.map_or(at, |known| known.max(at)));
        }
        if let Some(model) = message.and_then(|message| message.model.as_deref()).filter(|model| *model != SYNTHETIC) {
            self.model = Some(clip(model, MAX_FACT).to_owned());
        }
    }
}

/// What the first pass finds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) index: Index,
    pub(super) facts: Facts,
    pub(super) torn: TornReport,
    pub(super) summary: Summary,
    /// Whether there are more lines than the index holds.
    pub(super) too_many: bool,
    /// The session that the first line of a sidechain names.
    pub(super) side_of: Option<String>,
    /// Files that calls without a result yet are about to write.
    pub(super) writes: HashMap<Key, String>,
}

/// A record of the conversation proper, with its place in the index if it has one.
pub(super) struct Spoken<'a> {
    pub(super) record: &'a Record<'a>,
    pub(super) message: Option<&'a NativeMessage<'a>>,
    pub(super) position: Option<usize>,
    /// Whether a compaction ends here.
    pub(super) boundary: bool,
}

/// Reads a transcript to its end.
pub(super) fn scan(transcript: impl BufRead, folder: &str) -> io::Result<Scan> {
    let mut scan = Scan::default();
    scan.read(&mut Lines::new(transcript, MAX_LINE), folder, &mut |_| Ok(()))?;
    Ok(scan)
}

impl Scan {
    /// Reads lines to their end, and gives each record outside sidechains to `spoken`.
    pub(super) fn read<R: BufRead>(
        &mut self,
        lines: &mut Lines<R>,
        folder: &str,
        spoken: &mut dyn FnMut(Spoken<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(line) = lines.next_line()? {
            if line.too_long {
                self.torn.quarantine(line.number, Damage::TooLong);
                continue;
            }
            // Nearly every line is one whole record, and reading that shows that it is.
            let whole = whole(line.bytes);
            let text = readable(&line.bytes[whole.clone()]);
            if let Some(record) = Record::parse(&text).filter(|_| is_object(&line.bytes[whole.clone()])) {
                self.torn.count(line.number, &Split::Whole(whole.clone()), line.ended);
                self.add(&record, line.offset + whole.start as u64, whole.len(), folder, spoken)?;
                continue;
            }
            let split = split_line(line.bytes, is_record);
            self.torn.count(line.number, &split, line.ended);
            for range in split.records() {
                let text = readable(&line.bytes[range.clone()]);
                let Some(record) = Record::parse(&text) else { continue };
                self.add(&record, line.offset + range.start as u64, range.len(), folder, spoken)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        record: &Record<'_>,
        offset: u64,
        len: usize,
        folder: &str,
        spoken: &mut dyn FnMut(Spoken<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let message = record.native_message();
        let before = self.index.entries.len();
        self.too_many |= !self.index.add(record, message.as_ref(), offset, len);
        if record.is_side() {
            self.side_of = self.side_of.take().or_else(|| record.session_id.clone());
            return Ok(());
        }
        self.facts.learn(record, message.as_ref(), folder);
        if let Some(Content::Blocks(blocks)) = message.as_ref().and_then(|message| message.content.as_ref()) {
            for block in blocks {
                self.summarise(block);
            }
        }
        let position = (self.index.entries.len() > before).then_some(before);
        let boundary = self.index.entries[before..].iter().any(|entry| entry.kind == Kind::Boundary);
        spoken(Spoken { record, message: message.as_ref(), position, boundary })
    }

    /// Work on abandoned branches and before compactions was done too, so it is in the summary.
    fn summarise(&mut self, block: &Block<'_>) {
        match block.kind.as_str() {
            "tool_use" => self.summarise_call(block),
            "tool_result" => {
                let text = result_text(block);
                let file = block.tool_use_id.as_deref().and_then(|id| self.writes.remove(&Key::new(id)));
                if block.is_error == Some(true) {
                    self.summary.add_error(&text);
                } else if let Some(file) = file {
                    self.summary.add_file(&file);
                    return;
                }
                self.summary.add_output(&text);
            }
            _ => {}
        }
    }

    fn summarise_call(&mut self, block: &Block<'_>) {
        #[derive(Deserialize)]
        struct Input {
            command: Option<String>,
            file_path: Option<String>,
            notebook_path: Option<String>,
        }
        let Some(input) = block.input.and_then(|raw| serde_json::from_str::<Input>(raw.get()).ok()) else { return };
        match block.name.as_deref() {
            Some("Bash") => self.summary.add_command(&input.command.unwrap_or_default()),
            Some("Write" | "Edit" | "MultiEdit" | "NotebookEdit") => {
                if let (Some(id), Some(path)) = (&block.id, input.file_path.or(input.notebook_path))
                    && self.writes.len() < MAX_OPEN_WRITES
                {
                    self.writes.insert(Key::new(id), clip(&path, MAX_FACT).to_owned());
                }
            }
            _ => {}
        }
    }
}
