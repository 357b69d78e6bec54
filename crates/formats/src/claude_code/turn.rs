//! Is a turn still being made? (SPEC D13) The end of the transcript says it.
//!
//! Seen with Claude Code 2.1.197, with and without a terminal, and a model server that answers slowly:
//!
//! - A prompt is written at once, and lines that do not count after it (attachments, snapshots of files).
//! - Nothing of an answer is written before it has ended: then all its blocks, each with its `stop_reason`. So a reply in
//!   flight is nowhere on the disk. Until 2.0 the blocks before the last were written at once, without `stop_reason`;
//!   2.1.50 never wrote one, so that its last answer always looks as if it were under way.
//! - `stop_reason` is `tool_use` where calls follow, each with a result when it has ended or was refused. Every other one
//!   ends the turn, with a terminal also a `turn_duration`.
//! - Whoever interrupts leaves what came so far, without `stop_reason`, and `[Request interrupted by user]`.
//! - What was appended here starts no turn, and nobody answers it before the tool is resumed.
//! - A tool that was killed leaves a prompt or a result without an answer. `since_ms` is all that tells it from one that
//!   works.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::time::UNIX_EPOCH;

use memchr::{memmem, memrchr};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::append::APPENDED_BY;
use super::messages::is_local;
use super::record::{Content, NativeMessage, Record, readable};
use crate::active_view::PARTIAL_MAX;
use crate::clip::clip;
use crate::lines::MAX_LINE;
use crate::torn::whole;
use crate::{CaptureError, Found, Turn};

/// How much of the end is read, in bytes: more where that holds no line that decides, up to the longest line there is.
const WINDOWS: [u64; 3] = [256 * 1024, 8 * 1024 * 1024, MAX_LINE as u64 + 1024];

/// How an interruption begins, by the person or while a call waits for their yes.
const INTERRUPTED: &str = "[Request interrupted by user";

/// Whether a turn is being made in the session, as it is now on the disk.
pub(super) fn turn(found: &Found) -> Result<Turn, CaptureError> {
    let meta = fs::symlink_metadata(&found.path)?;
    if !meta.is_file() {
        return Err(CaptureError::NotASession);
    }
    let changed = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let changed = i64::try_from(changed).unwrap_or(i64::MAX);
    let mut file = File::open(&found.path)?;
    for window in WINDOWS {
        let end = read_end(&mut file, meta.len(), window)?;
        let decided = judge(&end, changed);
        if decided.is_some() || window >= meta.len() {
            return Ok(decided.unwrap_or(Turn::Idle));
        }
    }
    Ok(Turn::Idle)
}

/// The last bytes, from the start of a line on.
fn read_end(file: &mut File, len: u64, window: u64) -> io::Result<Vec<u8>> {
    let start = len.saturating_sub(window);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(len - start).read_to_end(&mut bytes)?;
    if start > 0 {
        let first = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        bytes.drain(..first);
    }
    Ok(bytes)
}

/// What the last line that counts says; `None` if none does.
fn judge(end: &[u8], changed: i64) -> Option<Turn> {
    let mut rest = end;
    while !rest.is_empty() {
        let body = rest.strip_suffix(b"\n").unwrap_or(rest);
        let start = memrchr(b'\n', body).map_or(0, |at| at + 1);
        let text = readable(&body[start..]);
        let last = rest.len() == end.len();
        let line = &text[whole(&text)];
        match Record::parse(line) {
            Some(record) => {
                if let Some(turn) = judge_line(&record, line, changed) {
                    return Some(turn);
                }
            }
            // A line that is just being written, and not what a crash left in the middle.
            None if last && body.len() == rest.len() => return Some(running(None, changed)),
            None => {}
        }
        rest = &rest[..start];
    }
    None
}

fn running(partial: Option<String>, since_ms: i64) -> Turn {
    Turn::Running { partial, since_ms }
}

/// What a line says; `None` if it says nothing about turns.
fn judge_line(record: &Record<'_>, line: &[u8], changed: i64) -> Option<Turn> {
    if record.is_side() || record.is_meta == Some(true) {
        return None;
    }
    let since = record.at().unwrap_or(changed);
    match record.kind.as_str() {
        "user" | "assistant" if is_appended(line) => Some(Turn::Idle),
        "user" => judge_user(&record.native_message()?, since),
        "assistant" => Some(judge_answer(record, since)),
        "system" if record.subtype.as_deref() == Some("turn_duration") => Some(Turn::Idle),
        _ => None,
    }
}

/// Whether a line was appended here, and not written by the tool.
fn is_appended(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Mark {
        appended_by: Option<IgnoredAny>,
    }
    memmem::find(line, APPENDED_BY.as_bytes()).is_some()
        && serde_json::from_slice::<Mark>(line).is_ok_and(|mark| mark.appended_by.is_some())
}

fn judge_user(message: &NativeMessage<'_>, since: i64) -> Option<Turn> {
    let words: Vec<&str> = match message.content.as_ref()? {
        Content::Words(text) => vec![text.as_str()],
        Content::Blocks(blocks) => blocks.iter().filter_map(|block| block.text.as_deref()).collect(),
    };
    if words.iter().any(|text| text.starts_with(INTERRUPTED)) {
        return Some(Turn::Idle);
    }
    // A command to the tool itself: what was before it counts.
    if words.iter().any(|text| is_local(text)) {
        return None;
    }
    Some(running(None, since))
}

fn judge_answer(record: &Record<'_>, since: i64) -> Turn {
    #[derive(Deserialize)]
    struct Stop {
        stop_reason: Option<String>,
    }
    if record.is_api_error_message == Some(true) {
        return Turn::Idle;
    }
    let stop =
        record.message.and_then(|raw| serde_json::from_str::<Stop>(raw.get()).ok()).and_then(|it| it.stop_reason);
    match stop.as_deref() {
        Some("tool_use" | "pause_turn") => running(None, since),
        Some(_) => Turn::Idle,
        None => running(said(record), since),
    }
}

/// The words of an answer without end.
fn said(record: &Record<'_>) -> Option<String> {
    let message = record.native_message()?;
    let text = match message.content? {
        Content::Words(text) => text,
        Content::Blocks(blocks) => blocks.into_iter().filter_map(|block| block.text).collect::<Vec<_>>().join("\n"),
    };
    Some(clip(&text, PARTIAL_MAX).to_owned()).filter(|text| !text.is_empty())
}
