//! What a list shows of a session, from both ends of its file. Most lines there are not read as JSON: a list of many
//! sessions takes as long as reading those ends.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use memchr::{memchr, memmem, memrchr};

use super::discover::Candidate;
use super::layout::{encode_dir, session_of};
use super::record::{Record, readable};
use super::scan::{MAX_FACT, Scan, scan};
use crate::clip::clip;
use crate::torn::{is_object, whole};
use crate::{Found, Tool};

/// How much of a file's start is read, in bytes: the directory is on the first lines.
const START: u64 = 16 * 1024;
/// How much of its end: titles are repeated there.
const END: u64 = 64 * 1024;
/// How much of its start is read where neither says the directory: a session may begin with an image and end with another.
const MORE: u64 = 16 * 1024 * 1024;

/// Looks at files, one after the other, with one buffer.
#[derive(Default)]
pub(super) struct Peek {
    bytes: Vec<u8>,
}

impl Peek {
    /// What the start and the end of a file say. `None` if no message is in them: the tool leaves such files behind when
    /// it starts and nothing is asked.
    pub(super) fn look(&mut self, (path, modified, len): &Candidate) -> Option<Found> {
        self.read(path, *len).ok()?;
        let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        let (cwd, title) = match first_directory(&self.bytes, folder) {
            Some(cwd) => (Some(cwd), last_title(&self.bytes)),
            // Damaged, moved, or with a first line that is longer than what was read.
            None => match self.scan(folder, *len).ok()?? {
                (None, title) if *len > START + END => (self.directory(path, folder), title),
                known => known,
            },
        };
        Some(Found {
            tool: Tool::ClaudeCode,
            native_id: session_of(path)?.to_owned(),
            path: path.to_owned(),
            cwd: cwd.map(Into::into),
            title,
            updated_at_ms: *modified,
            len: *len,
        })
    }

    fn read(&mut self, path: &Path, len: u64) -> io::Result<()> {
        let file = File::open(path)?;
        self.bytes.clear();
        if len <= START + END {
            return self.append(&file, 0, len);
        }
        self.append(&file, 0, START)?;
        // The cut line before and the cut line after the gap are both left out as damaged.
        self.bytes.push(b'\n');
        self.append(&file, len - END, END)
    }

    /// Reads `count` bytes from `at` on, or up to the end, with as few calls as can be.
    fn append(&mut self, file: &File, at: u64, count: u64) -> io::Result<()> {
        let mut filled = self.bytes.len();
        let base = filled;
        self.bytes.resize(base + usize::try_from(count).expect("at most what is looked at"), 0);
        while filled < self.bytes.len() {
            match file.read_at(&mut self.bytes[filled..], at + (filled - base) as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.truncate(filled);
        Ok(())
    }

    /// The directory, from the file's start alone and as far as it is read at all.
    fn directory(&mut self, path: &Path, folder: &str) -> Option<String> {
        self.bytes.clear();
        self.append(&File::open(path).ok()?, 0, MORE).ok()?;
        let home = first_directory(&self.bytes, folder);
        home.or_else(|| scan(BufReader::new(&self.bytes[..]), folder).ok()?.facts.cwd().map(str::to_owned))
    }

    /// The directory and the title as a capture would find them in these bytes.
    fn scan(&self, folder: &str, len: u64) -> io::Result<Option<(Option<String>, Option<String>)>> {
        let Scan { index, facts, .. } = scan(BufReader::new(&self.bytes[..]), folder)?;
        // A first message longer than what is read here may have been cut.
        let empty = index.entries.iter().all(|entry| entry.side) && len <= START + END;
        Ok((!empty).then(|| (facts.cwd().map(str::to_owned), facts.title().map(str::to_owned))))
    }
}

/// The directory that the folder is named for, if a line says it up to the first message.
fn first_directory(bytes: &[u8], folder: &str) -> Option<String> {
    let mut home = None;
    for line in bytes.split(|byte| *byte == b'\n') {
        let text = readable(line);
        let record = whole_record(&text)?;
        home = home.or(record.cwd.clone().filter(|cwd| encode_dir(cwd) == folder));
        if record.uuid.is_some() && !record.is_side() {
            return home;
        }
    }
    None
}

/// The title that the tool shows, of what the lines say last.
fn last_title(bytes: &[u8]) -> Option<String> {
    let titles = lines_with(bytes, "Title\":");
    let said = |lines: &[&[u8]], title: fn(Record<'_>) -> Option<String>| {
        lines.iter().rev().find_map(|line| {
            let text = readable(line);
            // Tools and people write such words too.
            let said = title(whole_record(&text).filter(|record| !record.is_side())?)?;
            Some(clip(&said, MAX_FACT).to_owned()).filter(|said| !said.trim().is_empty())
        })
    };
    said(&titles, |record| record.custom_title)
        .or_else(|| said(&titles, |record| record.ai_title))
        .or_else(|| said(&lines_with(bytes, "\"summary\":"), |record| record.summary))
}

/// The lines in which `text` stands.
fn lines_with<'a>(bytes: &'a [u8], text: &str) -> Vec<&'a [u8]> {
    let mut lines = Vec::new();
    let mut behind = 0;
    for place in memmem::find_iter(bytes, text) {
        if place < behind {
            continue;
        }
        let start = memrchr(b'\n', &bytes[..place]).map_or(0, |at| at + 1);
        behind = memchr(b'\n', &bytes[place..]).map_or(bytes.len(), |at| place + at);
        lines.push(&bytes[start..behind]);
    }
    lines
}

/// The record on a line that is nothing else.
fn whole_record(line: &[u8]) -> Option<Record<'_>> {
    let line = &line[whole(line)];
    Record::parse(line).filter(|_| is_object(line))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn transcripts(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let nested = entries.flat_map(|path| if path.is_dir() { transcripts(&path) } else { vec![path] });
        nested.filter(|path| session_of(path).is_some()).collect()
    }

    #[test]
    fn the_short_look_sees_what_a_whole_reading_sees() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/claude-code");
        let (mut short, mut titled) = (0, 0);
        for path in transcripts(&fixtures) {
            let len = fs::metadata(&path).unwrap().len();
            let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
            let mut peek = Peek::default();
            peek.read(&path, len).unwrap();
            let Some(cwd) = first_directory(&peek.bytes, folder) else { continue };
            let title = last_title(&peek.bytes);
            short += 1;
            titled += usize::from(title.is_some());
            assert_eq!(peek.scan(folder, len).unwrap().unwrap(), (Some(cwd), title), "{}", path.display());
        }
        assert!(
            short > 5 && titled > 0,
            "{short} of the recorded sessions need no whole reading, {titled} have a title"
        );
    }

    #[test]
    fn a_session_between_two_images_is_somewhere() {
        let line = |image: usize| {
            let text = "i".repeat(image);
            format!(r#"{{"message":{{"content":"{text}"}},"type":"user","uuid":"{image}","cwd":"/home/ann/work"}}"#)
        };
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("-home-ann-work");
        fs::create_dir(&project).unwrap();
        let path = project.join("11111111-2222-4333-8444-555555555555.jsonl");
        for (first, last) in [(20_000, 90_000), (3_000_000, 90_000), (90_000, 10)] {
            fs::write(&path, format!("{}\n{}\n", line(first), line(last))).unwrap();
            let len = fs::metadata(&path).unwrap().len();
            let found = Peek::default().look(&(path.clone(), 0, len)).unwrap();
            assert_eq!(found.cwd, Some("/home/ann/work".into()), "{first} and {last}");
        }
    }

    #[test]
    fn only_the_tool_gives_titles() {
        let (said, given) = (
            r#"{"type":"user","uuid":"1","message":{"content":[{"input":{"customTitle":"a trap"}},"\"aiTitle\":"]}}"#,
            r#"{"type":"ai-title","aiTitle":"the title"}"#,
        );
        for (lines, title) in [
            (format!("{said}\n{given}\n{said}\n"), Some("the title")),
            (format!("{given}\n{{\"aiTitle\":\" \"}}\n{said}"), Some("the title")),
            (format!("{given}\n{{\"type\":\"custom-title\",\"customTitle\":\"mine\"}}\n{given}\n"), Some("mine")),
            (format!("{given}\n{{\"isSidechain\":true,\"aiTitle\":\"a helper's\"}}\n"), Some("the title")),
            (
                "{\"type\":\"summary\",\"summary\":\"old\"}\n{\"type\":\"summary\",\"summary\":\"new\"}".to_owned(),
                Some("new"),
            ),
            (said.to_owned(), None),
        ] {
            assert_eq!(last_title(lines.as_bytes()).as_deref(), title, "{lines}");
        }
    }
}
