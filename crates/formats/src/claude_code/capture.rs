//! Taking a session: two passes over its transcript, one to find the live chain and one to write it as a view.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};

use super::chain::live_chain;
use super::files::{MAX_TRANSCRIPT, SESSION, list_beside};
use super::index::{Entry, Index, Kind};
use super::layout::session_of;
use super::messages::Converter;
use super::record::{Record, readable};
use super::scan::{Scan, scan};
use crate::session::{Counts, Dropped, HEADER_VERSION, Header};
use crate::view::{Message, Part, Role, ViewWriter};
use crate::{CaptureError, Captured, CapturedFile, Env, Found, Tool};

/// Takes the session as it is now; what the tool appends meanwhile is not part of it.
pub(super) fn capture(env: &Env, found: &Found, view: &mut dyn Write) -> Result<Captured, CaptureError> {
    let id = session_of(&found.path).ok_or(CaptureError::NotASession)?;
    let meta = fs::symlink_metadata(&found.path)?;
    if !meta.is_file() {
        return Err(CaptureError::NotASession);
    }
    let len = meta.len();
    if len > MAX_TRANSCRIPT {
        return Err(CaptureError::TooLarge);
    }
    let mut file = File::open(&found.path)?;
    let folder = found.path.parent().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    let mut scan = scan(BufReader::new((&mut file).take(len)), folder.unwrap_or_default())?;
    if scan.too_many {
        return Err(CaptureError::TooLarge);
    }
    let (counts, dropped) = write_view(&mut file, &mut scan, view)?;
    let beside = list_beside(env, &found.path, id)?;
    let transcript = CapturedFile { bundle_path: format!("native/{SESSION}"), source: found.path.clone(), len };
    Ok(Captured {
        header: make_header(id, &scan, counts, dropped),
        summary: scan.summary,
        files: std::iter::once(transcript).chain(beside.files).collect(),
        skipped: beside.skipped,
        torn: scan.torn,
    })
}

fn write_view(file: &mut File, scan: &mut Scan, view: &mut dyn Write) -> Result<(Counts, Dropped), CaptureError> {
    let chain = live_chain(&scan.index);
    let mut writer = ViewWriter::new(view);
    let mut converter = Converter::default();
    let mut reader = ChainReader { file: BufReader::new(file), position: 0, bytes: Vec::new() };
    reader.file.rewind()?;
    for at in &chain {
        let bytes = reader.read(&scan.index.entries[*at])?;
        let text = readable(bytes);
        let Some(message) = Record::parse(&text).and_then(|record| converter.convert(&record)) else { continue };
        for text in spoken(&message) {
            scan.summary.add_message(text);
        }
        writer.write(message).map_err(CaptureError::View)?;
    }
    let (mut counts, mut dropped) = converter.finish();
    counts.lines = scan.torn.kept;
    dropped.messages_off_chain = off_chain(&scan.index, &chain);
    Ok((counts, dropped))
}

fn spoken(message: &Message) -> impl Iterator<Item = &str> {
    message.parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } if message.role == Role::Assistant => Some(text.as_str()),
        _ => None,
    })
}

/// Messages that are in the file but not in the chain.
fn off_chain(index: &Index, chain: &[usize]) -> u64 {
    let mut left: Vec<bool> =
        index.entries.iter().map(|entry| matches!(entry.kind, Kind::Assistant | Kind::Result | Kind::Prompt)).collect();
    for at in chain {
        left[*at] = false;
    }
    left.into_iter().filter(|left| *left).count() as u64
}

/// Reads single records of a file, mostly one after the other.
struct ChainReader<'a> {
    file: BufReader<&'a mut File>,
    position: u64,
    bytes: Vec<u8>,
}

impl ChainReader<'_> {
    fn read(&mut self, entry: &Entry) -> io::Result<&[u8]> {
        // Within the buffer this moves no file.
        let ahead = entry.offset.cast_signed() - self.position.cast_signed();
        self.file.seek_relative(ahead)?;
        self.position = entry.offset + entry.len as u64;
        self.bytes.resize(entry.len, 0);
        self.file.read_exact(&mut self.bytes)?;
        Ok(&self.bytes)
    }
}

fn make_header(id: &str, scan: &Scan, counts: Counts, dropped: Dropped) -> Header {
    let facts = &scan.facts;
    Header {
        v: HEADER_VERSION,
        tool: Tool::ClaudeCode,
        tool_version: facts.version.clone(),
        native_id: id.to_owned(),
        title: facts.title().map(str::to_owned),
        model: facts.model.clone(),
        cwd: facts.cwd().map(str::to_owned),
        git_branch: facts.git_branch.clone(),
        started_at: facts.started_at,
        updated_at: facts.updated_at,
        counts,
        dropped,
        torn: scan.torn.clone(),
    }
}
