//! Appending what was said on another device, as lines that the tool itself would write.
//!
//! Each message becomes one line that follows the one before, the first of them the leaf. It has the message's own id and
//! time, so that the view has the same message, byte for byte, on both devices. What a line says beside that (directory,
//! version, branch) is taken from the leaf. All lines are written at once and synced, so that a crash leaves all or
//! nothing of them. The tool may have the session open meanwhile; it does not lock it, and goes on from what it knows.
//!
//! Seen with Claude Code 2.1.197: it shows these lines and sends them. Where the last words are the person's, it puts its
//! own "No response requested." behind them when something new is asked.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::capture::{open, read_whole};
use super::chain::{is_settled, leaf};
use super::index::{Index, Key};
use super::layout::{is_session_id, session_of};
use super::messages::Converter;
use super::record::{Record, readable};
use super::since::Since;
use crate::active_view::HeadHasher;
use crate::view::{Message, Part, Role, VIEW_VERSION, write_message};
use crate::{AppendError, Appended, CaptureError, Found, Handed};

/// Most messages that are appended at once. What comes back fits into 64 KiB.
pub(crate) const MAX_TURNS: usize = 1000;
/// Most bytes of text in them.
pub(crate) const MAX_TURNS_TEXT: usize = 1024 * 1024;

/// The longest of these that is taken over, in bytes: a path.
const MAX_PLACE: usize = 8 * 1024;
/// The field that tells these lines from the tool's own: nobody is answering them. The tool ignores fields it does not know.
pub(super) const APPENDED_BY: &str = "appendedBy";
/// The model of answers that this tool did not get itself; it uses the name so too.
const NO_MODEL: &str = "<synthetic>";

/// Appends to the session as it is now on the disk.
pub(super) fn append(found: &Found, handed: &Handed, turns: &[Message]) -> Result<Appended, AppendError> {
    let id = session_of(&found.path).ok_or(CaptureError::NotASession)?;
    let lines = Lines::of(&found.path, id, handed, turns)?;
    // Of a compaction that has only just been made, the view still changes before its end.
    if !lines.settled && lines.messages > 0 {
        return Err(AppendError::Busy);
    }
    lines.write(&found.path)
}

/// What is to be appended to a transcript.
pub(super) struct Lines {
    text: Vec<u8>,
    messages: usize,
    head: HeadHasher,
    inode: u64,
    len: u64,
    settled: bool,
}

impl Lines {
    /// What a transcript of the session `id` lacks of `turns`.
    pub(super) fn of(path: &Path, id: &str, handed: &Handed, turns: &[Message]) -> Result<Self, AppendError> {
        check(turns)?;
        let (mut file, meta) = open(path)?;
        let (inode, len) = (meta.ino(), meta.len());
        let mut since = Since::new(handed.count);
        let (progress, chain) = read_whole(&mut file, len, "", &mut Some(&mut since))?;
        let there = since.of(handed, turns)?;
        let (turns, head) = (&turns[there..], since.head());
        let index = &progress.scan.index;
        let settled = is_settled(index, &chain);
        if turns.is_empty() {
            return Ok(Self { text: Vec::new(), messages: 0, head, inode, len, settled });
        }
        if !ends_line(&file, len) {
            return Err(AppendError::Torn);
        }
        if let Some(at) = turns.iter().position(|turn| index.position(Key::new(&turn.id)).is_some()) {
            return Err(AppendError::BadTurn { number: there + at + 1, why: "its id is in use" });
        }
        let (text, head) = written(turns, read_leaf(&file, index, id)?, head).map_err(AppendError::Write)?;
        Ok(Self { text, messages: turns.len(), head, inode, len, settled })
    }

    /// Writes them to the end of the transcript, if it is still as it was, and on to the disk. What cannot be written
    /// whole is taken away again.
    pub(super) fn write(self, path: &Path) -> Result<Appended, AppendError> {
        let Self { text, messages, head, inode, len, .. } = self;
        let whole = len + text.len() as u64;
        let appended = Appended { messages, head, len: whole };
        if text.is_empty() {
            return Ok(appended);
        }
        let mut file = File::options().append(true).open(path).map_err(AppendError::Write)?;
        let now = file.metadata().map_err(AppendError::Write)?;
        if (now.ino(), now.len()) != (inode, len) {
            return Err(AppendError::Busy);
        }
        match file.write(&text).and_then(|count| file.sync_all().map(|()| count)) {
            Ok(count) if count == text.len() => {}
            failed => {
                // Only what was written here is cut off again.
                if file.metadata().is_ok_and(|meta| meta.len() <= whole) {
                    file.set_len(len).map_err(AppendError::Write)?;
                }
                return Err(AppendError::Write(failed.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into())));
            }
        }
        let now = file.metadata().map_err(AppendError::Write)?.len();
        if now == whole { Ok(appended) } else { Err(AppendError::Raced) }
    }
}

/// Whether the first `len` bytes of a file end a line.
pub(super) fn ends_line(file: &File, len: u64) -> bool {
    let mut last = [0];
    len > 0 && file.read_exact_at(&mut last, len - 1).is_ok() && last == *b"\n"
}

/// Whether these are words with ids and times.
fn check(turns: &[Message]) -> Result<(), AppendError> {
    let text = |turn: &Message| turn.parts.iter().map(|part| words(part).map_or(0, str::len)).sum::<usize>();
    if turns.len() > MAX_TURNS || turns.iter().map(text).sum::<usize>() > MAX_TURNS_TEXT {
        return Err(AppendError::TooMuch);
    }
    for (at, turn) in turns.iter().enumerate() {
        let why = if turn.v != VIEW_VERSION {
            "it has another version"
        } else if !is_session_id(&turn.id) {
            "its id is no UUID"
        } else if turns[..at].iter().any(|before| before.id == turn.id) {
            "its id is in use"
        } else if turn.at <= 0 || Timestamp::from_millisecond(turn.at).is_err() {
            "it has no time"
        } else if turn.role == Role::Tool || turn.parts.is_empty() || !turn.parts.iter().all(is_whole_text) {
            "it is not only words"
        } else {
            continue;
        };
        return Err(AppendError::BadTurn { number: at + 1, why });
    }
    Ok(())
}

fn words(part: &Part) -> Option<&str> {
    if let Part::Text { text, .. } = part { Some(text) } else { None }
}

/// The model's server refuses empty text; text that was cut is not what was said.
fn is_whole_text(part: &Part) -> bool {
    matches!(part, Part::Text { text, truncated: 0 } if !text.trim().is_empty())
}

/// What a line of the tool says about itself and about where it was written, in the tool's order.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Leaf<'a> {
    uuid: String,
    #[serde(borrow)]
    user_type: Option<&'a RawValue>,
    #[serde(borrow)]
    entrypoint: Option<&'a RawValue>,
    #[serde(borrow)]
    cwd: Option<&'a RawValue>,
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    git_branch: Option<&'a RawValue>,
}

/// The id of the leaf, and what lines that follow it say about where they were written.
fn read_leaf(file: &File, index: &Index, id: &str) -> Result<(String, Map<String, Value>), AppendError> {
    let entry = &index.entries[leaf(index).ok_or(CaptureError::NotASession)?];
    let mut bytes = vec![0; entry.len];
    file.read_exact_at(&mut bytes, entry.offset).map_err(CaptureError::Read)?;
    let text = readable(&bytes);
    let leaf: Leaf<'_> = serde_json::from_slice(&text).map_err(|_| CaptureError::NotASession)?;
    let said = |said: Option<&RawValue>| {
        let said = said.map(RawValue::get).filter(|said| said.len() <= MAX_PLACE)?;
        serde_json::from_str::<Value>(said).ok()
    };
    let place = [
        ("userType", said(leaf.user_type)),
        ("entrypoint", said(leaf.entrypoint)),
        ("cwd", said(leaf.cwd)),
        ("sessionId", Some(id.into())),
        ("version", said(leaf.version)),
        ("gitBranch", said(leaf.git_branch)),
    ];
    let place = place.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    Ok((leaf.uuid, place))
}

/// The lines of messages that follow `leaf`, and the head of the view behind them.
fn written(
    turns: &[Message],
    (mut parent, place): (String, Map<String, Value>),
    head: HeadHasher,
) -> io::Result<(Vec<u8>, HeadHasher)> {
    let (mut text, mut converter) = (Vec::new(), Converter::default());
    let mut view = Since::behind(head);
    for turn in turns {
        let line = line(turn, &parent, &place).to_string();
        let record = Record::parse(line.as_bytes()).ok_or(io::ErrorKind::InvalidData)?;
        if let Some(message) = converter.convert(&record, record.native_message().as_ref()) {
            write_message(message, &mut view)?;
        }
        writeln!(text, "{line}")?;
        parent.clone_from(&turn.id);
    }
    Ok((text, view.head()))
}

fn line(turn: &Message, parent: &str, place: &Map<String, Value>) -> Value {
    let blocks: Vec<Value> =
        turn.parts.iter().filter_map(words).map(|text| json!({"type": "text", "text": text})).collect();
    let (kind, message) = match (turn.role, &turn.parts[..]) {
        (Role::Assistant, _) => (
            "assistant",
            json!({
                "id": format!("msg_segue_{}", turn.id.replace('-', "")), "type": "message", "role": "assistant",
                "model": NO_MODEL, "content": blocks, "stop_reason": "end_turn", "stop_sequence": null,
                "usage": {"input_tokens": 0, "output_tokens": 0},
            }),
        ),
        (_, [Part::Text { text, .. }]) => ("user", json!({"role": "user", "content": text})),
        _ => ("user", json!({"role": "user", "content": blocks})),
    };
    let time = Timestamp::from_millisecond(turn.at).unwrap_or_default();
    let mut line = json!({
        "parentUuid": parent, "isSidechain": false, "type": kind, "message": message, "uuid": turn.id,
        "timestamp": format!("{time:.3}"), APPENDED_BY: "segue",
    });
    if let Some(fields) = line.as_object_mut() {
        fields.extend(place.clone());
    }
    line
}
