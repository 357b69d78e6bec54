//! The live chain: which lines of a transcript the tool sends when it resumes, and in which order.
//!
//! Found by giving hand-made transcripts to Claude Code 2.1.197 and reading what it sent to a stub of the model API:
//!
//! - The leaf is the last line in the file that has an id and is no sidechain. If a `last-prompt` notes a leaf (the last
//!   one counts, and only if it comes after the last compaction), that leaf is taken instead, unless the last line
//!   descends from it.
//! - From the leaf back along `parentUuid`, through lines of unknown types too, up to a compaction boundary or a line
//!   without parent. Of two lines with one id the later counts.
//! - Where the parent is not in the file, the line follows the latest line written at most 5 seconds before it; is there
//!   none, the chain begins there.
//! - Lines of one API answer (`message.id`) that are off this path, and the results of their calls, come right after the
//!   last line of that answer on the path: first the answers, then the results, each by time. This is how parallel calls
//!   look: the calls follow each other, every result follows its own call, and the next answer follows the last result.
//! - A compaction may preserve lines. They are sent after its anchor (the summary), in the order listed in
//!   `preservedMessages` or else from head to tail of `preservedSegment`; whatever followed the anchor follows them. If
//!   one of them or the anchor is missing from the file, none is sent.

use std::collections::{HashMap, HashSet};

use super::index::{Entry, Index, Key, Kind, Preserved, PreservedLines};

/// How long before a line whose parent is lost the line it follows may have been written, in ms.
const MAX_GAP: i64 = 5_000;

/// Positions in the index, in the order in which they are sent.
pub(super) fn live_chain(index: &Index) -> Vec<usize> {
    let links = Links::new(index);
    let Some(leaf) = find_leaf(index, &links) else { return Vec::new() };
    let path = links.walk(leaf);
    with_parallel_lines(index, &path)
}

/// The line that the tool goes on from.
pub(super) fn leaf(index: &Index) -> Option<usize> {
    find_leaf(index, &Links::new(index))
}

/// Whether the lines that a compaction preserved are in the chain: until all of them, the line they follow and a first one
/// behind that are there, the chain may still change before its end.
pub(super) fn is_settled(index: &Index, chain: &[usize]) -> bool {
    let Some(preserved) = &index.preserved else { return true };
    let last = preserved_positions(index, &preserved.lines).and_then(|lines| lines.last().copied());
    last.is_some_and(|last| chain.contains(&last))
}

/// Who follows whom, compaction applied.
struct Links<'a> {
    index: &'a Index,
    moved: HashMap<usize, Key>,
    /// Old anchor, and the last preserved line that now stands between it and what followed it.
    spliced: Option<(Key, Key)>,
    /// Positions of lines outside sidechains by time, to find the line before one whose parent is lost.
    by_time: Vec<(i64, usize)>,
}

impl<'a> Links<'a> {
    fn new(index: &'a Index) -> Self {
        let mut by_time: Vec<_> = index
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| !entry.side)
            .filter_map(|(at, entry)| Some((entry.at?, at)))
            .collect();
        by_time.sort_unstable();
        let mut links = Self { index, moved: HashMap::new(), spliced: None, by_time };
        if let Some(preserved) = &index.preserved {
            links.splice(preserved);
        }
        links
    }

    fn splice(&mut self, preserved: &Preserved) {
        let index = self.index;
        let Some(lines) = preserved_positions(index, &preserved.lines) else { return };
        let (Some(_), Some(last)) = (index.position(preserved.anchor), lines.last()) else { return };
        let mut before = preserved.anchor;
        for at in &lines {
            self.moved.insert(*at, before);
            before = index.entries[*at].key;
        }
        self.spliced = Some((preserved.anchor, index.entries[*last].key));
    }

    fn parent(&self, at: usize) -> Option<usize> {
        let entry = &self.index.entries[at];
        if let Some(moved) = self.moved.get(&at) {
            return self.index.position(*moved);
        }
        let mut parent = entry.parent?;
        if let Some((anchor, last)) = self.spliced
            && parent == anchor
        {
            parent = last;
        }
        self.index.position(parent).or_else(|| self.just_before(at, entry))
    }

    fn just_before(&self, at: usize, entry: &Entry) -> Option<usize> {
        let time = entry.at?;
        let end = self.by_time.partition_point(|known| *known < (time, at));
        let (before, position) = *self.by_time[..end].last()?;
        (time - before <= MAX_GAP).then_some(position)
    }

    /// From a boundary or the first line to `leaf`.
    fn walk(&self, leaf: usize) -> Vec<usize> {
        let (mut path, mut seen) = (vec![leaf], HashSet::from([leaf]));
        let mut at = leaf;
        while self.index.entries[at].kind != Kind::Boundary {
            let Some(parent) = self.parent(at).filter(|parent| seen.insert(*parent)) else { break };
            path.push(parent);
            at = parent;
        }
        path.reverse();
        path
    }
}

fn preserved_positions(index: &Index, lines: &PreservedLines) -> Option<Vec<usize>> {
    match lines {
        PreservedLines::Listed(keys) => keys.iter().map(|key| index.position(*key)).collect(),
        PreservedLines::Between { head, tail } => {
            let (mut positions, mut seen) = (Vec::new(), HashSet::new());
            let mut next = *tail;
            loop {
                let at = index.position(next).filter(|at| seen.insert(*at))?;
                positions.push(at);
                if next == *head {
                    positions.reverse();
                    return Some(positions);
                }
                next = index.entries[at].parent?;
            }
        }
    }
}

fn find_leaf(index: &Index, links: &Links<'_>) -> Option<usize> {
    let last = index.entries.iter().rposition(|entry| !entry.side)?;
    let noted = index.noted_leaf.and_then(|key| index.position(key)).filter(|at| !index.entries[*at].side);
    match noted {
        Some(noted) if !links.walk(last).contains(&noted) => Some(noted),
        _ => Some(last),
    }
}

fn with_parallel_lines(index: &Index, path: &[usize]) -> Vec<usize> {
    let on_path: HashSet<usize> = path.iter().copied().collect();
    let mut last_of_answer: HashMap<Key, usize> = HashMap::new();
    for at in path {
        if let Some(answer) = index.entries[*at].answer {
            last_of_answer.insert(answer, *at);
        }
    }
    let mut calls: HashMap<Key, Vec<usize>> = HashMap::new();
    let mut results: HashMap<Key, Vec<usize>> = HashMap::new();
    for (at, entry) in index.entries.iter().enumerate() {
        let replaced = index.position(entry.key) != Some(at);
        if on_path.contains(&at) || entry.side || replaced {
            continue;
        }
        if let Some(answer) = entry.answer.filter(|answer| last_of_answer.contains_key(answer)) {
            calls.entry(answer).or_default().push(at);
        } else if entry.kind == Kind::Result
            && let Some(parent) = entry.parent.and_then(|parent| index.position(parent))
            && let Some(answer) = index.entries[parent].answer.filter(|answer| last_of_answer.contains_key(answer))
        {
            results.entry(answer).or_default().push(at);
        }
    }
    let by_time = |at: &usize| (index.entries[*at].at, *at);
    let mut chain = Vec::with_capacity(path.len());
    for at in path {
        chain.push(*at);
        let Some(answer) = index.entries[*at].answer.filter(|answer| last_of_answer.get(answer) == Some(at)) else {
            continue;
        };
        for group in [&mut calls, &mut results] {
            let mut lines = group.remove(&answer).unwrap_or_default();
            lines.sort_by_key(by_time);
            chain.extend(lines);
        }
    }
    chain
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
