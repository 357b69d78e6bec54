//! Chooses the answer to a request by the markers in its last user text. Pure but for the unique ids.

use serde_json::{Value, json};

use super::unique;

/// What a thinking block of the stub is signed with; it has the form of a real signature and the meaning of none.
const SIGNATURE: &str = "U1RVQi1TSUdOQVRVUkU9QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB";

/// How many characters of the user's text an answer quotes.
const QUOTED: usize = 60;

/// The whole message that answers a request, as the API sends it when nothing is streamed.
pub(super) fn to(request: &Value) -> Value {
    let last = LastUser::of(request);
    let mut content = Vec::new();
    if last.text.contains("[[think]]") {
        let thinking = format!("stub thinking about: {}", quote(&last.text));
        content.push(json!({ "type": "thinking", "thinking": thinking, "signature": SIGNATURE }));
    }
    let call = if last.holds_result { None } else { Call::asked_for(&last.text) };
    let stop_reason = if let Some(Call { name, input }) = call {
        content.push(json!({ "type": "text", "text": format!("I will call {name}") }));
        content.push(json!({ "type": "tool_use", "id": unique("toolu"), "name": name, "input": input }));
        "tool_use"
    } else {
        let opening = if last.holds_result { "STUB-AFTER-TOOL" } else { "STUB-REPLY" };
        let count = request["messages"].as_array().map_or(0, Vec::len);
        content.push(json!({ "type": "text", "text": format!("{opening} n={count} :: {}", quote(&last.text)) }));
        "end_turn"
    };
    json!({
        "id": unique("msg"), "type": "message", "role": "assistant", "model": request["model"],
        "content": content, "stop_reason": stop_reason, "stop_sequence": null,
        "usage": {
            "input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 25,
        },
    })
}

/// What the last user message says, without what the tool itself put in.
struct LastUser {
    text: String,
    holds_result: bool,
}

impl LastUser {
    fn of(request: &Value) -> Self {
        let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let last = messages.iter().rfind(|message| message["role"] == "user");
        let content = last.map_or(&Value::Null, |message| &message["content"]);
        if let Some(text) = content.as_str() {
            return Self { text: text.to_owned(), holds_result: false };
        }
        let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
        let texts = blocks.iter().filter(|block| block["type"] == "text").filter_map(|block| block["text"].as_str());
        Self {
            text: texts.filter(|text| !text.contains("<system-reminder>")).collect::<Vec<_>>().join("\n"),
            holds_result: blocks.iter().any(|block| block["type"] == "tool_result"),
        }
    }
}

/// A tool call that a marker asks for.
struct Call {
    name: String,
    input: Value,
}

impl Call {
    /// The first `[[tool:NAME:…]]`; what is not a JSON object is a shell command.
    fn asked_for(text: &str) -> Option<Self> {
        let (_, marker) = text.split_once("[[tool:")?;
        let (name, rest) = marker.split_once(':')?;
        let (argument, _) = rest.split_once("]]")?;
        let shell = || json!({ "command": argument, "description": "stub command" });
        let input = serde_json::from_str::<Value>(argument).ok().filter(Value::is_object).unwrap_or_else(shell);
        Some(Self { name: name.to_owned(), input })
    }
}

fn quote(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(content: &Value) -> Value {
        to(&json!({ "model": "m", "messages": [{ "role": "user", "content": content }] }))
    }

    #[test]
    fn a_marker_calls_a_tool() {
        let message = asked(&json!("please [[tool:Bash:echo one]]"));
        assert_eq!(message["stop_reason"], "tool_use");
        assert_eq!(message["content"][1]["name"], "Bash");
        assert_eq!(message["content"][1]["input"]["command"], "echo one");
        let message = asked(&json!([{ "type": "text", "text": "[[tool:Read:{\"file_path\":\"/a\"}]]" }]));
        assert_eq!(message["content"][1]["input"], json!({ "file_path": "/a" }));
    }

    #[test]
    fn a_tool_result_ends_the_turn() {
        let content = json!([
            { "type": "tool_result", "tool_use_id": "t", "content": "done" },
            { "type": "text", "text": "[[tool:Bash:echo two]]" },
        ]);
        let message = asked(&content);
        assert_eq!(message["stop_reason"], "end_turn");
        assert!(message["content"][0]["text"].as_str().unwrap().starts_with("STUB-AFTER-TOOL n=1"));
    }

    #[test]
    fn thinking_comes_first_and_ids_are_unique() {
        let message = asked(&json!("[[think]] hm"));
        assert_eq!(message["content"][0]["type"], "thinking");
        assert_eq!(message["content"][1]["text"], "STUB-REPLY n=1 :: [[think]] hm");
        assert_ne!(message["id"], asked(&json!("again"))["id"]);
    }
}
