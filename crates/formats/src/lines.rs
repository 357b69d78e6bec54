//! Lines of a file, one at a time, with their place in it and a bound on their length.

use std::io::{self, BufRead};

use memchr::memchr;

/// The longest line read, in bytes (64 MiB). A line holds at most one message; the largest seen in the wild are images
/// of a few MiB. A longer line is skipped, not held.
pub const MAX_LINE: usize = 64 * 1024 * 1024;

/// One line, without its line feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Counted from 1.
    pub(crate) number: u64,
    /// Where the line begins, in bytes from the start of the file.
    pub(crate) offset: u64,
    /// Empty if the line is too long.
    pub(crate) bytes: &'a [u8],
    /// Whether a line feed follows.
    pub(crate) ended: bool,
    /// Whether the line is longer than the limit and was skipped.
    pub(crate) too_long: bool,
}

/// Reads lines; holds one at a time.
pub(crate) struct Lines<R> {
    reader: R,
    limit: usize,
    buffer: Vec<u8>,
    offset: u64,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R, limit: usize) -> Self {
        Self { reader, limit, buffer: Vec::new(), offset: 0, number: 0 }
    }

    /// As [`Lines::new`], of a reader that begins at `offset` of its file, behind `number` lines.
    pub(crate) fn behind(reader: R, limit: usize, offset: u64, number: u64) -> Self {
        Self { reader, limit, buffer: Vec::new(), offset, number }
    }

    /// How many lines and bytes were read, what was before included.
    pub(crate) fn position(&self) -> (u64, u64) {
        (self.number, self.offset)
    }

    /// The next line, or `None` at the end of the file.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let offset = self.offset;
        let (mut ended, mut too_long) = (false, false);
        while !ended {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            let feed = memchr(b'\n', chunk);
            let body = &chunk[..feed.unwrap_or(chunk.len())];
            if too_long || self.buffer.len() + body.len() > self.limit {
                too_long = true;
                self.buffer.clear();
            } else {
                self.buffer.extend_from_slice(body);
            }
            let used = feed.map_or(chunk.len(), |at| at + 1);
            ended = feed.is_some();
            self.offset += used as u64;
            self.reader.consume(used);
        }
        if self.offset == offset {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(Line { number: self.number, offset, bytes: &self.buffer, ended, too_long }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_offsets_and_a_missing_last_feed() {
        let mut lines = Lines::new(&b"ab\n\ncd"[..], 10);
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            seen.push((line.number, line.offset, line.bytes.to_vec(), line.ended));
        }
        assert_eq!(seen, [(1, 0, b"ab".to_vec(), true), (2, 3, vec![], true), (3, 4, b"cd".to_vec(), false)]);
    }

    #[test]
    fn skips_a_line_over_the_limit_and_reads_on() {
        let mut lines = Lines::new(io::BufReader::with_capacity(3, &b"12345678\nok\n"[..]), 4);
        let long = lines.next_line().unwrap().unwrap();
        assert!(long.too_long && long.bytes.is_empty());
        let next = lines.next_line().unwrap().unwrap();
        assert_eq!((next.bytes, next.offset), (&b"ok"[..], 9));
    }
}
