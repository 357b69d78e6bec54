//! Text from others. It reaches a terminal only through [`Untrusted`], escaped: a title cannot move the cursor, clear
//! the screen, hide a line or turn the reading direction around (ARCHITECTURE.md, invariant 8).

use std::fmt::{self, Write as _};

/// Text that somebody else wrote. Its [`Display`](fmt::Display) is one safe line.
#[derive(Clone, Copy)]
pub struct Untrusted<'a>(pub &'a str);

impl Untrusted<'_> {
    /// The text cut to `max` characters, safe to print.
    pub fn short(&self, max: usize) -> String {
        let safe = self.to_string();
        if safe.chars().count() <= max {
            return safe;
        }
        let mut cut: String = safe.chars().take(max.saturating_sub(1)).collect();
        cut.push('…');
        cut
    }

    /// The text with its line breaks kept, everything else escaped, each line behind `indent`.
    pub fn paragraphs(&self, indent: &str) -> String {
        let lines: Vec<_> = self.0.lines().map(|line| format!("{indent}{}", Untrusted(line))).collect();
        lines.join("\n")
    }
}

/// JSON in one line whose strings are safe to print: what deceives is written as `\uXXXX`, which means the same.
pub fn json(value: &serde_json::Value) -> String {
    let mut safe = String::new();
    for character in value.to_string().chars() {
        if is_deceptive(character) {
            // Such a character stands inside a string, and there only.
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                write!(safe, "\\u{unit:04x}").unwrap_or_default();
            }
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Characters that are invisible or change how their neighbours are shown: controls, bidirectional overrides and
/// isolates, zero-width characters, line and paragraph separators, tags.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl fmt::Display for Untrusted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\n' => formatter.write_str("⏎")?,
                '\t' => formatter.write_char(' ')?,
                deceptive if is_deceptive(deceptive) => write!(formatter, "\\u{{{:x}}}", u32::from(deceptive))?,
                plain => formatter.write_char(plain)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_escape_sequence_is_shown_and_not_obeyed() {
        assert_eq!(Untrusted("\u{1b}[2Jhi\r\u{9b}1m").to_string(), "\\u{1b}[2Jhi\\u{d}\\u{9b}1m");
        assert_eq!(Untrusted("a\u{202e}b").to_string(), "a\\u{202e}b");
    }

    proptest! {
        #[test]
        fn nothing_deceptive_survives(text in any::<String>()) {
            prop_assert!(!Untrusted(&text).to_string().chars().any(is_deceptive));
            prop_assert!(!Untrusted(&text).paragraphs("  ").replace('\n', "").chars().any(is_deceptive));
            let value = serde_json::json!({"text": text});
            prop_assert!(!json(&value).chars().any(is_deceptive));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&json(&value)).unwrap(), value);
        }
    }
}
