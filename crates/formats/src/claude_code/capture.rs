//! Taking a session: one pass over its transcript, which writes the view as it goes. Where the live chain turns out to be
//! another than the order of the lines, a second pass writes the view anew.

use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::chain::live_chain;
use super::checkpoint::{self, Conversation, Progress};
use super::files::{MAX_TRANSCRIPT, SESSION, list_beside};
use super::index::{Entry, Index, Kind};
use super::layout::session_of;
use super::record::{Record, readable};
use super::scan::{Scan, Spoken};
use crate::lines::{Lines, MAX_LINE};
use crate::session::{HEADER_VERSION, Header};
use crate::view::ViewSink;
use crate::{CaptureError, Captured, CapturedFile, Checkpoint, Env, Found, Tool};

/// Bytes of a transcript that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// Takes the session as it was found; what the tool appends meanwhile is not part of it.
pub(super) fn capture(env: &Env, found: &Found, mut view: Option<&mut dyn ViewSink>) -> Result<Captured, CaptureError> {
    let (mut file, meta) = open(&found.path)?;
    let len = meta.len().min(found.len);
    let (progress, chain) = read_whole(&mut file, len, folder(found), &mut view)?;
    let checkpoint = progress.checkpoint(&mut file, meta.ino(), len, &chain)?;
    finish(env, found, progress, len, checkpoint)
}

/// The transcript of a session that was found, as [`capture`] will give it.
pub(super) fn transcript(found: &Found, len: u64) -> CapturedFile {
    CapturedFile { bundle_path: format!("native/{SESSION}"), source: found.path.clone(), len }
}

/// Writes the view of a transcript that a bundle holds.
pub(super) fn view(native_dir: &Path, view: &mut dyn ViewSink) -> Result<(), CaptureError> {
    let (mut file, meta) = open(&native_dir.join(SESSION))?;
    read_whole(&mut file, meta.len(), "", &mut Some(view)).map(drop)
}

/// Reads a transcript. Gives what it is, and its live chain.
pub(super) fn read_whole(
    file: &mut File,
    len: u64,
    folder: &str,
    view: &mut Option<&mut dyn ViewSink>,
) -> Result<(Progress, Vec<usize>), CaptureError> {
    let mut progress = Progress::default();
    let mut lines = Lines::new(BufReader::with_capacity(READ_BYTES, file.by_ref().take(len)), MAX_LINE);
    let order = read(&mut progress, &mut lines, folder, view)?;
    if progress.scan.too_many {
        return Err(CaptureError::TooLarge);
    }
    let chain = live_chain(&progress.scan.index);
    if chain != order {
        if let Some(view) = view {
            view.restart().map_err(CaptureError::View)?;
        }
        convert_again(file, &mut progress, &chain, view)?;
    }
    progress.messages_off_chain = off_chain(&progress.scan.index, &chain);
    Ok((progress, chain))
}

/// Takes a session that only grew since `since`, and writes to `view` what its view grew by. `None` when it did more than
/// grow, as far as can be told without reading it all; what was written to `view` then counts for nothing.
pub(super) fn capture_more(
    env: &Env,
    found: &Found,
    since: &Checkpoint,
    mut view: Option<&mut dyn ViewSink>,
) -> Result<Option<Captured>, CaptureError> {
    let (mut file, meta) = open(&found.path)?;
    let Some(mut progress) = checkpoint::resume(since, &mut file, &meta)? else { return Ok(None) };
    let (offset, number) = (progress.offset, progress.number);
    let window = progress.scan.index.entries.len();
    file.seek(io::SeekFrom::Start(offset))?;
    let rest = BufReader::with_capacity(READ_BYTES, (&mut file).take(meta.len() - offset));
    let mut lines = Lines::behind(rest, MAX_LINE, offset, number);
    let more = read(&mut progress, &mut lines, folder(found), &mut view)?;
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
    let Some(checkpoint) = progress.checkpoint(&mut file, meta.ino(), meta.len(), &chain)? else { return Ok(None) };
    finish(env, found, progress, meta.len(), Some(checkpoint)).map(Some)
}

/// The name of the project's folder.
fn folder(found: &Found) -> &str {
    found.path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default()
}

pub(super) fn open(path: &Path) -> Result<(File, Metadata), CaptureError> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(CaptureError::NotASession);
    }
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if meta.len() > MAX_TRANSCRIPT { Err(CaptureError::TooLarge) } else { Ok((file, meta)) }
}

/// Reads to the end and writes the view in the order of the lines, from the last compaction on. Gives that order.
fn read<R: Read>(
    progress: &mut Progress,
    lines: &mut Lines<BufReader<R>>,
    folder: &str,
    view: &mut Option<&mut dyn ViewSink>,
) -> Result<Vec<usize>, CaptureError> {
    let (mut order, mut failed) = (Vec::new(), false);
    let Progress { scan, conversation, .. } = progress;
    let read = scan.read(lines, folder, &mut |spoken: Spoken<'_>| {
        let Some(position) = spoken.position else { return Ok(()) };
        if spoken.boundary {
            order.clear();
            *conversation = Conversation::default();
            if let Some(view) = view {
                view.restart().inspect_err(|_| failed = true)?;
            }
        }
        order.push(position);
        let written = conversation.add(spoken.record, spoken.message, view);
        written.inspect_err(|_| failed = true)
    });
    (progress.number, progress.offset) = lines.position();
    read.map_err(|error| if failed { CaptureError::View(error) } else { error.into() })?;
    Ok(order)
}

fn convert_again(
    file: &mut File,
    progress: &mut Progress,
    chain: &[usize],
    view: &mut Option<&mut dyn ViewSink>,
) -> Result<(), CaptureError> {
    let mut conversation = Conversation::default();
    let mut reader = ChainReader { file: BufReader::new(file), position: 0, bytes: Vec::new() };
    reader.file.rewind()?;
    for at in chain {
        let bytes = reader.read(&progress.scan.index.entries[*at])?;
        let text = readable(bytes);
        let Some(record) = Record::parse(&text) else { continue };
        let message = record.native_message();
        conversation.add(&record, message.as_ref(), view).map_err(CaptureError::View)?;
    }
    progress.conversation = conversation;
    Ok(())
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
    Ok(Captured {
        header: make_header(id, &progress),
        summary: progress.summary(),
        files: std::iter::once(transcript(found, len)).chain(beside.files).collect(),
        skipped: beside.skipped,
        torn: progress.scan.torn,
        checkpoint,
    })
}

fn make_header(id: &str, progress: &Progress) -> Header {
    let Scan { facts, torn, .. } = &progress.scan;
    let (mut counts, mut dropped) = progress.conversation.converter.finish();
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
