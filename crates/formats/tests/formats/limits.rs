//! The bounds of what is taken and installed: at the bound it works, one above it is said.

use std::fs::{self, File};

use crate::scene::Scene;
use segue_formats::view::{MAX_VIEW_LINE, ReadViewError, ViewReader};
use segue_formats::{
    CaptureError, Captured, ClaudeCode, Damage, Format as _, Header, MAX_LINE, MAX_QUARANTINED, SkipReason,
};

const ID: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
/// As in `claude_code::files` and `claude_code::index`.
const MAX_TRANSCRIPT: u64 = 4 << 30;
const MAX_FILES: usize = 4096;
const MAX_FILE: u64 = 256 << 20;
const MAX_FOUND: usize = 5000;
const MAX_ENTRIES: usize = 2_000_000;

fn prompt(uuid: &str) -> String {
    format!("{{\"type\":\"user\",\"uuid\":\"{uuid}\",\"message\":{{\"content\":\"hi\"}}}}\n")
}

fn sender(transcript: &[u8]) -> Scene {
    let scene = Scene::empty();
    fs::create_dir_all(scene.project("-x")).unwrap();
    fs::write(scene.project("-x").join(format!("{ID}.jsonl")), transcript).unwrap();
    scene
}

fn take(scene: &Scene) -> Result<Captured, CaptureError> {
    let found = ClaudeCode.find(&scene.env(), ID).unwrap().expect("the session is there");
    ClaudeCode.capture(&scene.env(), &found, Some(&mut Vec::new()))
}

/// A file without blocks on the disk.
fn sparse(path: &std::path::Path, len: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::options().write(true).create(true).truncate(false).open(path).unwrap().set_len(len).unwrap();
}

#[test]
fn a_transcript_over_four_gib_names_the_limit() {
    let scene = sender(prompt("a").as_bytes());
    let (captured, _) = scene.capture(ID);
    let bundle = scene.bundle(&captured);
    let path = scene.project("-x").join(format!("{ID}.jsonl"));
    let found = ClaudeCode.find(&scene.env(), ID).unwrap().unwrap();
    sparse(&path, MAX_TRANSCRIPT + 1);
    let refused = ClaudeCode.capture(&scene.env(), &found, Some(&mut Vec::new())).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the session has more than 4294967296 bytes or 2000000 messages: start a new one from where it stands"
    );
    sparse(&bundle.join("session.jsonl"), MAX_TRANSCRIPT + 1);
    let refused = Scene::empty().install(&bundle, &captured.header).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the transcript has more than 4294967296 bytes: ask the sender for a shorter session"
    );
}

#[test]
#[ignore = "long: reads four GiB"]
fn a_transcript_of_four_gib_is_taken() {
    let scene = sender(prompt("a").as_bytes());
    sparse(&scene.project("-x").join(format!("{ID}.jsonl")), MAX_TRANSCRIPT);
    let found = ClaudeCode.find(&scene.env(), ID).unwrap().unwrap();
    let captured = ClaudeCode.capture(&scene.env(), &found, Some(&mut Vec::new())).unwrap();
    assert_eq!((captured.torn.kept, captured.torn.quarantined[0].reason), (1, Damage::TooLong));
}

#[test]
#[ignore = "long: two million messages"]
fn two_million_messages_are_taken_and_one_more_is_not() {
    let mut transcript = String::new();
    for number in 0..MAX_ENTRIES {
        transcript.push_str(&prompt(&number.to_string()));
    }
    let scene = sender(transcript.as_bytes());
    assert_eq!(take(&scene).unwrap().torn.kept, MAX_ENTRIES as u64);
    let scene = sender((transcript + &prompt("more")).as_bytes());
    assert!(matches!(take(&scene), Err(CaptureError::TooLarge)));
}

#[test]
#[ignore = "long: lines of 64 MiB"]
fn a_line_of_64_mib_is_taken_and_a_longer_one_is_left_out() {
    let line = |len: usize| {
        let empty = prompt("a").replace("hi", "");
        prompt("a").replace("hi", &"x".repeat(len + 1 - empty.len()))
    };
    let (longest, longer) = (line(MAX_LINE), line(MAX_LINE + 1));
    assert_eq!((longest.len(), longer.len()), (MAX_LINE + 1, MAX_LINE + 2), "with its line feed");
    let captured = take(&sender((longest + &longer + &prompt("b")).as_bytes())).unwrap();
    let places: Vec<_> = captured.torn.quarantined.iter().map(|place| (place.line, place.reason)).collect();
    assert_eq!((captured.torn.kept, places), (2, vec![(2, Damage::TooLong)]));
}

#[test]
fn files_beside_it_are_bounded_in_length_and_number() {
    let scene = sender(prompt("a").as_bytes());
    let results = scene.project("-x").join(ID).join("tool-results");
    sparse(&results.join("0-longest.txt"), MAX_FILE);
    sparse(&results.join("1-longer.txt"), MAX_FILE + 1);
    for number in 1..MAX_FILES {
        fs::write(results.join(format!("f{number:04}.txt")), "").unwrap();
    }
    let captured = take(&scene).unwrap();
    assert_eq!(captured.files.len(), MAX_FILES + 1, "the transcript and the most beside it");
    let reasons = |captured: &Captured| captured.skipped.iter().map(|skipped| skipped.reason).collect::<Vec<_>>();
    assert_eq!(reasons(&captured), [SkipReason::TooLong]);
    fs::write(results.join("g.txt"), "").unwrap();
    let captured = take(&scene).unwrap();
    assert_eq!(
        (captured.files.len(), reasons(&captured)),
        (MAX_FILES + 1, vec![SkipReason::TooLong, SkipReason::TooMany])
    );
    for number in 0..200 {
        fs::write(results.join(format!("h{number}.txt")), "").unwrap();
    }
    assert_eq!(take(&scene).unwrap().skipped.len(), 100, "no more are listed");
}

#[test]
fn a_bundle_with_more_files_names_the_limit() {
    let scene = sender(prompt("a").as_bytes());
    let (captured, _) = scene.capture(ID);
    let bundle = scene.bundle(&captured);
    fs::create_dir(bundle.join("tool-results")).unwrap();
    for number in 0..=MAX_FILES {
        fs::write(bundle.join(format!("tool-results/f{number:04}.txt")), "").unwrap();
    }
    let receiver = Scene::empty();
    let refused = receiver.install(&bundle, &captured.header).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the bundle holds more than 4096 files beside the transcript: ask the sender to leave some out"
    );
    assert!(receiver.files().is_empty());
    fs::remove_file(bundle.join("tool-results/f0000.txt")).unwrap();
    let header: Header = captured.header;
    let installed = receiver.install(&bundle, &header).unwrap();
    assert!(installed.skipped.is_empty() && receiver.files().len() == MAX_FILES + 1);
}

#[test]
fn a_file_too_long_in_a_bundle_is_left_out_and_said() {
    let scene = sender(prompt("a").as_bytes());
    let (captured, _) = scene.capture(ID);
    let bundle = scene.bundle(&captured);
    sparse(&bundle.join("tool-results/longer.txt"), MAX_FILE + 1);
    let installed = Scene::empty().install(&bundle, &captured.header).unwrap();
    assert_eq!(installed.skipped.iter().map(|skipped| skipped.reason).collect::<Vec<_>>(), [SkipReason::TooLong]);
}

#[test]
fn a_damaged_session_lists_a_hundred_places_and_counts_all() {
    for (damaged, listed) in [(MAX_QUARANTINED, MAX_QUARANTINED), (MAX_QUARANTINED + 1, MAX_QUARANTINED)] {
        let captured = take(&sender((prompt("a") + &"rubble\n".repeat(damaged)).as_bytes())).unwrap();
        assert_eq!((captured.torn.total, captured.torn.quarantined.len()), (damaged as u64, listed));
    }
}

#[test]
fn a_message_of_many_parts_is_read_to_its_first_1024_blocks() {
    let blocks = |count: usize| vec![r#"{"type":"text","text":"x"}"#; count].join(",");
    for (count, said) in [(64, None), (1024, Some("961 more parts")), (5000, Some("961 more parts"))] {
        let line = prompt("a").replace("\"hi\"", &format!("[{}]", blocks(count)));
        let (_, view) = sender(line.as_bytes()).capture(ID);
        let view = String::from_utf8(view).unwrap();
        assert_eq!(view.contains("more parts"), said.is_some(), "{count}");
        assert!(view.contains(said.unwrap_or_default()), "{count}: {view}");
    }
}

#[test]
fn an_input_over_a_mib_is_left_out_of_the_view() {
    for (len, kept) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let start = r#"{"file_path":"/a","content":""#;
        let input = format!("{start}{}\"}}", "x".repeat(len - start.len() - 2));
        let call = format!(r#"[{{"type":"tool_use","id":"t","name":"Write","input":{input}}}]"#);
        let line = prompt("a").replace("\"user\"", "\"assistant\"").replace("\"hi\"", &call);
        let (_, view) = sender(line.as_bytes()).capture(ID);
        let view = String::from_utf8(view).unwrap();
        assert_eq!(view.contains("/a"), kept, "{len}");
        assert!(kept || view.contains(&format!("\"input\":{{}},\"truncated\":{len}")), "{view}");
    }
}

#[test]
fn a_line_of_a_view_is_at_most_a_mib() {
    let line = |len: usize| {
        let empty = r#"{"v":1,"id":"","at":0,"role":"user","parts":[]}"#;
        empty.replace("\"id\":\"\"", &format!("\"id\":\"{}\"", "x".repeat(len - empty.len())))
    };
    assert!(ViewReader::new(line(MAX_VIEW_LINE).as_bytes()).next().unwrap().is_ok());
    let refused = ViewReader::new(line(MAX_VIEW_LINE + 1).as_bytes()).next().unwrap();
    assert!(matches!(refused, Err(ReadViewError::TooLong(1))));
}

#[test]
fn the_newest_five_thousand_sessions_are_listed() {
    let scene = sender(prompt("a").as_bytes());
    for number in 0..MAX_FOUND {
        let id = format!("00000000-2222-4333-8444-{number:012}");
        fs::write(scene.project("-x").join(format!("{id}.jsonl")), prompt("a")).unwrap();
    }
    assert_eq!(ClaudeCode.discover(&scene.env()).unwrap().count(), MAX_FOUND);
}
