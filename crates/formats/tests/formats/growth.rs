//! A capture that goes on from a checkpoint gives what a whole one gives, or says that it cannot.

use std::fs::{self, OpenOptions};
use std::io::Write;

use segue_formats::{Captured, ClaudeCode, Format};

use crate::recorded::RECORDED;
use crate::scene::Scene;

/// Captures whole, and from the checkpoint of `before`; checks that both agree. Gives the whole one, and whether the
/// checkpoint served.
fn both(scene: &Scene, id: &str, before: Option<&(Captured, Vec<u8>)>) -> ((Captured, Vec<u8>), bool) {
    let (captured, view) = scene.capture(id);
    let Some((known, known_view)) = before else { return ((captured, view), false) };
    let Some(checkpoint) = &known.checkpoint else { return ((captured, view), false) };
    let found = ClaudeCode.find(&scene.env(), id).unwrap().unwrap();
    let mut grown = known_view.clone();
    let more = ClaudeCode.capture_more(&scene.env(), &found, checkpoint, Some(&mut grown)).unwrap();
    let served = more.is_some();
    if let Some(more) = more {
        assert_eq!(String::from_utf8_lossy(&grown), String::from_utf8_lossy(&view));
        let rest = |captured: &Captured| (captured.header.clone(), captured.summary.clone(), captured.files.clone());
        assert_eq!(rest(&more), rest(&captured));
        assert_eq!(more.torn, captured.torn);
    }
    ((captured, view), served)
}

#[test]
fn every_line_of_every_recorded_session_may_be_the_next_one() {
    let (mut served, mut lines) = (0, 0);
    for (version, id, _) in RECORDED {
        let scene = Scene::recorded(version);
        let path = scene.project("-home-coder-emms-sdk").join(format!("{id}.jsonl"));
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, "").unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        let mut before: Option<(Captured, Vec<u8>)> = None;
        for line in whole.split_inclusive('\n') {
            file.write_all(line.as_bytes()).unwrap();
            if ClaudeCode.find(&scene.env(), id).unwrap().is_none() {
                continue;
            }
            let (now, by_checkpoint) = both(&scene, id, before.as_ref());
            (served, lines, before) = (served + usize::from(by_checkpoint), lines + 1, Some(now));
        }
    }
    assert!(served * 10 > lines * 7, "a checkpoint served for {served} of {lines} lines only");
}

fn grow(scene: &Scene, id: &str, text: &str) {
    let path = scene.project("-home-coder-emms-sdk").join(format!("{id}.jsonl"));
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn line(uuid: &str, parent: &str, text: &str) -> String {
    format!(
        "{{\"type\":\"user\",\"uuid\":\"{uuid}\",\"parentUuid\":\"{parent}\",\"sessionId\":\"s\",\"timestamp\":\"2026-11-20T13:53:17.123Z\",\"message\":{{\"role\":\"user\",\"content\":\"{text}\"}}}}\n"
    )
}

#[test]
fn what_does_more_than_grow_is_read_whole() {
    let (version, id, _) = RECORDED[0];
    let scene = Scene::recorded(version);
    let path = scene.project("-home-coder-emms-sdk").join(format!("{id}.jsonl"));
    let whole = fs::read_to_string(&path).unwrap();
    let first = whole.lines().find_map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        Some(value.get("uuid")?.as_str()?.to_owned())
    });
    let last = whole.lines().rev().find_map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        Some(value.get("uuid")?.as_str()?.to_owned())
    });
    let (first, last) = (first.unwrap(), last.unwrap());
    let before = scene.capture(id);
    let check = |text: String, served: bool, why: &str| {
        OpenOptions::new().write(true).open(&path).unwrap().set_len(whole.len() as u64).unwrap();
        grow(&scene, id, &text);
        assert_eq!(both(&scene, id, Some(&before)).1, served, "{why}");
    };
    check(String::new(), true, "nothing new");
    check(line("n1", &last, "on"), true, "the next message");
    check(line("n1", &last, "on") + &line("n2", "n1", "and on"), true, "two");
    check(line("n1", "unknown", "?"), false, "a parent that is not there");
    check(line("n1", &last, "on") + &line("n2", &last, "instead"), false, "a branch");
    check(line("n1", &first, "back"), false, "a rewind");
    check(line("n1", &last, "on") + "{\"type\":\"user\"", false, "a line that is still being written");
    check("\0\0\0\n".to_owned() + &line("n1", &last, "on"), true, "a damaged line is counted");
    // A change before the end, within what is looked at.
    fs::write(&path, whole.replacen("user", "usex", 1)).unwrap();
    let found = ClaudeCode.find(&scene.env(), id).unwrap().unwrap();
    let checkpoint = before.0.checkpoint.clone().unwrap();
    assert!(ClaudeCode.capture_more(&scene.env(), &found, &checkpoint, None).unwrap().is_none());
    // Another file in its place.
    let other = scene.project("other");
    fs::write(&other, &whole).unwrap();
    fs::rename(&other, &path).unwrap();
    let served = ClaudeCode.capture_more(&scene.env(), &found, &checkpoint, None).unwrap().is_some();
    assert!(!served, "an inode of its own");
}

#[test]
fn what_is_appended_after_it_was_found_is_left_for_the_next_time() {
    let (version, id, _) = RECORDED[0];
    let scene = Scene::recorded(version);
    let (before, view) = scene.capture(id);
    let found = ClaudeCode.find(&scene.env(), id).unwrap().unwrap();
    grow(&scene, id, &line("n1", "unknown", "one more"));
    let mut later = Vec::new();
    let captured = ClaudeCode.capture(&scene.env(), &found, Some(&mut later)).unwrap();
    assert_eq!((&captured.header, captured.files[0].len), (&before.header, found.len));
    assert!(later == view);
}
