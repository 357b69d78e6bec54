//! Known answers for other clients, in `vectors/active_view.json`. `UPDATE_VECTORS=1 cargo nextest run -p segue-formats
//! vectors` writes the file anew: only together with a new version of the active view.

use segue_formats::active_view::{
    ActiveView, Backfill, Draft, Entry, HeadHasher, KeyCardBytes, Partial, Pointer, Scene, Secret32, TailSink,
};
use segue_formats::route::{Need, Reach, Route, RouteKind};
use segue_formats::view::{Message, Part, Role, write_message};
use serde_json::{Value, json};

use crate::active_view::{header, scene};

/// What the smallest sealed view has room for.
const ROOM: usize = 16 * 1024 - 72;

fn chat() -> Vec<Message> {
    let message = |number: u32, role: Role, parts: Vec<Part>| Message {
        v: 1,
        id: format!("0a0b0c0d-0000-4000-8000-{number:012}"),
        at: 1_795_182_797_123 + i64::from(number),
        role,
        parts,
    };
    let result = |text: String| Part::ToolResult { id: "toolu_1".into(), text, is_error: false, truncated: 0 };
    let input = json!({"file_path": "/a", "content": "c".repeat(3000)});
    let mut chat: Vec<Message> = (0..30)
        .map(|number| {
            message(number, if number % 2 == 0 { Role::User } else { Role::Assistant }, vec![Part::text("…")])
        })
        .collect();
    chat.extend([
        message(30, Role::User, vec![Part::text("Grüße \"😀\" \\ \u{1}\n\t</script>\u{2028}")]),
        message(
            31,
            Role::Assistant,
            vec![
                Part::text("x".repeat(2500)),
                Part::ToolCall { id: "toolu_1".into(), name: "Write".into(), input, truncated: 0 },
            ],
        ),
        message(
            32,
            Role::Tool,
            vec![result("é".repeat(6000)), Part::Image { media_type: "image/png".into(), bytes: 7 }],
        ),
        message(33, Role::Assistant, vec![Part::text("done")]),
    ]);
    chat
}

fn full_scene() -> Scene {
    let mut scene = scene();
    scene.source.key_card = Some(KeyCardBytes((0..60).collect()));
    scene.pointer.anchor = Some("0a0b0c0d-0000-4000-8000-000000000030".to_owned());
    scene.pointer = Pointer { fraction: 250, unread_from: scene.pointer.anchor.clone(), ..scene.pointer };
    scene.draft = Some(Draft { text: "not yet ä".to_owned(), caret: 8 });
    scene.partial = Some(Partial::of("so far"));
    scene.backfill = Some(Backfill { key: Secret32([1; 32]), token: Secret32([2; 32]) });
    scene.route = Route {
        kind: RouteKind::Direct,
        provider: Some("anthropic".to_owned()),
        model: Some("claude-sonnet-4-5".to_owned()),
        needs: vec![Need::Login, Need::ApiKey],
        reach: Reach::Any,
        context_tokens: Some(200_000),
    };
    scene
}

/// Places of the view, and values with which it is none.
fn refused() -> [(&'static str, Value); 7] {
    [
        ("/v", json!(2)),
        ("/draft/text", json!("x".repeat(16 * 1024 + 1))),
        ("/draft/caret", json!(9)),
        ("/pointer/fraction", json!(1001)),
        ("/tail/skipped", json!(5)),
        ("/tail/messages/0/line", json!("{}")),
        ("/chat/head_hash", json!("AA")),
    ]
}

/// Places of the view, and values with which only the head hash shows that something is wrong.
fn other_chats(view: &Value) -> [(&'static str, Value); 4] {
    let first = view["tail"]["messages"][0]["line"].as_str().expect("it is whole").replace('…', "...");
    let hash = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    [
        ("/tail/messages/0/line", first.into()),
        ("/tail/before", hash.clone()),
        ("/chat/head_hash", hash),
        ("/chat/head_id", json!("another")),
    ]
}

fn with(view: &Value, (place, value): &(&str, Value)) -> Vec<u8> {
    let mut view = view.clone();
    *view.pointer_mut(place).expect("it is there") = value.clone();
    view.to_string().into_bytes()
}

#[test]
fn known_answers() {
    let lines = ["{\"a\":1}", "", "Grüße 😀", "x"];
    let mut head = HeadHasher::default();
    let heads: Vec<String> = std::iter::once(head.hash().to_string())
        .chain(lines.map(|line| {
            head.add_line(line.as_bytes());
            head.hash().to_string()
        }))
        .collect();
    let (mut view_jsonl, mut tail) = (Vec::new(), TailSink::default());
    for message in chat() {
        write_message(message.clone(), &mut view_jsonl).unwrap();
        write_message(message, &mut tail).unwrap();
    }
    let view = ActiveView::new(&header(), &tail, full_scene(), ROOM).unwrap();
    let cut = view.tail.messages.iter().filter(|entry| matches!(entry, Entry::Short { .. })).count();
    assert_eq!((view.tail.messages.len(), cut), (30, 2), "messages of both kinds");
    let encoded = String::from_utf8(view.encode().unwrap()).unwrap();
    let value: Value = serde_json::from_str(&encoded).unwrap();
    let (refused, others) = (refused(), other_chats(&value));
    for refused in &refused {
        assert!(ActiveView::parse(&with(&value, refused)).is_err(), "{refused:?}");
    }
    for other in &others {
        assert!(ActiveView::parse(&with(&value, other)).unwrap().verify_tail().is_err(), "{other:?}");
    }
    let changes = |changes: &[(&str, Value)]| -> Vec<Value> {
        changes.iter().map(|(place, value)| json!({"place": place, "value": value})).collect()
    };
    let file = json!({
        "about": "The head hash after each line, and one active view with the view.jsonl that it is of. With another value at a place of `refused` it is none; with one of `other_chats` its tail does not lead to its head.",
        "head": {"lines": lines, "heads": heads},
        "active_view": {
            "view_jsonl": String::from_utf8(view_jsonl).unwrap(), "room": ROOM, "encoded": encoded,
            "refused": changes(&refused), "other_chats": changes(&others),
        },
    });
    compare(&file);
}

fn compare(vectors: &Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/active_view.json");
    let text = serde_json::to_string_pretty(vectors).unwrap() + "\n";
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(path, text).unwrap();
    } else {
        assert!(std::fs::read_to_string(path).unwrap() == text, "{path} differs from what this build makes");
    }
}
