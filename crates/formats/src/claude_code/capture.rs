//! Taking a session: one pass over its transcript, which writes the view as it goes. Where the live chain turns out to be
//! another than the order of the lines, a second pass writes the view anew.

use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read, Seek};

use super::chain::live_chain;
use super::checkpoint::{self, Progress};
use super::files::{MAX_TRANSCRIPT, SESSION, list_beside};
use super::index::{Entry, Index, Kind};
use super::layout::session_of;
use super::messages::Converter;
use super::record::{Record, readable};
use super::scan::{Scan, Spoken};
use crate::lines::{Lines, MAX_LINE};
use crate::session::{HEADER_VERSION, Header};
use crate::summary::Summary;
use crate::view::{Message, Part, Role, ViewSink, write_message};
use crate::{CaptureError, Captured, CapturedFile, Checkpoint, Env, Found, Tool};

/// Bytes of a transcript that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// Takes the session as it is now; what the tool appends meanwhile is not part of it.
pub(super) fn capture(env: &Env, found: &Found, view: &mut dyn ViewSink) -> Result<Captured, CaptureError> {
    let (mut file, meta) = open(found)?;
    let mut progress = Progress::default();
    let mut lines = Lines::new(BufReader::with_capacity(READ_BYTES, (&mut file).take(meta.len())), MAX_LINE);
    let order = read(&mut progress, &mut lines, found, view)?;
    if progress.scan.too_many {
        return Err(CaptureError::TooLarge);
    }
    let chain = live_chain(&progress.scan.index);
    if chain != order {
        view.restart().map_err(CaptureError::View)?;
        write_view(&mut file, &mut progress, &chain, view)?;
    }
    progress.messages_off_chain = off_chain(&progress.scan.index, &chain);
    let checkpoint = progress.checkpoint(&mut file, &meta, &chain)?;
    finish(env, found, progress, meta.len(), checkpoint)
}

/// Takes a session that only grew since `since`, and writes to `view` what its view grew by. `None` when it did more than
/// grow, as far as can be told without reading it all; what was written to `view` then counts for nothing.
pub(super) fn capture_more(
    env: &Env,
    found: &Found,
    since: &Checkpoint,
    view: &mut dyn ViewSink,
) -> Result<Option<Captured>, CaptureError> {
    let (mut file, meta) = open(found)?;
    let Some(mut progress) = checkpoint::resume(since, &mut file, &meta)? else { return Ok(None) };
    let (offset, number) = (progress.offset, progress.number);
    let window = progress.scan.index.entries.len();
    file.seek(io::SeekFrom::Start(offset))?;
    let rest = BufReader::with_capacity(READ_BYTES, (&mut file).take(meta.len() - offset));
    let mut lines = Lines::behind(rest, MAX_LINE, offset, number);
    let more = read(&mut progress, &mut lines, found, view)?;
    let index = &progress.scan.index;
    let known = |entry: &Entry| entry.parent.is_some_and(|parent| index.position(parent).is_some());
    let mut expected: Vec<usize> = (0..window).collect();
    expected.extend(&more);
    let chain = live_chain(index);
    let grew = index.entries[window..].iter().all(|entry| entry.side || (known(entry) && entry.kind != Kind::Boundary));
    let noted = index.noted_leaf.is_none_or(|leaf| index.position(leaf).is_some());
    if !grew || !noted || chain != expected {
        return Ok(None);
    }
    progress.messages_off_chain +=
        index.entries[window..].iter().filter(|entry| entry.side && entry.is_message()).count() as u64;
    let Some(checkpoint) = progress.checkpoint(&mut file, &meta, &chain)? else { return Ok(None) };
    finish(env, found, progress, meta.len(), Some(checkpoint)).map(Some)
}

fn open(found: &Found) -> Result<(File, Metadata), CaptureError> {
    if !fs::symlink_metadata(&found.path)?.is_file() {
        return Err(CaptureError::NotASession);
    }
    let file = File::open(&found.path)?;
    let meta = file.metadata()?;
    if meta.len() > MAX_TRANSCRIPT { Err(CaptureError::TooLarge) } else { Ok((file, meta)) }
}

/// Reads to the end and writes the view in the order of the lines, from the last compaction on. Gives that order.
fn read<R: Read>(
    progress: &mut Progress,
    lines: &mut Lines<BufReader<R>>,
    found: &Found,
    view: &mut dyn ViewSink,
) -> Result<Vec<usize>, CaptureError> {
    let folder = found.path.parent().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    let (mut order, mut failed) = (Vec::new(), None);
    let Progress { scan, converter, summary_of_words, .. } = progress;
    let read = scan.read(lines, folder.unwrap_or_default(), &mut |spoken: Spoken<'_>| {
        let Some(position) = spoken.position else { return Ok(()) };
        if spoken.boundary {
            order.clear();
            (*converter, *summary_of_words) = (Converter::default(), Summary::default());
            view.restart()?;
        }
        order.push(position);
        let Some(message) = converter.convert(spoken.record, spoken.message) else { return Ok(()) };
        spoken_words(&message).for_each(|text| summary_of_words.add_message(text));
        write_message(message, view).inspect_err(|error| failed = Some(error.kind()))
    });
    (progress.number, progress.offset) = lines.position();
    read.map_err(|error| if failed == Some(error.kind()) { CaptureError::View(error) } else { error.into() })?;
    Ok(order)
}

fn write_view(
    file: &mut File,
    progress: &mut Progress,
    chain: &[usize],
    view: &mut dyn ViewSink,
) -> Result<(), CaptureError> {
    let mut converter = Converter::default();
    let mut summary = Summary::default();
    let mut reader = ChainReader { file: BufReader::new(file), position: 0, bytes: Vec::new() };
    reader.file.rewind()?;
    for at in chain {
        let bytes = reader.read(&progress.scan.index.entries[*at])?;
        let text = readable(bytes);
        let Some(record) = Record::parse(&text) else { continue };
        let Some(message) = converter.convert(&record, record.native_message().as_ref()) else { continue };
        spoken_words(&message).for_each(|text| summary.add_message(text));
        write_message(message, view).map_err(CaptureError::View)?;
    }
    (progress.converter, progress.summary_of_words) = (converter, summary);
    Ok(())
}

fn spoken_words(message: &Message) -> impl Iterator<Item = &str> {
    message.parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } if message.role == Role::Assistant => Some(text.as_str()),
        _ => None,
    })
}

/// Messages that are in the file but not in the chain.
fn off_chain(index: &Index, chain: &[usize]) -> u64 {
    let mut left: Vec<bool> = index.entries.iter().map(Entry::is_message).collect();
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

fn finish(
    env: &Env,
    found: &Found,
    progress: Progress,
    len: u64,
    checkpoint: Option<Checkpoint>,
) -> Result<Captured, CaptureError> {
    let id = session_of(&found.path).ok_or(CaptureError::NotASession)?;
    let beside = list_beside(env, &found.path, id)?;
    let transcript = CapturedFile { bundle_path: format!("native/{SESSION}"), source: found.path.clone(), len };
    Ok(Captured {
        header: make_header(id, &progress),
        summary: progress.summary(),
        files: std::iter::once(transcript).chain(beside.files).collect(),
        skipped: beside.skipped,
        torn: progress.scan.torn,
        checkpoint,
    })
}

fn make_header(id: &str, progress: &Progress) -> Header {
    let Scan { facts, torn, .. } = &progress.scan;
    let (mut counts, mut dropped) = progress.converter.finish();
    counts.lines = torn.kept;
    dropped.messages_off_chain = progress.messages_off_chain;
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
        torn: torn.clone(),
    }
}
