//! The active view of any chat: what is in it, what it takes, and what it refuses.

use proptest::prelude::*;
use segue_formats::active_view::{
    ActiveView, ActiveViewError, DRAFT_MAX, Draft, Entry, KEY_CARD_MAX, KeyCardBytes, OtherChat, PARTIAL_MAX, Partial,
    Pointer, ROOM_MAX, Scene, Source, SourceKind, TAIL_MAX, TailSink,
};
use segue_formats::route::Route;
use segue_formats::view::{Message, Part, Role, write_message};
use segue_formats::{Counts, Dropped, HEADER_VERSION, Header, Tool, TornReport, ViewSink};
use serde_json::{Value, json};

pub(crate) fn header() -> Header {
    Header {
        v: HEADER_VERSION,
        tool: Tool::ClaudeCode,
        tool_version: None,
        native_id: "60fd7404-3e8f-43d7-a6d0-56fe9768814d".to_owned(),
        title: Some("Fix the parser".to_owned()),
        model: Some("claude-sonnet-4-5".to_owned()),
        cwd: Some("/home/ann/work".to_owned()),
        git_branch: None,
        started_at: None,
        updated_at: None,
        counts: Counts::default(),
        dropped: Dropped::default(),
        torn: TornReport::default(),
    }
}

pub(crate) fn scene() -> Scene {
    Scene {
        session_id: "ses_0123456789abcdefghjkmnpqrs".to_owned(),
        source: Source {
            device_id: "dev_0123456789abcdefghjkmnpqrs".to_owned(),
            name: "Studio Mac".to_owned(),
            kind: SourceKind::Cli,
            user_id: "usr_0123456789abcdefghjkmnpqrs".to_owned(),
            email: Some("ann@example.com".to_owned()),
            key_card: None,
        },
        pointer: Pointer::default(),
        draft: None,
        partial: None,
        route: Route::unknown(),
        backfill: None,
    }
}

fn said(id: usize, role: Role, text: &str) -> Message {
    Message { v: 1, id: format!("{id:08}-0000-4000-8000-000000000000"), at: 0, role, parts: vec![Part::text(text)] }
}

/// So many messages by turns, the last ones with the same ids however many there are.
fn turns(count: usize) -> Vec<Message> {
    let role = |back: usize| if back.is_multiple_of(2) { Role::Assistant } else { Role::User };
    (0..count).rev().map(|back| said(back, role(back), &format!("{back} before the end"))).collect()
}

fn write_all(messages: &[Message], sink: &mut dyn ViewSink) {
    for message in messages {
        write_message(message.clone(), sink).unwrap();
    }
}

fn lines(messages: &[Message]) -> Vec<u8> {
    let mut view = Vec::new();
    write_all(messages, &mut view);
    view
}

fn sink(messages: &[Message]) -> TailSink<'static> {
    let mut sink = TailSink::default();
    write_all(messages, &mut sink);
    sink
}

fn view_of(messages: &[Message]) -> ActiveView {
    ActiveView::new(&header(), &sink(messages), scene(), ROOM_MAX).unwrap()
}

/// The longest scene that is allowed, and the longest header.
fn longest() -> (Header, Scene) {
    let text = |len: usize| "x".repeat(len);
    let long = Some(text(5000));
    let header = Header {
        title: long.clone(),
        model: long.clone(),
        cwd: Some(text(1024)),
        git_branch: long.clone(),
        ..header()
    };
    let mut scene = scene();
    scene.source.name = text(400);
    scene.source.email = Some(text(400));
    scene.source.key_card = Some(KeyCardBytes(vec![7; KEY_CARD_MAX]));
    scene.pointer = Pointer { anchor: long.clone(), fraction: 1000, unread_from: long.clone(), branch: long };
    scene.draft = Some(Draft { text: text(DRAFT_MAX), caret: DRAFT_MAX });
    scene.partial = Some(Partial::of(&text(PARTIAL_MAX + 1)));
    (header, scene)
}

#[test]
fn all_thirty_messages_are_there_beside_the_longest_of_everything_else() {
    let (header, scene) = longest();
    let long: Vec<Message> = (0..40).map(|id| said(id, Role::Assistant, &"\u{1}\"ä".repeat(10_000))).collect();
    let view = ActiveView::new(&header, &sink(&long), scene, ROOM_MAX).unwrap();
    assert_eq!((view.tail.messages.len(), view.tail.skipped), (TAIL_MAX, 10));
    assert!(view.encode().unwrap().len() <= ROOM_MAX);
    assert_eq!(view.partial.as_ref().unwrap().truncated, 1);
    view.verify_tail().unwrap();
}

#[test]
fn a_chat_of_thirty_and_one_of_twenty_thousand_with_the_same_end_take_the_same() {
    let [short, long] = [30, 20_000].map(|count| view_of(&turns(count)));
    assert_eq!(short.tail.messages, long.tail.messages);
    let digits = |view: &ActiveView| view.chat.count.to_string().len() + view.tail.skipped.to_string().len();
    let [bare_short, bare_long] = [&short, &long].map(|view| view.encode().unwrap().len() - digits(view));
    assert_eq!(bare_short, bare_long);
    assert_eq!((long.chat.count, long.tail.skipped, long.tail.messages.len()), (20_000, 19_970, TAIL_MAX));
}

#[test]
fn how_long_the_chat_is_does_not_decide_what_fits() {
    let mut long = turns(40);
    for message in &mut long[10..] {
        message.parts.push(Part::notice("n".repeat(3000)));
    }
    let view = view_of(&long[10..]);
    let mut before = turns(20_000);
    before.extend_from_slice(&long[10..]);
    assert_eq!(view.tail.messages, view_of(&before).tail.messages);
    assert!(view.tail.messages.iter().any(|entry| matches!(entry, Entry::Short { .. })), "too little to fill it");
}

#[test]
fn the_last_words_of_both_sides_are_there_however_long_the_last_message_is() {
    let mut messages = vec![said(0, Role::User, "a question"), said(1, Role::Assistant, &"an answer ".repeat(50_000))];
    let result = Part::ToolResult { id: "t".into(), text: "r".repeat(16 * 1024), is_error: false, truncated: 0 };
    messages.extend((2..30).map(|id| Message {
        role: Role::Tool,
        parts: vec![result.clone()],
        ..said(id, Role::Tool, "")
    }));
    let view = view_of(&messages);
    assert_eq!(view.tail.messages.len(), 30);
    let texts: Vec<(Message, bool)> = view.tail.messages.iter().filter_map(Entry::message).collect();
    assert_eq!(texts[0], (messages[0].clone(), true));
    assert!(matches!(&texts[1].0.parts[..], [Part::Text { text, truncated }]
        if text.starts_with("an answer") && text.len() > 200 && *truncated > 0));
    assert!(!texts[1].1 && texts[29].0.id == messages[29].id);
}

#[test]
fn a_room_without_place_for_the_last_words_is_refused() {
    let (header, messages) = (header(), turns(30));
    let bare = ActiveView::new(&header, &sink(&[]), scene(), ROOM_MAX).unwrap().encode().unwrap().len();
    for room in [0, bare, bare + 100] {
        let refused = ActiveView::new(&header, &sink(&messages), scene(), room).unwrap_err();
        assert!(matches!(refused, ActiveViewError::TooLong { .. }), "{room}: {refused}");
    }
    let view = ActiveView::new(&header, &sink(&messages), scene(), bare + 1400).unwrap();
    assert!((2..10).contains(&view.tail.messages.len()), "{}", view.tail.messages.len());
    assert!(view.encode().unwrap().len() <= bare + 1400);
}

#[test]
fn a_chat_without_messages_is_one() {
    let view = view_of(&[]);
    assert_eq!((view.chat.count, view.chat.head_id.as_deref()), (0, None));
    view.verify_tail().unwrap();
    view.verify_whole(&b""[..]).unwrap();
    assert_eq!(ActiveView::parse(&view.encode().unwrap()).unwrap(), view);
}

#[test]
fn a_tail_without_its_start_is_not_the_whole_chat() {
    let long = view_of(&turns(40));
    let mut tail_alone = long.clone();
    (tail_alone.tail.skipped, tail_alone.chat.count) = (0, TAIL_MAX as u64);
    tail_alone.encode().unwrap();
    assert!(matches!(tail_alone.verify_tail(), Err(OtherChat::Tail)), "it says that nothing comes before");
    let mut other_end = long;
    other_end.chat.head_id = Some("another".to_owned());
    assert!(other_end.verify_tail().is_err());
}

#[test]
fn the_whole_chat_is_known_again_and_no_other() {
    let messages = turns(100);
    let (view, whole) = (view_of(&messages), lines(&messages));
    view.verify_whole(&whole[..]).unwrap();
    let other = |bytes: &[u8]| match view.verify_whole(bytes) {
        Err(OtherChat::Whole { expected: 100, found }) => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(other(&lines(&messages[..99])), 99);
    assert_eq!(other(&[&whole[..], &b"\n"[..]].concat()), 101);
    let mut swapped = messages.clone();
    swapped.swap(3, 4);
    assert_eq!(other(&lines(&swapped)), 100);
    let too_long = vec![b' '; 2 * 1024 * 1024];
    assert!(matches!(view.verify_whole(&too_long[..]), Err(OtherChat::Io(_))));
}

#[test]
fn what_is_over_a_limit_is_refused_on_both_ends() {
    let view = view_of(&turns(3));
    let whole: Value = serde_json::from_slice(&view.encode().unwrap()).unwrap();
    let text = |len: usize| Value::from("x".repeat(len));
    for (place, at_most, above) in [
        ("/chat/session_id", text(64), text(65)),
        ("/chat/title", text(1024), text(1025)),
        ("/chat/title", text(0), Value::from("\u{1}".repeat(171))),
        ("/chat/cwd", text(1024), text(1025)),
        ("/source/name", text(400), text(401)),
        ("/source/key_card", Value::from("A".repeat(9557) + "A"), Value::from("A".repeat(9560))),
        ("/pointer/anchor", text(256), text(257)),
        ("/pointer/fraction", json!(1000), json!(1001)),
        ("/draft", json!({"text": text(DRAFT_MAX), "caret": 0}), json!({"text": text(DRAFT_MAX + 1), "caret": 0})),
        ("/draft", json!({"text": "ä", "caret": 2}), json!({"text": "ä", "caret": 1})),
        ("/draft", json!({"text": "ä", "caret": 0}), json!({"text": "ä", "caret": 3})),
        ("/partial", json!({"text": text(PARTIAL_MAX)}), json!({"text": text(PARTIAL_MAX + 1)})),
        ("/route/needs", json!(vec!["new"; 8]), json!(vec!["new"; 9])),
        ("/route/provider", text(256), text(257)),
        ("/route/kind", json!("by pigeon"), json!(7)),
        ("/tail/skipped", json!(0), json!(1)),
        ("/tail/messages/0/line", whole["tail"]["messages"][1]["line"].clone(), json!("{}")),
        ("/v", json!(1), json!(2)),
    ] {
        let with = |value: &Value| {
            let mut changed = whole.clone();
            *changed.pointer_mut(place).unwrap() = value.clone();
            changed["new"] = json!({"a": [1]});
            ActiveView::parse(changed.to_string().as_bytes())
        };
        assert!(with(&at_most).is_ok(), "{place}: {:?}", with(&at_most));
        assert!(with(&above).is_err(), "{place}: {above}");
    }
    let refused = ActiveView::parse(&vec![b' '; ROOM_MAX + 1]).unwrap_err();
    assert!(matches!(refused, ActiveViewError::TooLong { room: ROOM_MAX, .. }));
    let mut padded = whole.to_string().into_bytes();
    padded.resize(ROOM_MAX, b' ');
    ActiveView::parse(&padded).unwrap();
    let newer = whole.to_string().replacen("\"v\":1", "\"v\":2", 1);
    let refused = ActiveView::parse(newer.as_bytes()).unwrap_err();
    assert!(refused.to_string().contains("update Segue"), "{refused}");
}

#[test]
fn too_many_messages_are_refused() {
    let mut view = view_of(&turns(31));
    let more = view.tail.messages[0].clone();
    view.tail.messages.insert(0, more);
    view.tail.skipped -= 1;
    assert!(matches!(view.encode(), Err(ActiveViewError::Part("number of messages"))));
}

#[test]
fn a_draft_that_is_too_long_is_refused_and_not_cut() {
    let mut scene = scene();
    scene.draft = Some(Draft { text: "\n".repeat(DRAFT_MAX / 2 + 1), caret: 0 });
    let refused = ActiveView::new(&header(), &sink(&turns(2)), scene, ROOM_MAX).unwrap_err();
    assert!(matches!(refused, ActiveViewError::Part("draft")), "{refused}");
}

#[test]
fn what_restarts_and_what_is_written_elsewhere_as_well_is_the_same() {
    let messages = turns(35);
    let mut file = Vec::new();
    let mut sink = TailSink::beside(&mut file);
    write_message(said(99, Role::User, "not it"), &mut sink).unwrap();
    sink.restart().unwrap();
    write_all(&messages, &mut sink);
    let view = ActiveView::new(&header(), &sink, scene(), ROOM_MAX).unwrap();
    assert_eq!(view, view_of(&messages));
    assert_eq!(file, lines(&messages));
}

fn parts() -> impl Strategy<Value = Part> {
    let long = (".{1,8}", prop_oneof![3 => 0..100_usize, 1 => 0..6000_usize]);
    let text = || long.clone().prop_map(|(text, times)| text.repeat(times));
    let json = prop_oneof![Just(json!({})), text().prop_map(|text| json!({"command": text, "deep": [{"a": text}]}))];
    prop_oneof![
        4 => text().prop_map(Part::text),
        1 => text().prop_map(Part::notice),
        1 => (text(), text(), any::<bool>())
            .prop_map(|(id, text, is_error)| Part::ToolResult { id, text, is_error, truncated: 3 }),
        1 => (text(), text(), json).prop_map(|(id, name, input)| Part::ToolCall { id, name, input, truncated: 0 }),
        1 => (text(), any::<u64>()).prop_map(|(media_type, bytes)| Part::Image { media_type, bytes }),
    ]
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let role = prop_oneof![Just(Role::User), Just(Role::Assistant), Just(Role::Tool)];
    let parts = prop_oneof![30 => prop::collection::vec(parts(), 0..3), 1 => prop::collection::vec(parts(), 63..66)];
    let message = ("[a-z0-9\"\u{1}-]{0,140}", any::<i64>(), role, parts).prop_map(|(id, at, role, parts)| Message {
        v: 1,
        id,
        at,
        role,
        parts,
    });
    prop::collection::vec(message, 0..45)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn it_never_takes_more_than_its_room_and_always_holds(
        messages in messages(), draft in ".{0,200}", room in 0..2 * ROOM_MAX,
    ) {
        let mut scene = scene();
        scene.draft = Some(Draft { caret: draft.len(), text: draft });
        let made = ActiveView::new(&header(), &sink(&messages), scene.clone(), room);
        let Ok(view) = made else {
            prop_assert!(room < 20 * 1024, "nothing fits into {room}: {made:?}");
            return Ok(());
        };
        let bytes = view.encode().unwrap();
        prop_assert!(bytes.len() <= room, "{} in {room}", bytes.len());
        prop_assert_eq!(&bytes, &ActiveView::new(&header(), &sink(&messages), scene, room).unwrap().encode().unwrap());
        let read = ActiveView::parse(&bytes).unwrap();
        prop_assert_eq!(&read, &view);
        prop_assert!(read.verify_tail().is_ok() && read.verify_whole(&lines(&messages)[..]).is_ok());
        if room >= ROOM_MAX {
            prop_assert_eq!(read.tail.messages.len(), messages.len().min(TAIL_MAX));
        }
    }

    #[test]
    fn a_changed_byte_is_noticed(messages in messages(), pick in any::<prop::sample::Index>(), mask in 1..128_u8) {
        prop_assume!(!messages.is_empty());
        let view = view_of(&messages);
        let mut changed = view.clone();
        let at = pick.index(view.tail.messages.len());
        match &mut changed.tail.messages[at] {
            Entry::Line { line } => {
                let mut bytes = std::mem::take(line).into_bytes();
                let byte = pick.index(bytes.len());
                bytes[byte] ^= mask;
                let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
                *line = text;
            }
            Entry::Short { hash, .. } => hash.0[pick.index(32)] ^= mask,
        }
        prop_assert!(changed.verify_tail().is_err());
        let places: [fn(&mut ActiveView) -> &mut [u8; 32]; 2] =
            [|view| &mut view.tail.before.0, |view| &mut view.chat.head_hash.0];
        for place in places {
            let mut changed = view.clone();
            place(&mut changed)[pick.index(32)] ^= mask;
            prop_assert!(changed.verify_tail().is_err());
        }
        let mut fewer = view.clone();
        fewer.tail.messages.remove(at);
        prop_assert!(fewer.verify_tail().is_err());
        let mut whole = lines(&messages);
        let byte = pick.index(whole.len());
        whole[byte] ^= mask;
        prop_assert!(view.verify_whole(&whole[..]).is_err());
    }
}
