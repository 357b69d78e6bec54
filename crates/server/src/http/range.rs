//! `Range: bytes=…` (RFC 9110 §14): one range, so that a reader opens the tail first or continues where it was cut.

use axum::http::{HeaderMap, header};

/// Which bytes to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// All.
    Whole,
    /// From the first to the last, both included.
    Part(u64, u64),
    /// None: the range begins after the end.
    Beyond,
}

/// Reads the header of a request for `len` bytes. What is no single byte range is ignored, as the RFC says.
pub(super) fn span(headers: &HeaderMap, len: u64) -> Span {
    let value = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    value.and_then(|value| parse(value, len)).unwrap_or(Span::Whole)
}

fn parse(value: &str, len: u64) -> Option<Span> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let end = len.checked_sub(1)?;
    if first.is_empty() {
        let suffix: u64 = last.parse().ok()?;
        return Some(if suffix == 0 { Span::Beyond } else { Span::Part(len.saturating_sub(suffix), end) });
    }
    let first = first.parse().ok()?;
    let last = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    if last < first {
        return None;
    }
    Some(if first > end { Span::Beyond } else { Span::Part(first, last.min(end)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_anything_else_is_ignored() {
        assert_eq!(parse("bytes=0-9", 100), Some(Span::Part(0, 9)));
        assert_eq!(parse("bytes=90-", 100), Some(Span::Part(90, 99)));
        assert_eq!(parse("bytes=-10", 100), Some(Span::Part(90, 99)));
        assert_eq!(parse("bytes=-1000", 100), Some(Span::Part(0, 99)));
        assert_eq!(parse("bytes=50-1000", 100), Some(Span::Part(50, 99)));
        assert_eq!(parse("bytes=100-", 100), Some(Span::Beyond));
        assert_eq!(parse("bytes=-0", 100), Some(Span::Beyond));
        for text in ["bytes=9-0", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes=", "bytes=-"] {
            assert_eq!(parse(text, 100), None, "{text}");
        }
    }
}
