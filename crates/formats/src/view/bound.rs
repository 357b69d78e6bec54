//! The bounds of one message. Chosen so that a line stays under 1 MiB even if every byte of it needs the longest JSON
//! escape (six bytes): 6 × 128 KiB of text, and 64 parts with 6 × 512 bytes of ids and names.

use serde_json::{Map, Value};

use super::{Message, Part};
use crate::clip::{clip, clip_counted};

const MAX_PARTS: usize = 64;
const MAX_TEXT: usize = 128 * 1024;
const MAX_TOOL_TEXT: usize = 16 * 1024;
const MAX_INPUT_STRING: usize = 1024;
const MAX_NAME: usize = 256;
const MAX_ID: usize = 128;
const MAX_MEDIA_TYPE: usize = 100;
/// How deep an input may be nested: JSON readers stop near 128, and a line of the view must be readable again.
const MAX_INPUT_DEPTH: usize = 100;

/// The message cut to its bounds.
pub(super) fn bound(mut message: Message) -> Message {
    cut(&mut message.id, MAX_ID);
    if message.parts.len() > MAX_PARTS {
        let left_out = message.parts.len() - (MAX_PARTS - 1);
        message.parts.truncate(MAX_PARTS - 1);
        message.parts.push(Part::notice(format!("{left_out} more parts")));
    }
    let mut room = MAX_TEXT;
    for part in &mut message.parts {
        bound_part(part, &mut room);
    }
    message
}

fn bound_part(part: &mut Part, room: &mut usize) {
    match part {
        Part::Text { text, truncated } => take(text, truncated, usize::MAX, room),
        Part::Notice { text, truncated } => take(text, truncated, MAX_TOOL_TEXT, room),
        Part::ToolResult { id, text, truncated, .. } => {
            cut(id, MAX_NAME);
            take(text, truncated, MAX_TOOL_TEXT, room);
        }
        Part::ToolCall { id, name, input, truncated } => {
            cut(id, MAX_NAME);
            cut(name, MAX_NAME);
            bound_input(input, truncated, room);
        }
        Part::Image { media_type, .. } => cut(media_type, MAX_MEDIA_TYPE),
    }
}

fn take(text: &mut String, truncated: &mut u64, limit: usize, room: &mut usize) {
    let (kept, left_out) = clip_counted(text, limit.min(*room));
    *room -= kept.len();
    *truncated += left_out;
    *text = kept;
}

fn bound_input(input: &mut Value, truncated: &mut u64, room: &mut usize) {
    let limit = MAX_TOOL_TEXT.min(*room);
    let whole = input.to_string().len();
    let deep = depth(input) > MAX_INPUT_DEPTH;
    if whole > limit || deep {
        cut_strings(input);
        if input.to_string().len() > limit || deep {
            *input = Value::Object(Map::new());
        }
        *truncated += (whole - input.to_string().len()) as u64;
    }
    *room = room.saturating_sub(input.to_string().len());
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn cut_strings(value: &mut Value) {
    match value {
        Value::String(text) => cut(text, MAX_INPUT_STRING),
        Value::Array(items) => items.iter_mut().for_each(cut_strings),
        Value::Object(fields) => fields.values_mut().for_each(cut_strings),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn cut(text: &mut String, limit: usize) {
    let kept = clip(text, limit).len();
    text.truncate(kept);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{MAX_VIEW_LINE, Role, VIEW_VERSION};
    use super::*;

    fn message(parts: Vec<Part>) -> Message {
        Message { v: VIEW_VERSION, id: "\u{1}".repeat(1000), at: i64::MIN, role: Role::Assistant, parts }
    }

    fn worst() -> String {
        "\u{1}".repeat(MAX_TEXT + 1)
    }

    #[test]
    fn the_worst_message_fits_a_line() {
        let call = || Part::ToolCall { id: worst(), name: worst(), input: json!({ worst(): worst() }), truncated: 0 };
        let result = || Part::ToolResult { id: worst(), text: worst(), is_error: true, truncated: u64::MAX / 2 };
        for part in [&call as &dyn Fn() -> Part, &result, &|| Part::text(worst()), &|| Part::notice(worst())] {
            let line = serde_json::to_vec(&bound(message((0..100).map(|_| part()).collect()))).unwrap();
            assert!(line.len() < MAX_VIEW_LINE, "{}", line.len());
        }
    }

    #[test]
    fn an_input_that_no_reader_takes_is_left_out() {
        let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        for (deep, kept) in [(MAX_INPUT_DEPTH, true), (MAX_INPUT_DEPTH + 1, false), (120, false)] {
            let call = Part::ToolCall { id: "c".into(), name: "n".into(), input: nested(deep), truncated: 0 };
            let line = serde_json::to_vec(&bound(message(vec![call]))).unwrap();
            let read: Message = serde_json::from_slice(&line).unwrap();
            let Part::ToolCall { input, truncated, .. } = &read.parts[0] else { panic!("a call stays a call") };
            assert_eq!((*input == nested(deep), *truncated == 0), (kept, kept), "{deep}");
        }
    }

    #[test]
    fn says_how_many_parts_are_left_out() {
        let cut = bound(message((0..100).map(|_| Part::text("x")).collect()));
        assert_eq!((cut.parts.len(), cut.parts.last()), (64, Some(&Part::notice("37 more parts"))));
    }

    #[test]
    fn counts_what_is_left_out() {
        let cut = bound(message(vec![Part::ToolResult {
            id: "a".into(),
            text: "x".repeat(20_000),
            is_error: false,
            truncated: 0,
        }]));
        assert!(matches!(&cut.parts[0], Part::ToolResult { text, truncated: 3616, .. } if text.len() == 16_384));
    }

    #[test]
    fn a_long_input_keeps_its_shape() {
        let input = json!({"file_path": "/a", "content": "x".repeat(20_000)});
        let cut = bound(message(vec![Part::ToolCall { id: "a".into(), name: "Write".into(), input, truncated: 0 }]));
        let Part::ToolCall { input, truncated, .. } = &cut.parts[0] else { panic!() };
        assert_eq!((input["file_path"].as_str(), *truncated), (Some("/a"), 20_000 - 1024));
    }
}
