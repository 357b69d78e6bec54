//! Writing a transcript from a bundle: valid records only, each with its changes, line by line.

use std::io::{self, BufRead, Write};

use super::edit::{Edited, Edits};
use super::record::is_record;
use crate::lines::{Lines, MAX_LINE};
use crate::torn::{Damage, Split, TornReport, is_object, split_line, whole};

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) torn: TornReport,
    /// Permission modes reset.
    pub(super) reset_modes: u64,
}

/// Copies a transcript. A whole line keeps every byte outside its changes; records of a damaged line get lines of their
/// own; the last line gets a line feed, so that what the tool appends does not join it.
pub(super) fn write_transcript(from: impl BufRead, to: &mut impl Write, edits: &Edits<'_>) -> io::Result<Written> {
    let mut written = Written::default();
    let mut lines = Lines::new(from, MAX_LINE);
    let mut out = Vec::new();
    while let Some(line) = lines.next_line()? {
        if line.too_long {
            written.torn.quarantine(line.number, Damage::TooLong);
            continue;
        }
        out.clear();
        // Nearly every line is one whole record, and finding its changes shows that it is.
        let whole = whole(line.bytes);
        if is_object(&line.bytes[whole.clone()])
            && let Some(edited) = edits.find(&line.bytes[whole.clone()])
        {
            written.torn.count(line.number, &Split::Whole(whole.clone()), line.ended);
            out.extend_from_slice(&line.bytes[..whole.start]);
            written.apply(&edited, &line.bytes[whole.clone()], &mut out);
            out.extend_from_slice(&line.bytes[whole.end..]);
            out.push(b'\n');
            to.write_all(&out)?;
            continue;
        }
        let split = split_line(line.bytes, is_record);
        written.torn.count(line.number, &split, line.ended);
        match &split {
            // No object is whole and without fields; if one were, it would stay as it is.
            Split::Blank | Split::Whole(_) => out.extend_from_slice(line.bytes),
            Split::Damaged { records, .. } => {
                for (at, range) in records.iter().enumerate() {
                    if at > 0 {
                        out.push(b'\n');
                    }
                    written.edit(edits, &line.bytes[range.clone()], &mut out);
                }
            }
        }
        if matches!(split, Split::Whole(_)) || !split.records().is_empty() || (split == Split::Blank && line.ended) {
            out.push(b'\n');
        }
        to.write_all(&out)?;
    }
    Ok(written)
}

impl Written {
    fn edit(&mut self, edits: &Edits<'_>, record: &[u8], out: &mut Vec<u8>) {
        self.apply(&edits.find(record).unwrap_or_default(), record, out);
    }

    fn apply(&mut self, edited: &Edited, record: &[u8], out: &mut Vec<u8>) {
        self.reset_modes += u64::from(edited.reset_mode);
        edited.apply(record, out);
    }
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
