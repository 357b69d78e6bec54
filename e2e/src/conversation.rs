//! The live conversation in a request to the model, reduced to what a handoff must carry over.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What the tool says in the user's and in the model's name to repair a session that ended in the middle of a turn.
const REPAIRS: [&str; 2] = ["Continue from where you left off.", "No response requested."];

/// One thing that was said or done. What the tool puts in by itself is left out, and so is thinking.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// Text of the user.
    User(String),
    /// An image of the user: the SHA-256 of its bytes, in hex.
    Image(String),
    /// Text of the model.
    Assistant(String),
    /// The model calls a tool.
    ToolCall {
        /// Joins the call and its result.
        id: String,
        /// The tool.
        name: String,
        /// What it is given.
        input: Value,
    },
    /// What the tool answered.
    ToolResult {
        /// The call's id.
        id: String,
        /// All its text.
        text: String,
        /// Whether the tool failed.
        is_error: bool,
        /// The SHA-256 of each image's bytes, in hex.
        images: Vec<String>,
    },
}

/// The conversation in the body of a `POST /v1/messages`, in order.
pub fn of(request: &Value) -> Vec<Turn> {
    let messages = request["messages"].as_array().into_iter().flatten();
    messages.flat_map(|message| turns(message["role"] == "assistant", &message["content"])).collect()
}

fn turns(by_model: bool, content: &Value) -> Vec<Turn> {
    match content {
        Value::String(text) => said(by_model, text).into_iter().collect(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| turn(by_model, block)).collect(),
        _ => Vec::new(),
    }
}

fn turn(by_model: bool, block: &Value) -> Option<Turn> {
    let text = |field: &str| block[field].as_str().unwrap_or_default().to_owned();
    match block["type"].as_str()? {
        "text" => said(by_model, &text("text")),
        "image" => Some(Turn::Image(image_hash(block))),
        "tool_use" => Some(Turn::ToolCall { id: text("id"), name: text("name"), input: block["input"].clone() }),
        "tool_result" => Some(Turn::ToolResult {
            id: text("tool_use_id"),
            text: result_text(&block["content"]),
            is_error: block["is_error"] == true,
            images: result_images(&block["content"]),
        }),
        _ => None,
    }
}

fn said(by_model: bool, text: &str) -> Option<Turn> {
    let own = if by_model { text.to_owned() } else { without_reminders(text) };
    if own.is_empty() || REPAIRS.contains(&own.as_str()) {
        return None;
    }
    Some(if by_model { Turn::Assistant(own) } else { Turn::User(own) })
}

fn result_text(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return without_reminders(text);
    }
    let texts = content.as_array().into_iter().flatten().filter_map(|block| block["text"].as_str());
    texts.map(without_reminders).collect::<Vec<_>>().join("\n")
}

fn result_images(content: &Value) -> Vec<String> {
    let blocks = content.as_array().into_iter().flatten();
    blocks.filter(|block| block["type"] == "image").map(image_hash).collect()
}

/// What cannot be decoded is hashed as it is written, so that it still compares.
fn image_hash(block: &Value) -> String {
    let written = block["source"]["data"].as_str().unwrap_or_default().as_bytes();
    let bytes = BASE64.decode(written).unwrap_or_else(|_| written.to_vec());
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// The text without the reminders that the tool puts in anew with every request.
fn without_reminders(text: &str) -> String {
    let mut own = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<system-reminder>") {
        own.push_str(before);
        rest = after.split_once("</system-reminder>").map_or("", |(_, after)| after);
    }
    own.push_str(rest);
    own.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_tool_puts_in_is_left_out() {
        let request = json!({ "messages": [
            { "role": "user", "content": [
                { "type": "text", "text": "<system-reminder>\ntoday\n</system-reminder>" },
                { "type": "text", "text": "hello <system-reminder>a</system-reminder>" },
            ] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "hm", "signature": "s" },
                { "type": "text", "text": "No response requested." },
            ] },
            { "role": "user", "content": "next" },
        ] });
        assert_eq!(of(&request), [Turn::User("hello".to_owned()), Turn::User("next".to_owned())]);
    }

    #[test]
    fn images_are_known_by_their_bytes() {
        let image =
            json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "YWJj" } });
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        let result = json!({ "type": "tool_result", "tool_use_id": "t", "content": [
            { "type": "text", "text": "seen" }, image,
        ] });
        let request = json!({ "messages": [{ "role": "user", "content": [image, result] }] });
        let images = vec![abc.clone()];
        let seen = Turn::ToolResult { id: "t".to_owned(), text: "seen".to_owned(), is_error: false, images };
        assert_eq!(of(&request), [Turn::Image(abc), seen]);
    }
}
