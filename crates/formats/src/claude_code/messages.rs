//! Lines of the live chain as neutral messages.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::index::Key;
use super::record::{Block, Content, NativeMessage, Record, Source};
use crate::session::{Counts, Dropped};
use crate::view::{Message, Part, Role, VIEW_VERSION};

/// How the tool marks what it wrote itself as a user: commands typed at its own prompt, and their output.
const LOCAL_MARKS: [&str; 5] = [
    "<command-name>",
    "<command-message>",
    "<local-command-stdout>",
    "<local-command-stderr>",
    "<local-command-caveat>",
];

/// The longest input of a call that is read, in bytes; the view keeps 16 KiB of it. More than a model writes in one answer,
/// and JSON of two bytes a value takes fifty times that in memory.
const MAX_INPUT: usize = 1024 * 1024;

/// Most calls that may wait for their result at a time. An answer makes some tens.
const MAX_OPEN_CALLS: usize = 1_000_000;

/// The model's name on messages that the tool made up.
const SYNTHETIC: &str = "<synthetic>";

/// Turns lines, given in the order of the chain, into messages; counts them on the way.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Converter {
    /// Calls that wait for their result.
    open: HashSet<Key>,
    pub(super) counts: Counts,
    pub(super) dropped: Dropped,
}

impl Converter {
    /// The message of a line, or `None` if the line has no place in the view.
    pub(super) fn convert(&mut self, record: &Record<'_>, message: Option<&NativeMessage<'_>>) -> Option<Message> {
        if record.is_meta == Some(true) {
            return None;
        }
        let (role, parts) = match record.kind.as_str() {
            "user" => self.convert_user(record, message?)?,
            "assistant" => (Role::Assistant, self.convert_assistant(message?, record)),
            // The tool sends the output of local commands as words of the user.
            "system" if record.subtype.as_deref() == Some("local_command") => {
                (Role::User, vec![Part::notice(record.words()?)])
            }
            _ => return None,
        };
        if parts.is_empty() {
            return None;
        }
        self.count(role, &parts);
        let id = record.uuid.clone().unwrap_or_default();
        Some(Message { v: VIEW_VERSION, id, at: record.at().unwrap_or(0), role, parts })
    }

    /// Calls that wait for their result.
    pub(super) fn waiting(&self) -> usize {
        self.open.len()
    }

    /// What there is so far, as if the chain ended here.
    pub(super) fn finish(&self) -> (Counts, Dropped) {
        (self.counts, Dropped { unanswered_calls: self.open.len() as u64, ..self.dropped })
    }

    fn convert_user(&mut self, record: &Record<'_>, message: &NativeMessage<'_>) -> Option<(Role, Vec<Part>)> {
        let summary = record.is_compact_summary == Some(true);
        let words = |text: &String| {
            let own = summary || is_local(text);
            if own { Part::notice(text.clone()) } else { Part::text(text.clone()) }
        };
        match message.content.as_ref()? {
            Content::Words(text) => Some((Role::User, vec![words(text)])),
            Content::Blocks(blocks) => {
                let (mut role, mut parts) = (Role::User, Vec::new());
                for block in blocks {
                    match block.kind.as_str() {
                        "text" => parts.extend(block.text.as_ref().map(&words)),
                        "tool_result" => {
                            role = Role::Tool;
                            self.convert_result(block, &mut parts);
                        }
                        _ => parts.extend(attached(block)),
                    }
                }
                Some((role, parts))
            }
        }
    }

    /// A result is kept if its call came before and has no result yet; the tool drops any other.
    fn convert_result(&mut self, block: &Block<'_>, parts: &mut Vec<Part>) {
        let Some(id) = block.tool_use_id.as_deref().filter(|id| self.open.remove(&Key::new(id))) else { return };
        let (text, is_error) = (result_text(block).into_owned(), block.is_error == Some(true));
        parts.push(Part::ToolResult { id: id.to_owned(), text, is_error, truncated: 0 });
        if let Some(Content::Blocks(blocks)) = block.content() {
            parts.extend(blocks.iter().filter_map(attached));
        }
    }

    fn convert_assistant(&mut self, message: &NativeMessage<'_>, record: &Record<'_>) -> Vec<Part> {
        if record.is_api_error_message == Some(true) && message.model.as_deref() == Some(SYNTHETIC) {
            return Vec::new();
        }
        let blocks = match &message.content {
            Some(Content::Words(text)) => return vec![Part::text(text.clone())],
            Some(Content::Blocks(blocks)) => blocks,
            None => return Vec::new(),
        };
        let mut parts = Vec::new();
        for block in blocks {
            match block.kind.as_str() {
                "text" => parts.extend(block.text.clone().map(Part::text)),
                "tool_use" => parts.extend(self.convert_call(block)),
                "thinking" | "redacted_thinking" => self.dropped.thinking_blocks += 1,
                _ => {}
            }
        }
        parts
    }

    fn convert_call(&mut self, block: &Block<'_>) -> Option<Part> {
        let id = block.id.clone()?;
        if self.open.len() < MAX_OPEN_CALLS {
            self.open.insert(Key::new(&id));
        }
        let (input, truncated) = match block.input.map(RawValue::get) {
            None => (Value::Object(serde_json::Map::new()), 0),
            Some(raw) if raw.len() > MAX_INPUT => (Value::Object(serde_json::Map::new()), raw.len() as u64),
            // Nested too deep to be read.
            Some(raw) => serde_json::from_str(raw)
                .map_or_else(|_| (Value::Object(serde_json::Map::new()), raw.len() as u64), |input| (input, 0)),
        };
        Some(Part::ToolCall { id, name: block.name.clone().unwrap_or_default(), input, truncated })
    }

    fn count(&mut self, role: Role, parts: &[Part]) {
        let speaks = parts.iter().any(|part| matches!(part, Part::Text { .. } | Part::Image { .. }));
        match role {
            Role::User if speaks => self.counts.user_messages += 1,
            Role::Assistant if speaks => self.counts.assistant_messages += 1,
            Role::User | Role::Assistant | Role::Tool => {}
        }
        self.counts.tool_calls += parts.iter().filter(|part| matches!(part, Part::ToolCall { .. })).count() as u64;
    }
}

/// Whether the tool wrote a text in the person's name.
pub(super) fn is_local(text: &str) -> bool {
    LOCAL_MARKS.iter().any(|mark| text.trim_start().starts_with(mark))
}

/// The text of a tool result.
pub(super) fn result_text<'a>(block: &'a Block<'_>) -> Cow<'a, str> {
    match block.content() {
        Some(Content::Words(text)) => Cow::Borrowed(text),
        Some(Content::Blocks(blocks)) => {
            let texts: Vec<&str> = blocks.iter().filter_map(|block| block.text.as_deref()).collect();
            Cow::Owned(texts.join("\n"))
        }
        None => Cow::Borrowed(""),
    }
}

/// An image or a document.
fn attached(block: &Block<'_>) -> Option<Part> {
    let source = block.source.as_ref()?;
    let media_type = source.media_type.clone().unwrap_or_default();
    match block.kind.as_str() {
        "image" => Some(Part::Image { media_type, bytes: decoded_size(source) }),
        "document" => Some(Part::notice(format!("document ({media_type}, {} bytes)", decoded_size(source)))),
        _ => None,
    }
}

/// How many bytes Base64 text stands for.
fn decoded_size(source: &Source<'_>) -> u64 {
    let text = source.data.map_or("", RawValue::get).trim_matches('"').trim_end_matches('=');
    text.len() as u64 * 3 / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(lines: &[&str]) -> (Vec<Message>, Counts, Dropped) {
        let mut converter = Converter::default();
        let messages = lines
            .iter()
            .filter_map(|line| {
                let record = Record::parse(line.as_bytes()).expect("the line is a record");
                converter.convert(&record, record.native_message().as_ref())
            })
            .collect();
        let (counts, dropped) = converter.finish();
        (messages, counts, dropped)
    }

    #[test]
    fn results_without_a_call_and_second_results_are_dropped() {
        let call = r#"{"type":"assistant","message":{"content":[{"type":"tool_use","id":"a","name":"Bash","input":{}},{"type":"tool_use","id":"b","name":"Bash","input":{}}]}}"#;
        let result = |id: &str| {
            format!(
                r#"{{"type":"user","message":{{"content":[{{"type":"tool_result","tool_use_id":"{id}","content":"x"}}]}}}}"#
            )
        };
        let (messages, counts, dropped) = convert(&[&result("a"), call, &result("a"), &result("a"), &result("zz")]);
        let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::Assistant, Role::Tool]);
        assert_eq!((counts.tool_calls, dropped.unanswered_calls), (2, 1));
    }

    #[test]
    fn what_the_tool_wrote_itself_is_a_notice_or_nothing() {
        let (messages, counts, _) = convert(&[
            r#"{"type":"user","message":{"content":"<command-name>/x</command-name>"}}"#,
            r#"{"type":"user","isCompactSummary":true,"message":{"content":"so far"}}"#,
            r#"{"type":"user","isMeta":true,"message":{"content":"for the model"}}"#,
            r#"{"type":"assistant","isApiErrorMessage":true,"message":{"model":"<synthetic>","content":[{"type":"text","text":"API Error"}]}}"#,
            r#"{"type":"system","subtype":"turn_duration","content":"x"}"#,
            r#"{"type":"attachment","message":{"content":"x"}}"#,
        ]);
        assert!(messages.iter().all(|message| matches!(message.parts[..], [Part::Notice { .. }])));
        assert_eq!((messages.len(), counts.user_messages), (2, 0));
    }

    #[test]
    fn images_and_documents_leave_their_size() {
        let (messages, counts, _) = convert(&[
            r#"{"type":"user","message":{"content":[{"type":"image","source":{"media_type":"image/png","data":"AAAA"}},{"type":"document","source":{"media_type":"application/pdf","data":"AAA="}}]}}"#,
        ]);
        let image = Part::Image { media_type: "image/png".into(), bytes: 3 };
        assert_eq!(messages[0].parts, [image, Part::notice("document (application/pdf, 2 bytes)")]);
        assert_eq!(counts.user_messages, 1);
    }

    #[test]
    fn an_input_too_deep_to_read_is_left_out() {
        let input = format!("{}{}", "{\"a\":".repeat(200), "1".to_owned() + &"}".repeat(200));
        let line = format!(
            r#"{{"type":"assistant","message":{{"content":[{{"type":"tool_use","id":"a","name":"X","input":{input}}}]}}}}"#
        );
        let (messages, _, _) = convert(&[&line]);
        assert!(matches!(&messages[0].parts[0], Part::ToolCall { truncated, .. } if *truncated == input.len() as u64));
    }
}
