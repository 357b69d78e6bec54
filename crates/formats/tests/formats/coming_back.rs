//! What a device gives back: bounded, and of the chat that it was given.

use segue_formats::active_view::{
    ActiveViewError, COUNT_MAX, ComingBack, DRAFT_MAX, Draft, HeadHasher, NewWords, Pointer, ROOM_MAX,
};
use segue_formats::view::{Message, Part, Role, ViewSink, write_message};
use segue_formats::{ClaudeCode, Format as _, Handed};
use serde_json::Value;

use crate::scene::{FRESH, Scene};

const ID: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";

fn said(number: usize, text: &str) -> Message {
    let id = format!("0a0b0c0d-0000-4000-8000-{number:012}");
    Message { v: 1, id, at: 1_795_182_797_123, role: Role::User, parts: vec![Part::text(text)] }
}

fn handed() -> Handed {
    let mut head = HeadHasher::default();
    head.add_line(b"what was there");
    Handed { len: 1, count: 1, head_hash: head.hash() }
}

fn before() -> HeadHasher {
    HeadHasher::behind(handed().head_hash, handed().count)
}

fn draft(text: &str) -> Draft {
    Draft { text: text.to_owned(), caret: text.len() }
}

fn changed(change: impl Fn(&mut Value)) -> Result<ComingBack, ActiveViewError> {
    let back = ComingBack::words(before(), vec![said(1, "one"), said(2, "two")], Some(draft("ä")), Pointer::default());
    let mut value = serde_json::from_slice(&back.encode().unwrap()).unwrap();
    change(&mut value);
    ComingBack::parse(value.to_string().as_bytes())
}

#[test]
fn what_is_written_is_read_and_unknown_fields_do_not_matter() {
    for back in [
        ComingBack::words(before(), vec![said(1, "one")], Some(draft("half a")), Pointer::default()),
        ComingBack::pushed(7, before(), None, Pointer { anchor: Some("x".into()), ..Pointer::default() }),
    ] {
        assert_eq!(ComingBack::parse(&back.encode().unwrap()).unwrap(), back);
    }
    assert!(changed(|value| value["new"] = 1.into()).is_ok());
    assert!(matches!(changed(|value| value["v"] = 2.into()), Err(ActiveViewError::UnknownVersion)));
    assert!(matches!(changed(|value| value["messages"][0]["v"] = 2.into()), Err(ActiveViewError::UnknownVersion)));
}

#[test]
fn everything_has_its_bound() {
    let part = |result: Result<ComingBack, ActiveViewError>| match result {
        Err(ActiveViewError::Part(part)) => part,
        other => panic!("{other:?}"),
    };
    assert!(changed(|value| value["draft"]["text"] = "x".repeat(DRAFT_MAX).into()).is_ok());
    assert_eq!(part(changed(|value| value["draft"]["text"] = "x".repeat(DRAFT_MAX + 1).into())), "draft");
    assert_eq!(part(changed(|value| value["draft"]["caret"] = 1.into())), "caret");
    assert_eq!(part(changed(|value| value["pointer"]["anchor"] = "x".repeat(257).into())), "anchor");
    assert_eq!(part(changed(|value| value["pointer"]["fraction"] = 1001.into())), "fraction");
    assert!(changed(|value| value["count"] = COUNT_MAX.into()).is_ok());
    assert_eq!(part(changed(|value| value["count"] = (COUNT_MAX + 1).into())), "number of messages");
    // What was pushed brings no words, and words have no place in a chain.
    assert_eq!(part(changed(|value| value["seq"] = 1.into())), "place in the chain");
    let pushed = |seq: u64| ComingBack::pushed(seq, before(), None, Pointer::default()).encode();
    assert!(pushed(0).is_err() && pushed(1).is_ok());
    let many = |count: usize| {
        let words = (0..count).map(|number| Message { id: String::new(), ..said(number, "") }).collect();
        ComingBack::words(before(), words, None, Pointer::default()).encode()
    };
    assert!(many(700).is_ok());
    assert!(matches!(many(1001), Err(ActiveViewError::Part("number of messages"))));
    let long = |bytes: usize| ComingBack::words(before(), vec![said(1, &"x".repeat(bytes))], None, Pointer::default());
    let room = ROOM_MAX - long(0).encode().unwrap().len();
    assert!(ComingBack::parse(&long(room).encode().unwrap()).is_ok());
    assert!(matches!(long(room + 1).encode(), Err(ActiveViewError::TooLong { .. })));
    assert!(matches!(ComingBack::parse(&vec![b' '; ROOM_MAX + 1]), Err(ActiveViewError::TooLong { .. })));
}

#[test]
fn words_are_of_the_chat_that_was_handed_over() {
    let words = changed(|_| ()).unwrap();
    assert!(words.verify_words(&handed()));
    assert!(!words.verify_words(&Handed { count: 2, ..handed() }));
    assert!(!changed(|value| value["messages"][1]["parts"][0]["text"] = "to".into()).unwrap().verify_words(&handed()));
    assert!(!changed(|value| value["count"] = 2.into()).unwrap().verify_words(&handed()));
    assert!(!ComingBack::pushed(1, before(), None, Pointer::default()).verify_words(&handed()));
}

/// The view of a recorded session, and that of the same one installed under another id and in another place.
fn views() -> [Vec<u8>; 2] {
    let (sender, receiver) = (Scene::recorded("2.1.197"), Scene::empty());
    let (captured, view) = sender.capture(ID);
    let bundle = sender.bundle(&captured);
    std::fs::create_dir_all(receiver.project("-x")).unwrap();
    std::fs::write(receiver.project("-x").join(format!("{ID}.jsonl")), "{}\n").unwrap();
    receiver.install(&bundle, &captured.header).unwrap();
    [view, receiver.capture(FRESH).1]
}

fn taken(view: &[u8], first: u64) -> NewWords {
    let mut words = NewWords::behind(first);
    std::io::Write::write_all(&mut words, view).unwrap();
    words
}

#[test]
fn the_words_behind_what_arrived_are_found_and_the_rest_is_counted() {
    let [sent, installed] = views();
    assert_ne!(sent, installed, "its spilled output lies elsewhere");
    let count = taken(&sent, 0).head().count();
    let new = |mut view: Vec<u8>| {
        for number in 0..2 {
            write_message(said(number, "new"), &mut view).unwrap();
        }
        let call = Part::ToolCall { id: "c".into(), name: "Bash".into(), input: Value::Null, truncated: 0 };
        write_message(Message { role: Role::Assistant, parts: vec![call], ..said(3, "") }, &mut view).unwrap();
        view
    };
    let (at_arrival, later) = (taken(&sent, count), taken(&new(installed), count));
    assert_eq!((at_arrival.first_ids(), later.head().count()), (later.first_ids(), count + 3));
    assert!(at_arrival.first_ids().is_some() && taken(&sent, count - 1).first_ids() != at_arrival.first_ids());
    assert_eq!(taken(&sent, count + 1).first_ids(), None, "it has fewer");
    assert_eq!(later.left_out(), 1);
    assert_eq!(later.into_words().unwrap(), [said(0, "new"), said(1, "new")]);
    assert!(taken(&sent, 0).left_out() > 0);
    let mut restarted = taken(&sent, 0);
    restarted.restart().unwrap();
    assert_eq!((restarted.head().count(), restarted.into_words()), (0, Some(Vec::new())));
}

#[test]
fn more_words_than_can_be_given_back_are_not_held() {
    let mut view = Vec::new();
    for number in 0..8 {
        write_message(said(number, &"x".repeat(10_000)), &mut view).unwrap();
    }
    assert_eq!(taken(&view, 0).into_words(), None);
    assert_eq!(taken(&view, 2).into_words().map(|words| words.len()), Some(6));
    let mut cut = Vec::new();
    write_message(said(1, &"x".repeat(200 * 1024)), &mut cut).unwrap();
    assert_eq!(taken(&cut, 0).into_words(), None, "what was cut is not what was said");
}

#[test]
fn appended_they_give_the_same_head() {
    let scene = Scene::recorded("2.1.197");
    let found = ClaudeCode.find(&scene.env(), ID).unwrap().unwrap();
    let mut tail = segue_formats::active_view::TailSink::default();
    ClaudeCode.capture(&scene.env(), &found, Some(&mut tail)).unwrap();
    let (handed, words) = (Handed::of(&found, &tail), vec![said(1, "one"), said(2, "two")]);
    let back = ComingBack::words(tail.head(), words, None, Pointer::default());
    let appended = ClaudeCode.append(&found, &handed, &back.messages).unwrap();
    assert!(back.is_head(appended.head));
}
