//! Cutting text to so many bytes of JSON, and messages to so many bytes of a tail.

use serde_json::{Map, Value};

use super::{Entry, HeadHash};
use crate::view::{Message, Part};

/// Bytes of JSON that an id keeps, in the head, the pointer and cut messages alike, so that they still name each other.
/// An id of a view has at most 128 bytes; those of tools need no escapes and stay whole.
pub(super) const ID_MAX: usize = 256;
/// Bytes of JSON that the id and name of a tool call keep in a cut message.
const NAME_MAX: usize = 128;
/// Bytes that every string in the input of a call keeps in a cut message: the first of these with which it fits.
const STRING_STEPS: [usize; 4] = [2048, 512, 128, 32];

/// How many bytes a text takes in JSON, without its quotes.
pub(crate) fn json_len(text: &str) -> usize {
    text.chars().map(json_char_len).sum()
}

fn json_char_len(char: char) -> usize {
    match char {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..'\u{20}' => 6,
        _ => char.len_utf8(),
    }
}

/// The longest start of a text that takes at most `limit` bytes of JSON.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    let mut len = 0;
    for (at, char) in text.char_indices() {
        len += json_char_len(char);
        if len > limit {
            return &text[..at];
        }
    }
    text
}

pub(super) fn cut_string(text: &mut String, limit: usize) {
    let kept = cut(text, limit).len();
    text.truncate(kept);
}

pub(crate) fn cut_optional(text: &mut Option<String>, limit: usize) {
    if let Some(text) = text {
        cut_string(text, limit);
    }
}

/// How many bytes something takes as JSON.
pub(super) fn len_of(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

/// The message cut so that its entry takes at most `room` bytes. There must be room for its id and a notice.
pub(super) fn shorten(message: &Message, hash: HeadHash, room: usize) -> Message {
    let bare = Message { id: cut(&message.id, ID_MAX).to_owned(), parts: Vec::new(), ..message.clone() };
    let room = room.saturating_sub(len_of(&Entry::Short { hash, short: bare.clone() }));
    let bones: Vec<Part> = message.parts.iter().map(without_text).collect();
    let (kept, mut left) = parts_that_fit(&bones, room);
    let mut parts = Vec::with_capacity(kept + 1);
    for (at, (bone, whole)) in bones.into_iter().zip(&message.parts).take(kept).enumerate() {
        let (part, used) = with_text(bone, whole, left / (kept - at));
        parts.push(part);
        left -= used;
    }
    if kept < message.parts.len() {
        parts.push(left_out(message.parts.len() - kept));
    }
    Message { parts, ..bare }
}

fn left_out(parts: usize) -> Part {
    Part::notice(format!("{parts} more parts"))
}

/// How many of the first parts fit, beside a notice of how many do not, and the room that is left then.
fn parts_that_fit(bones: &[Part], room: usize) -> (usize, usize) {
    let comma = 1;
    let sizes: Vec<usize> = bones.iter().map(|bone| len_of(bone) + comma).collect();
    let all: usize = sizes.iter().sum();
    if all <= room {
        return (bones.len(), room - all);
    }
    let mut left = room.saturating_sub(len_of(&left_out(bones.len())) + comma);
    let fitting = sizes.iter().take_while(|size| left.checked_sub(**size).map(|rest| left = rest).is_some());
    (fitting.count(), left)
}

/// The part without its text, with the longest number of bytes left out.
fn without_text(part: &Part) -> Part {
    let name = |text: &str| cut(text, NAME_MAX).to_owned();
    let (text, truncated) = (String::new(), u64::MAX);
    match part {
        Part::Text { .. } => Part::Text { text, truncated },
        Part::Notice { .. } => Part::Notice { text, truncated },
        Part::ToolCall { id, name: tool, .. } => {
            Part::ToolCall { id: name(id), name: name(tool), input: Value::Object(Map::new()), truncated }
        }
        Part::ToolResult { id, is_error, .. } => {
            Part::ToolResult { id: name(id), text, is_error: *is_error, truncated }
        }
        Part::Image { media_type, bytes } => Part::Image { media_type: name(media_type), bytes: *bytes },
    }
}

/// Puts so much text into a part as takes `room` bytes, and says how many it took.
fn with_text(mut bone: Part, whole: &Part, room: usize) -> (Part, usize) {
    let used = match (&mut bone, whole) {
        (Part::Text { text: to, truncated: less }, Part::Text { text, truncated })
        | (Part::Notice { text: to, truncated: less }, Part::Notice { text, truncated })
        | (Part::ToolResult { text: to, truncated: less, .. }, Part::ToolResult { text, truncated, .. }) => {
            cut(text, room).clone_into(to);
            *less = truncated + (text.len() - to.len()) as u64;
            json_len(to)
        }
        (Part::ToolCall { input: to, truncated: less, .. }, Part::ToolCall { input, truncated, .. }) => {
            *to = cut_input(input, room + len_of(to));
            *less = truncated + (len_of(input) - len_of(to)) as u64;
            len_of(to) - "{}".len()
        }
        _ => 0,
    };
    (bone, used)
}

/// The input with its strings cut so that it takes at most `room` bytes, or `{}`.
fn cut_input(input: &Value, room: usize) -> Value {
    if len_of(input) <= room {
        return input.clone();
    }
    let shorter = STRING_STEPS.into_iter().map(|limit| {
        let mut input = input.clone();
        cut_strings(&mut input, limit);
        input
    });
    shorter.into_iter().find(|input| len_of(input) <= room).unwrap_or_else(|| Value::Object(Map::new()))
}

fn cut_strings(value: &mut Value, limit: usize) {
    match value {
        Value::String(text) => cut_string(text, limit),
        Value::Array(items) => items.iter_mut().for_each(|item| cut_strings(item, limit)),
        Value::Object(fields) => fields.values_mut().for_each(|field| cut_strings(field, limit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_in_json_is_the_writers() {
        for text in ["", "a\"b\\", "\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}", "ä😀\u{2028}", "</script>"] {
            assert_eq!(json_len(text), len_of(&text) - 2, "{text:?}");
        }
    }

    #[test]
    fn text_is_cut_between_characters_and_never_over_the_limit() {
        assert_eq!((cut("aä", 2), cut("aä", 3), cut("a\n", 2), cut("\u{1}", 5)), ("a", "aä", "a", ""));
    }

    #[test]
    fn what_is_left_out_of_a_message_is_counted() {
        let message = Message {
            v: 1,
            id: "m".into(),
            at: 0,
            role: crate::view::Role::Assistant,
            parts: vec![
                Part::Text { text: "x".repeat(1000), truncated: 5 },
                Part::ToolCall {
                    id: "c".into(),
                    name: "Write".into(),
                    input: serde_json::json!({"file_path": "/a", "content": "y".repeat(1000)}),
                    truncated: 0,
                },
                Part::ToolResult { id: "c".into(), text: "short".into(), is_error: true, truncated: 0 },
            ],
        };
        let whole = len_of(&message);
        let short = shorten(&message, HeadHash::EMPTY, 900);
        assert!(len_of(&short) < 900 && whole > 2000, "{}", len_of(&short));
        let Part::Text { text, truncated } = &short.parts[0] else { panic!("{short:?}") };
        assert!(text.len() > 100 && *truncated == 1005 - text.len() as u64);
        let Part::ToolCall { input, truncated, .. } = &short.parts[1] else { panic!("{short:?}") };
        assert!(input["file_path"] == "/a" && *truncated > 0, "{input}");
        assert_eq!(short.parts[2], message.parts[2]);
    }

    #[test]
    fn parts_that_do_not_fit_are_counted() {
        let parts = vec![Part::text("x"); 64];
        let message = Message { v: 1, id: "m".into(), at: 0, role: crate::view::Role::User, parts };
        let short = shorten(&message, HeadHash::EMPTY, 512);
        let shown = short.parts.len() - 1;
        assert!(shown > 1 && shown < 10);
        assert_eq!(short.parts[shown], Part::notice(format!("{} more parts", 64 - shown)));
    }
}
