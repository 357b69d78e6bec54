//! Where a capture ended, so that the next one reads only what was appended since.
//!
//! It trusts the file's inode, its length and the last bytes before the end (SPEC F1). It holds the end of the live chain,
//! against which new lines are judged; a line that does not simply follow it makes the next capture a whole one.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::chain::is_settled;
use super::index::{Entry, Index, Key};
use super::messages::Converter;
use super::record::{NativeMessage, Record};
use super::scan::{Facts, Scan};
use crate::Checkpoint;
use crate::summary::Summary;
use crate::torn::TornReport;
use crate::view::{Part, Role, ViewSink, write_message};

/// Version of the state below: another one is not understood, and the next capture is a whole one.
const VERSION: u32 = 1;
/// Lines of the chain's end that are kept: more than one answer has parallel calls.
const WINDOW: usize = 128;
/// Bytes before the end that must be the same, or all when there are fewer.
const TAIL_BYTES: u64 = 64 * 1024;
/// Calls, and files about to be written, that wait for their result. A session with more is read whole each time.
const WAITING_MAX: usize = 1000;

/// A capture under way.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) scan: Scan,
    pub(super) conversation: Conversation,
    pub(super) messages_off_chain: u64,
    /// Bytes read.
    pub(super) offset: u64,
    /// Lines read.
    pub(super) number: u64,
}

/// The live conversation so far.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Conversation {
    pub(super) converter: Converter,
    /// The last words of the model; the rest of the summary is in the scan.
    words: Summary,
}

impl Conversation {
    /// Adds a line, and writes its message if it has one.
    pub(super) fn add(
        &mut self,
        record: &Record<'_>,
        message: Option<&NativeMessage<'_>>,
        view: &mut Option<&mut dyn ViewSink>,
    ) -> io::Result<()> {
        let Some(message) = self.converter.convert(record, message) else { return Ok(()) };
        for part in &message.parts {
            if let (Role::Assistant, Part::Text { text, .. }) = (message.role, part) {
                self.words.add_message(text);
            }
        }
        view.as_deref_mut().map_or(Ok(()), |view| write_message(message, view))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct State {
    version: u32,
    inode: u64,
    offset: u64,
    number: u64,
    tail: [u8; 32],
    window: Vec<Entry>,
    noted_leaf: Option<Key>,
    facts: Facts,
    summary: Summary,
    writes: Vec<(Key, String)>,
    conversation: Conversation,
    messages_off_chain: u64,
    torn: TornReport,
}

impl Progress {
    /// What was done, and the last words.
    pub(super) fn summary(&self) -> Summary {
        Summary { last_messages: self.conversation.words.last_messages.clone(), ..self.scan.summary.clone() }
    }

    /// Where this capture ended; `None` in the middle of a line, or when it would not be small.
    pub(super) fn checkpoint(
        &self,
        file: &mut File,
        inode: u64,
        len: u64,
        chain: &[usize],
    ) -> io::Result<Option<Checkpoint>> {
        let Some(tail) = tail(file, self.offset)?.filter(|_| self.offset == len) else { return Ok(None) };
        let small = self.scan.writes.len() <= WAITING_MAX && self.conversation.converter.waiting() <= WAITING_MAX;
        if !small || !is_settled(&self.scan.index, chain) {
            return Ok(None);
        }
        let window = window(&self.scan.index, chain);
        let state = State {
            version: VERSION,
            inode,
            offset: self.offset,
            number: self.number,
            tail,
            // A leaf that was noted further back has the end of the chain as its descendant.
            noted_leaf: self.scan.index.noted_leaf.filter(|leaf| window.iter().any(|entry| entry.key == *leaf)),
            window,
            facts: self.scan.facts.clone(),
            summary: self.scan.summary.clone(),
            writes: self.scan.writes.iter().map(|(key, path)| (*key, path.clone())).collect(),
            conversation: self.conversation.clone(),
            messages_off_chain: self.messages_off_chain,
            torn: self.scan.torn.clone(),
        };
        Ok(serde_json::to_string(&state).ok().map(Checkpoint))
    }
}

/// The end of the chain, each line following the one before: that is how it was sent, whatever the lines say.
fn window(index: &Index, chain: &[usize]) -> Vec<Entry> {
    let mut window: Vec<Entry> = Vec::with_capacity(WINDOW);
    for at in &chain[chain.len().saturating_sub(WINDOW)..] {
        let parent = window.last().map(|before| before.key);
        window.push(Entry { parent, ..index.entries[*at] });
    }
    window
}

/// Takes a capture up again; `None` when the file is not the one that was read, with more behind it.
pub(super) fn resume(since: &Checkpoint, file: &mut File, meta: &Metadata) -> io::Result<Option<Progress>> {
    let Some(state) = serde_json::from_str::<State>(&since.0).ok().filter(|state| state.version == VERSION) else {
        return Ok(None);
    };
    if state.inode != meta.ino() || state.offset > meta.len() || tail(file, state.offset)? != Some(state.tail) {
        return Ok(None);
    }
    let mut index = Index::default();
    index.noted_leaf = state.noted_leaf;
    state.window.into_iter().for_each(|entry| index.push(entry));
    let writes: HashMap<Key, String> = state.writes.into_iter().collect();
    let (facts, torn, summary) = (state.facts, state.torn, state.summary);
    Ok(Some(Progress {
        scan: Scan { index, facts, torn, summary, writes, ..Scan::default() },
        conversation: state.conversation,
        messages_off_chain: state.messages_off_chain,
        offset: state.offset,
        number: state.number,
    }))
}

/// The hash of the bytes before `end`, which must end a line.
fn tail(file: &mut File, end: u64) -> io::Result<Option<[u8; 32]>> {
    let start = end.saturating_sub(TAIL_BYTES);
    file.seek(io::SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(end - start).read_to_end(&mut bytes)?;
    let whole_lines = bytes.len() as u64 == end - start && bytes.last().is_none_or(|last| *last == b'\n');
    Ok(whole_lines.then(|| Sha256::digest(&bytes).into()))
}
