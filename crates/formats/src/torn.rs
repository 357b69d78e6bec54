//! Torn files (F4): a cut last line, runs of NUL bytes, two records on one line, invalid UTF-8.
//!
//! [`split_line`] finds the records of one line. A line that is one JSON object is whole and is never touched, whatever
//! white space or byte order mark surrounds it. From any other line every record is kept that can be told from rubble:
//! a JSON object that the tool's format accepts as a record, from a place where a record may begin up to where the next
//! one begins or the line ends.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// How many damaged places a report lists; the rest is only counted.
pub const MAX_QUARANTINED: usize = 100;

/// How many places of one damaged line may be tried in vain as the start of a record. Each try may read the rest of the line, so
/// this bounds the work that a hostile line can cause.
const MAX_TRIES: usize = 64;
/// How many bytes of one damaged line all tries together may read: a long line gets fewer tries, at least one.
const MAX_TRIED: usize = 64 * 1024 * 1024;

/// What was left out, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// NUL bytes, as a file system leaves them after a power cut.
    NulBytes,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A record that stops before its end.
    CutShort,
    /// Bytes that are no JSON, or JSON that is not an object.
    NotARecord,
    /// A line over the limit.
    TooLong,
}

/// One damaged place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The line, counted from 1.
    pub line: u64,
    /// What was left out there.
    pub reason: Damage,
}

/// What was found in a torn file. All zero for an intact one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TornReport {
    /// Records kept.
    pub kept: u64,
    /// Lines whose records are all valid but that are not written back as they were: joined records, or a missing last
    /// line feed.
    pub repaired: u64,
    /// Damaged places in all.
    pub total: u64,
    /// The first [`MAX_QUARANTINED`] of them.
    pub quarantined: Vec<Quarantined>,
}

impl TornReport {
    /// Whether the file needs no repair at all.
    pub fn is_intact(&self) -> bool {
        self.repaired == 0 && self.total == 0
    }

    pub(crate) fn quarantine(&mut self, line: u64, reason: Damage) {
        self.total += 1;
        if self.quarantined.len() < MAX_QUARANTINED {
            self.quarantined.push(Quarantined { line, reason });
        }
    }

    /// Counts one line as it was split.
    pub(crate) fn count(&mut self, line: u64, split: &Split, ended: bool) {
        match split {
            Split::Blank => {}
            Split::Whole(_) => {
                self.kept += 1;
                self.repaired += u64::from(!ended);
            }
            Split::Damaged { records, lost } => {
                self.kept += records.len() as u64;
                self.repaired += u64::from(lost.is_empty());
                for reason in lost {
                    self.quarantine(line, *reason);
                }
            }
        }
    }
}

/// The records of one line, as ranges of its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// White space only.
    Blank,
    /// One JSON object; the range leaves out what surrounds it.
    Whole(Range<usize>),
    /// Anything else.
    Damaged { records: Vec<Range<usize>>, lost: Vec<Damage> },
}

impl Split {
    pub(crate) fn records(&self) -> &[Range<usize>] {
        match self {
            Self::Blank => &[],
            Self::Whole(range) => std::slice::from_ref(range),
            Self::Damaged { records, .. } => records,
        }
    }
}

/// The line without what surrounds an object, which is one only if [`is_object`] and a reader say so.
pub(crate) fn whole(line: &[u8]) -> Range<usize> {
    trim(line, 0..line.len())
}

/// Whether bytes that a JSON reader took are an object of UTF-8 text: readers take other values too, and look at the
/// encoding only of what they keep.
pub(crate) fn is_object(json: &[u8]) -> bool {
    json.first() == Some(&b'{') && std::str::from_utf8(json).is_ok()
}

/// Splits one line. `is_record` says whether a JSON object is a record of the tool, and not a part of one.
pub(crate) fn split_line(bytes: &[u8], is_record: fn(&[u8]) -> bool) -> Split {
    let all = trim(bytes, 0..bytes.len());
    if all.is_empty() {
        return Split::Blank;
    }
    if object_at(bytes, &all) == Ok(all.end) {
        return Split::Whole(all);
    }
    let (mut records, mut lost) = (Vec::new(), Vec::new());
    let mut tries = (MAX_TRIED / bytes.len()).clamp(1, MAX_TRIES);
    for part in between_nuls(bytes) {
        split_part(bytes, part, is_record, &mut tries, &mut records, &mut lost);
    }
    if bytes.contains(&0) {
        lost.push(Damage::NulBytes);
    }
    Split::Damaged { records, lost }
}

/// Takes records from the start of `part`; where there is none, goes on at the next place where one may begin.
fn split_part(
    bytes: &[u8],
    part: Range<usize>,
    is_record: fn(&[u8]) -> bool,
    tries: &mut usize,
    records: &mut Vec<Range<usize>>,
    lost: &mut Vec<Damage>,
) {
    let mut rest = trim(bytes, part);
    let mut in_rubble = false;
    while !rest.is_empty() && *tries > 0 {
        let reason = match object_at(bytes, &rest) {
            Ok(end) if is_record(&bytes[rest.start..end]) => {
                records.push(rest.start..end);
                in_rubble = false;
                rest = trim(bytes, end..rest.end);
                continue;
            }
            Ok(_) => Damage::NotARecord,
            Err(reason) => reason,
        };
        *tries -= 1;
        if !in_rubble {
            lost.push(reason);
            in_rubble = true;
        }
        let next = bytes[rest.start + 1..rest.end].windows(2).position(|pair| pair == b"{\"");
        rest = next.map_or(rest.end..rest.end, |at| rest.start + 1 + at..rest.end);
    }
    if !rest.is_empty() && !in_rubble {
        lost.push(Damage::NotARecord);
    }
}

/// Where the JSON object at the start of `range` ends.
fn object_at(bytes: &[u8], range: &Range<usize>) -> Result<usize, Damage> {
    let text = &bytes[range.clone()];
    if text.first() != Some(&b'{') {
        return Err(Damage::NotARecord);
    }
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => {
            let end = values.byte_offset();
            // Skipping a value does not look at the encoding of its strings.
            std::str::from_utf8(&text[..end]).map_err(|_| Damage::InvalidUtf8)?;
            Ok(range.start + end)
        }
        Some(Err(error)) if error.is_eof() => Err(Damage::CutShort),
        _ if std::str::from_utf8(text).is_err() => Err(Damage::InvalidUtf8),
        _ => Err(Damage::NotARecord),
    }
}

fn between_nuls(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    bytes.split(|byte| *byte == 0).map(move |part| {
        let range = start..start + part.len();
        start = range.end + 1;
        range
    })
}

/// The range without JSON white space and byte order marks around it.
fn trim(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let Range { mut start, mut end } = range;
    loop {
        let text = &bytes[start..end];
        if text.starts_with(b"\xef\xbb\xbf") {
            start += 3;
        } else if text.first().is_some_and(|byte| is_space(*byte)) {
            start += 1;
        } else if text.last().is_some_and(|byte| is_space(*byte)) {
            end -= 1;
        } else {
            return start..end;
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_id(bytes: &[u8]) -> bool {
        bytes.windows(4).any(|part| part == b"\"id\"")
    }

    fn split(bytes: &[u8]) -> (Vec<&[u8]>, Vec<Damage>) {
        match split_line(bytes, has_id) {
            Split::Damaged { records, lost } => (records.into_iter().map(|range| &bytes[range]).collect(), lost),
            other => panic!("{other:?} is not damaged"),
        }
    }

    #[test]
    fn a_whole_line_may_have_a_mark_and_carriage_return() {
        assert_eq!(split_line(b"\xef\xbb\xbf{\"a\":1}\r", has_id), Split::Whole(3..10));
        assert_eq!(split_line(b" \r", has_id), Split::Blank);
    }

    #[test]
    fn a_lone_surrogate_escape_is_json() {
        assert_eq!(split_line(br#"{"a":"\ud83d"}"#, has_id), Split::Whole(0..14));
    }

    #[test]
    fn joined_records_are_told_apart() {
        assert_eq!(split(br#"{"id":1}{"id":2}"#), (vec![&br#"{"id":1}"#[..], br#"{"id":2}"#], vec![]));
    }

    #[test]
    fn a_cut_record_does_not_hide_the_next() {
        assert_eq!(split(br#"{"id":1,"b":"x{"id":2}"#), (vec![&br#"{"id":2}"#[..]], vec![Damage::NotARecord]));
        assert_eq!(split(br#"{"id":1,"b":[{"c":2}"#), (vec![], vec![Damage::CutShort]));
    }

    #[test]
    fn nul_runs_and_bad_bytes_are_left_out() {
        assert_eq!(split(b"\0\0{\"id\":1}"), (vec![&b"{\"id\":1}"[..]], vec![Damage::NulBytes]));
        assert_eq!(split(b"{\"id\":\"\xff\"}"), (vec![], vec![Damage::InvalidUtf8]));
    }

    #[test]
    fn other_json_is_no_record() {
        assert_eq!(split(b"[1]"), (vec![], vec![Damage::NotARecord]));
    }
}
