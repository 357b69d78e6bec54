//! A window over a file that is being read: at most one segment and one prefix in memory, cut at line ends.

use std::io::{self, Read};

use segue_domain::limits::{PREFIX_BYTES_MAX, SEGMENT_BYTES_MAX};

const SEGMENT_BYTES: usize = SEGMENT_BYTES_MAX as usize;
const PREFIX_BYTES: usize = PREFIX_BYTES_MAX as usize;

/// Why the next bytes did not come.
#[derive(Debug)]
pub(crate) enum WindowError {
    /// The file ends before its announced length.
    Shrunk,
    /// The file cannot be read.
    Read(io::Error),
}

/// Reads exactly the announced length; what a file grows by meanwhile belongs to the next push.
pub(crate) struct Window<'a> {
    file: Box<dyn Read + 'a>,
    unread: u64,
    buffer: Vec<u8>,
    // The end of what was passed over.
    passed: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(crate) fn new(file: Box<dyn Read + 'a>, len: u64) -> Self {
        Self { file, unread: len, buffer: Vec::new(), passed: Vec::new() }
    }

    /// The last bytes that were passed over, at most [`PREFIX_BYTES_MAX`].
    pub(crate) fn passed(&self) -> &[u8] {
        &self.passed
    }

    /// The next `len` bytes, at most a segment, or fewer when the file ends before.
    pub(crate) fn peek(&mut self, len: usize) -> Result<&[u8], WindowError> {
        let len = len.min(SEGMENT_BYTES);
        let missing = (len.saturating_sub(self.buffer.len()) as u64).min(self.unread);
        if missing > 0 {
            let room = usize::try_from(missing).expect("at most a segment");
            self.buffer.reserve_exact(room);
            let read = self.file.by_ref().take(missing).read_to_end(&mut self.buffer).map_err(WindowError::Read)?;
            if read < room {
                return Err(WindowError::Shrunk);
            }
            self.unread -= missing;
        }
        Ok(&self.buffer[..len.min(self.buffer.len())])
    }

    /// Passes over `len` bytes that were peeked at.
    pub(crate) fn skip(&mut self, len: usize) {
        let (keep, kept) = (len.min(PREFIX_BYTES), self.passed.len());
        self.passed.drain(..kept.saturating_sub(PREFIX_BYTES - keep));
        self.passed.extend_from_slice(&self.buffer[len - keep..len]);
        self.buffer.drain(..len);
    }

    /// Passes over `len` bytes, at most a segment, that must be there.
    pub(crate) fn pass(&mut self, len: usize) -> Result<(), WindowError> {
        if self.peek(len)?.len() < len {
            return Err(WindowError::Shrunk);
        }
        self.skip(len);
        Ok(())
    }

    /// The next segment: up to the last line end in the window, else all of it; `None` at the end of the file.
    pub(crate) fn cut(&mut self) -> Result<Option<Vec<u8>>, WindowError> {
        self.peek(SEGMENT_BYTES)?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        if self.unread == 0 {
            return Ok(Some(std::mem::take(&mut self.buffer)));
        }
        let end = self.buffer.iter().rposition(|&byte| byte == b'\n').map_or(self.buffer.len(), |at| at + 1);
        let rest = self.buffer.split_off(end);
        Ok(Some(std::mem::replace(&mut self.buffer, rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(bytes: &[u8]) -> Vec<usize> {
        let mut window = Window::new(Box::new(bytes), bytes.len() as u64);
        let mut lengths = Vec::new();
        while let Some(segment) = window.cut().unwrap() {
            lengths.push(segment.len());
        }
        lengths
    }

    #[test]
    fn a_file_is_cut_at_the_last_line_end_in_the_window() {
        let mut bytes = vec![b'x'; SEGMENT_BYTES + 10];
        assert_eq!(cuts(&bytes), [SEGMENT_BYTES, 10], "no line end");
        bytes[99] = b'\n';
        assert_eq!(cuts(&bytes), [100, SEGMENT_BYTES - 90]);
        bytes[SEGMENT_BYTES - 1] = b'\n';
        assert_eq!(cuts(&bytes), [SEGMENT_BYTES, 10]);
    }

    #[test]
    fn a_file_within_one_segment_is_not_cut() {
        assert_eq!(cuts(b""), [0; 0]);
        assert_eq!(cuts(b"a\nb"), [3]);
        assert_eq!(cuts(&vec![b'\n'; SEGMENT_BYTES]), [SEGMENT_BYTES]);
        assert_eq!(cuts(&vec![b'\n'; SEGMENT_BYTES + 1]), [SEGMENT_BYTES, 1]);
    }

    #[test]
    fn what_was_passed_over_is_kept_as_far_as_a_prefix_goes() {
        let bytes: Vec<u8> = (0..251).cycle().take(3 * PREFIX_BYTES).collect();
        let mut window = Window::new(Box::new(bytes.as_slice()), bytes.len() as u64);
        let mut end = 0;
        for len in [10, PREFIX_BYTES - 5, 3, PREFIX_BYTES] {
            window.peek(len).unwrap();
            window.skip(len);
            end += len;
            assert_eq!(window.passed(), &bytes[end.saturating_sub(PREFIX_BYTES)..end]);
        }
    }

    #[test]
    fn a_file_that_shrank_is_noticed_and_growth_is_left_alone() {
        let mut window = Window::new(Box::new(&b"abc"[..]), 4);
        assert!(matches!(window.cut(), Err(WindowError::Shrunk)));
        let mut window = Window::new(Box::new(&b"abc"[..]), 2);
        assert_eq!(window.cut().unwrap().unwrap(), b"ab");
        assert!(window.cut().unwrap().is_none());
    }
}
