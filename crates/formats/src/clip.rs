//! Cutting text to a bound.

/// The longest start of `text` that fits into `limit` bytes and ends on a character boundary.
pub(crate) fn clip(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// `text` cut to `limit` bytes, and how many bytes were left out.
pub(crate) fn clip_counted(text: &str, limit: usize) -> (String, u64) {
    let kept = clip(text, limit);
    (kept.to_owned(), (text.len() - kept.len()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_cuts_a_character() {
        assert_eq!(clip_counted("aä", 2), ("a".to_owned(), 2));
        assert_eq!(clip_counted("aä", 3), ("aä".to_owned(), 0));
    }
}
