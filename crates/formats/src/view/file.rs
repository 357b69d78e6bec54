//! Writing and reading `view.jsonl`, one message at a time.

use std::fs::File;
use std::io::{self, BufRead, BufWriter, Seek as _, Write};

use memchr::memchr;
use thiserror::Error;

use super::bound::bound;
use super::{Message, VIEW_VERSION};
use crate::lines::Lines;

/// The longest line of a view, in bytes.
pub const MAX_VIEW_LINE: usize = 1024 * 1024;

/// Where a view is written: from the start again, when it turns out that it was to be another.
pub trait ViewSink: Write {
    /// Drops all that was written.
    fn restart(&mut self) -> io::Result<()>;
}

impl ViewSink for BufWriter<File> {
    fn restart(&mut self) -> io::Result<()> {
        self.rewind()?;
        self.get_mut().set_len(0)
    }
}

impl ViewSink for Vec<u8> {
    fn restart(&mut self) -> io::Result<()> {
        self.clear();
        Ok(())
    }
}

/// Puts the pieces in which a view is written together to its lines.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    line: Vec<u8>,
}

impl Pieces {
    /// Takes a piece up to the end of its first line. Says how much it took, and the line without its line feed if it
    /// ends here.
    pub(crate) fn take(&mut self, piece: &[u8]) -> io::Result<(usize, Option<Vec<u8>>)> {
        let feed = memchr(b'\n', piece);
        let part = &piece[..feed.unwrap_or(piece.len())];
        if self.line.len() + part.len() > MAX_VIEW_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of the view is too long"));
        }
        self.line.extend_from_slice(part);
        Ok(feed.map_or((piece.len(), None), |at| (at + 1, Some(std::mem::take(&mut self.line)))))
    }
}

/// Writes one message as a line, cut to its bounds.
pub fn write_message(message: Message, mut out: &mut dyn ViewSink) -> io::Result<()> {
    serde_json::to_writer(&mut out, &bound(message))?;
    out.write_all(b"\n")
}

/// Why a view cannot be read.
#[derive(Debug, Error)]
pub enum ReadViewError {
    /// The file cannot be read.
    #[error("cannot read the view: {0}")]
    Io(#[from] io::Error),
    /// A line over [`MAX_VIEW_LINE`].
    #[error("line {0} of the view is too long")]
    TooLong(u64),
    /// A line that is no message.
    #[error("line {line} of the view is not a message: {source}")]
    Malformed {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A line by a newer Segue.
    #[error("line {0} of the view has a version that this Segue does not know")]
    UnknownVersion(u64),
}

/// Reads messages; holds one line at a time. Ends after the first error.
pub struct ViewReader<R> {
    lines: Lines<R>,
    failed: bool,
}

impl<R: BufRead> ViewReader<R> {
    /// Reads from `reader`.
    pub fn new(reader: R) -> Self {
        Self { lines: Lines::new(reader, MAX_VIEW_LINE), failed: false }
    }

    fn read(&mut self) -> Result<Option<Message>, ReadViewError> {
        let Some(line) = self.lines.next_line()? else { return Ok(None) };
        if line.too_long {
            return Err(ReadViewError::TooLong(line.number));
        }
        let message: Message = serde_json::from_slice(line.bytes)
            .map_err(|source| ReadViewError::Malformed { line: line.number, source })?;
        if message.v != VIEW_VERSION {
            return Err(ReadViewError::UnknownVersion(line.number));
        }
        Ok(Some(message))
    }
}

impl<R: BufRead> Iterator for ViewReader<R> {
    type Item = Result<Message, ReadViewError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.read().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Part, Role};
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let message = |id: &str| Message {
            v: VIEW_VERSION,
            id: id.into(),
            at: 7,
            role: Role::User,
            parts: vec![Part::text("hi"), Part::Image { media_type: "image/png".into(), bytes: 3 }],
        };
        let mut bytes = Vec::new();
        write_message(message("a"), &mut bytes).unwrap();
        write_message(message("b"), &mut bytes).unwrap();
        let read: Vec<_> = ViewReader::new(&bytes[..]).map(Result::unwrap).collect();
        assert_eq!(read, [message("a"), message("b")]);
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap();
        let expected = r#"{"v":1,"id":"a","at":7,"role":"user","parts":[{"type":"text","text":"hi"},{"type":"image","media_type":"image/png","bytes":3}]}"#;
        assert_eq!(std::str::from_utf8(first).unwrap(), expected);
    }

    #[test]
    fn stops_at_the_first_bad_line() {
        let mut reader = ViewReader::new(&b"{}\n{}\n"[..]);
        assert!(matches!(reader.next(), Some(Err(ReadViewError::Malformed { line: 1, .. }))));
        assert!(reader.next().is_none());
    }

    #[test]
    fn refuses_a_newer_version() {
        let line = br#"{"v":2,"id":"","at":0,"role":"tool","parts":[]}"#;
        assert!(matches!(ViewReader::new(&line[..]).next(), Some(Err(ReadViewError::UnknownVersion(1)))));
    }
}
