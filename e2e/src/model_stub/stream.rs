//! A message as the API streams it: server-sent events, each block as its start, its deltas and its stop.

use std::fmt::Write;

use serde_json::{Value, json};

/// The whole stream. The stub has nothing to wait for, so it is sent in one piece.
pub(super) fn of(message: &Value) -> String {
    let mut stream = Stream::default();
    let mut opening = message.clone();
    opening["content"] = json!([]);
    opening["stop_reason"] = Value::Null;
    opening["usage"]["output_tokens"] = json!(1);
    stream.send(&json!({ "type": "message_start", "message": opening }));
    for (index, block) in message["content"].as_array().into_iter().flatten().enumerate() {
        let (start, deltas) = taken_apart(block);
        stream.send(&json!({ "type": "content_block_start", "index": index, "content_block": start }));
        for delta in deltas {
            stream.send(&json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        }
        stream.send(&json!({ "type": "content_block_stop", "index": index }));
    }
    let delta = json!({ "stop_reason": message["stop_reason"], "stop_sequence": null });
    let usage = json!({ "output_tokens": message["usage"]["output_tokens"] });
    stream.send(&json!({ "type": "message_delta", "delta": delta, "usage": usage }));
    stream.send(&json!({ "type": "message_stop" }));
    stream.text
}

/// A block as it starts, empty, and what then fills it.
fn taken_apart(block: &Value) -> (Value, Vec<Value>) {
    match block["type"].as_str() {
        Some("thinking") => (
            json!({ "type": "thinking", "thinking": "", "signature": "" }),
            vec![
                json!({ "type": "thinking_delta", "thinking": block["thinking"] }),
                json!({ "type": "signature_delta", "signature": block["signature"] }),
            ],
        ),
        Some("tool_use") => (
            json!({ "type": "tool_use", "id": block["id"], "name": block["name"], "input": {} }),
            vec![json!({ "type": "input_json_delta", "partial_json": block["input"].to_string() })],
        ),
        _ => (json!({ "type": "text", "text": "" }), vec![json!({ "type": "text_delta", "text": block["text"] })]),
    }
}

#[derive(Default)]
struct Stream {
    text: String,
}

impl Stream {
    fn send(&mut self, event: &Value) {
        let name = event["type"].as_str().unwrap_or_default();
        writeln!(self.text, "event: {name}\ndata: {event}\n").expect("a string takes any text");
    }
}
