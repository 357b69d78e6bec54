//! Text from others, made harmless before it stands in a mail: no control characters, nothing that changes the reading
//! direction or is invisible, and no more than fits.

/// One line of at most `max` characters; what was cut ends in `…`.
pub(super) fn line(text: &str, max: usize) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    cut(words.join(" ").chars().filter(|symbol| !is_deceptive(*symbol)), max)
}

/// Several lines of at most `max` characters together.
pub(super) fn lines(text: &str, max: usize) -> Vec<String> {
    let kept = text.chars().filter(|symbol| matches!(symbol, '\n' | '\t') || !is_deceptive(*symbol));
    cut(kept, max).lines().map(|line| line.replace('\t', "    ")).collect()
}

/// Text between HTML tags, or inside a double-quoted attribute.
pub(super) fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            plain => safe.push(plain),
        }
    }
    safe
}

fn cut(symbols: impl Iterator<Item = char>, max: usize) -> String {
    let mut kept: String = symbols.take(max + 1).collect();
    if kept.chars().count() > max {
        kept = kept.chars().take(max.saturating_sub(1)).chain(['…']).collect();
    }
    kept
}

/// Controls, bidirectional marks, overrides and isolates, zero-width characters, line and paragraph separators, tags.
fn is_deceptive(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_without_anything_that_deceives() {
        assert_eq!(line("Ann\r\nBcc: x@y\u{202e}\u{0}  Lee", 100), "Ann Bcc: x@y Lee");
        assert_eq!(lines("one\r\n\u{2066}two\u{1b}[2J\tx\n", 100), ["one", "two[2J    x"]);
    }

    #[test]
    fn what_is_too_long_is_cut_at_the_limit() {
        assert_eq!((line("äääää", 5), line("ääääää", 5)), ("äääää".to_owned(), "ääää…".to_owned()));
        assert_eq!(lines("ab\ncdef", 5), ["ab", "c…"]);
    }

    #[test]
    fn html_has_no_tag_and_no_end_of_an_attribute() {
        assert_eq!(html("<script a='b' c=\"d\">&"), "&lt;script a=&#39;b&#39; c=&quot;d&quot;&gt;&amp;");
    }
}
