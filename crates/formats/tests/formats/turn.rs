//! Whether somebody is being answered, as the end of a transcript says it. The lines are as Claude Code 2.1.197 writes
//! them; the recorded sessions are cut after each of their lines.

use std::fs;

use segue_formats::active_view::PARTIAL_MAX;
use segue_formats::{ClaudeCode, Format as _, Found, TURN_SILENCE_MAX_MS, Turn};

use crate::recorded::RECORDED;
use crate::scene::Scene;

const ID: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
const AT: i64 = 1_795_182_797_123;

fn found(scene: &Scene, transcript: &[u8]) -> Found {
    fs::create_dir_all(scene.project("-x")).unwrap();
    fs::write(scene.project("-x").join(format!("{ID}.jsonl")), transcript).unwrap();
    ClaudeCode.find(&scene.env(), ID).unwrap().expect("the session is there")
}

fn turn(transcript: &str) -> Turn {
    ClaudeCode.turn(&found(&Scene::empty(), transcript.as_bytes())).unwrap()
}

fn line(kind: &str, more: &str) -> String {
    format!(
        "{{\"type\":\"{kind}\",\"uuid\":\"u\",\"sessionId\":\"s\",\"timestamp\":\"2026-11-20T13:53:17.123Z\"{more}}}\n"
    )
}

fn user(content: &str) -> String {
    line("user", &format!(r#","message":{{"role":"user","content":{content}}}"#))
}

fn answer(stop: &str, block: &str) -> String {
    let message = format!(r#","message":{{"id":"m","role":"assistant","content":[{block}],"stop_reason":{stop}}}"#);
    line("assistant", &message)
}

const CALL: &str = r#"{"type":"tool_use","id":"t","name":"Bash","input":{}}"#;
const TEXT: &str = r#"{"type":"text","text":"so far"}"#;
const RESULT: &str = r#"[{"type":"tool_result","tool_use_id":"t","content":"x"}]"#;

fn running(partial: Option<&str>) -> Turn {
    Turn::Running { partial: partial.map(str::to_owned), since_ms: AT }
}

#[test]
fn the_last_line_that_counts_decides() {
    let quiet = line("attachment", "") + "{\"type\":\"last-prompt\",\"leafUuid\":\"u\"}\n" + &line("system", "");
    let done = user("\"hi\"") + &answer("\"end_turn\"", TEXT);
    for (name, end, expected) in [
        ("a prompt", user("\"hi\""), running(None)),
        ("an answer", done.clone(), Turn::Idle),
        ("another end", answer("\"max_tokens\"", TEXT), Turn::Idle),
        ("a call", done.clone() + &answer("\"tool_use\"", CALL), running(None)),
        ("a result", answer("\"tool_use\"", CALL) + &user(RESULT), running(None)),
        ("an answer under way", user("\"hi\"") + &answer("null", TEXT), running(Some("so far"))),
        ("a call under way", user("\"hi\"") + &answer("null", CALL), running(None)),
        (
            "an interruption",
            answer("null", TEXT) + &user(r#"[{"type":"text","text":"[Request interrupted by user for tool use]"}]"#),
            Turn::Idle,
        ),
        ("the end of a turn", answer("null", TEXT) + &line("system", r#","subtype":"turn_duration""#), Turn::Idle),
        ("an error", line("assistant", r#","isApiErrorMessage":true,"message":{"content":[]}"#), Turn::Idle),
        ("a local command", done.clone() + &user("\"<command-name>/model</command-name>\""), Turn::Idle),
        ("a caveat", done.clone() + &user("\"x\"").replace("\"uuid\"", "\"isMeta\":true,\"uuid\""), Turn::Idle),
        (
            "what was appended",
            done.clone() + &user("\"x\"").replace("\"uuid\"", "\"appendedBy\":\"segue\",\"uuid\""),
            Turn::Idle,
        ),
        ("words about that", done.clone() + &user("\"appendedBy\""), running(None)),
        ("a helper", done.clone() + &user("\"x\"").replace("\"uuid\"", "\"isSidechain\":true,\"uuid\""), Turn::Idle),
    ] {
        assert_eq!(turn(&end), expected, "{name}");
        assert_eq!(turn(&(end + &quiet)), expected, "{name}, and lines that do not count");
    }
    assert_eq!(turn(&quiet), Turn::Idle, "nothing was asked");
}

#[test]
fn a_line_that_is_being_written_is_a_turn() {
    let whole = user("\"hi\"") + &answer("\"end_turn\"", TEXT);
    let scene = Scene::empty();
    let cut = found(&scene, &whole.as_bytes()[..whole.len() - 20]);
    assert_eq!(ClaudeCode.turn(&cut).unwrap(), Turn::Running { partial: None, since_ms: cut.updated_at_ms });
    assert_eq!(turn(whole.trim_end()), Turn::Idle, "only its line feed is missing");
    assert_eq!(turn(&(user("\"x\"") + "rubble\n" + &answer("\"end_turn\"", TEXT) + "rubble\n")), Turn::Idle);
}

#[test]
fn the_end_is_found_behind_lines_of_any_length() {
    for len in [10, 300 * 1024, 9 * 1024 * 1024] {
        let long = line("attachment", &format!(",\"x\":\"{}\"", "x".repeat(len)));
        let prompt = user(&format!("\"{}\"", "y".repeat(len)));
        assert_eq!(turn(&(user("\"hi\"") + &answer("\"end_turn\"", TEXT) + &long)), Turn::Idle, "{len}");
        assert_eq!(turn(&(answer("\"end_turn\"", TEXT) + &prompt + &long)), running(None), "{len}");
        let end = user("\"hi\"") + &answer("\"end_turn\"", &TEXT.replace("so far", &"x".repeat(len)));
        assert_eq!(turn(end.trim_end()), Turn::Idle, "only the line feed of {len} is missing");
    }
    let long = answer("null", &TEXT.replace("so far", &"z".repeat(PARTIAL_MAX + 1)));
    assert_eq!(turn(&long), running(Some(&"z".repeat(PARTIAL_MAX))));
}

#[test]
fn recorded_sessions_are_idle_at_their_end_and_not_while_a_tool_works() {
    for (version, id, _) in RECORDED {
        let scene = Scene::recorded(version);
        let path = scene.project("-home-coder-emms-sdk").join(format!("{id}.jsonl"));
        let found = ClaudeCode.find(&scene.env(), id).unwrap().unwrap();
        // 2.1.50 never says why an answer ended.
        if version != "2.1.50" {
            assert_eq!(ClaudeCode.turn(&found).unwrap(), Turn::Idle, "{version}");
        }
        let whole = fs::read_to_string(&path).unwrap();
        let mut calls = 0;
        for (end, _) in whole.match_indices('\n') {
            let last = whole[..end].lines().next_back().unwrap();
            if last.contains("\"type\":\"tool_use\"") || last.contains("\"type\":\"tool_result\"") {
                calls += 1;
                fs::write(&path, &whole[..=end]).unwrap();
                assert!(matches!(ClaudeCode.turn(&found).unwrap(), Turn::Running { .. }), "{version}: {last}");
            }
        }
        assert!(calls > 1 || version == "2.1.197-tui-compact-rename", "{version}: {calls}");
    }
}

#[test]
fn a_turn_that_is_silent_for_long_is_not_waited_for() {
    let turn = running(None);
    for (after, alive) in [(-1, true), (0, true), (TURN_SILENCE_MAX_MS - 1, true), (TURN_SILENCE_MAX_MS, false)] {
        assert_eq!(turn.is_alive(AT + after), alive, "{after}");
    }
    assert!(!Turn::Idle.is_alive(AT) && !Turn::Running { partial: None, since_ms: i64::MIN }.is_alive(i64::MAX));
}
