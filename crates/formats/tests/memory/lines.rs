//! Lines of much JSON in few bytes: two bytes of an empty list become dozens in memory.

use std::fs;

use peak_alloc::PeakAlloc;
use segue_formats::{ClaudeCode, Env, Format as _, Found, Tool};

#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

const ID: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
const LINE_BYTES: usize = 4 * 1024 * 1024;
/// For what is read whole whatever the line: an input of 1 MiB as JSON values, and buffers.
const FIXED_BYTES: usize = 32 * 1024 * 1024;

fn held<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = PEAK.current_usage();
    PEAK.reset_peak_usage();
    let result = make();
    (result, PEAK.peak_usage().saturating_sub(before))
}

/// `unit` until the line is long enough.
fn many(unit: &str, len: usize) -> String {
    let text = unit.repeat(len / unit.len());
    text.trim_end_matches(',').to_owned()
}

fn message(content: &str) -> String {
    format!(r#"{{"type":"assistant","uuid":"a","sessionId":"s","message":{{"content":{content}}}}}"#)
}

/// Hostile lines of about `len` bytes, and what is in them.
fn lines(len: usize) -> Vec<(&'static str, String)> {
    let call = |input: &str| message(&format!(r#"[{{"type":"tool_use","id":"t","name":"Bash","input":{input}}}]"#));
    let nested = |list: String| message(&format!(r#"[{{"type":"tool_result","tool_use_id":"t","content":[{list}]}}]"#));
    vec![
        ("blocks", message(&format!("[{}]", many("{},", len)))),
        ("blocks of a result", nested(many("{},", len)).replace("assistant", "user")),
        (
            "blocks of many results",
            message(&format!(
                "[{}]",
                many(&format!("{{\"type\":\"tool_result\",\"content\":[{}]}},", many("{},", 2000)), len)
            ))
            .replace("assistant", "user"),
        ),
        ("an input of empty lists", call(&format!("[{}]", many("[],", len)))),
        ("an input of small objects", call(&format!("[{}]", many("{\"\":0},", len)))),
        ("fields", format!("{{{},\"type\":\"user\",\"uuid\":\"a\"}}", many("\"a\":1,", len))),
        ("types", format!("{{{}}}", many("\"type\":1,", len))),
        (
            "preserved lines",
            format!(
                r#"{{"type":"system","subtype":"compact_boundary","uuid":"a","compactMetadata":{{"preservedMessages":{{"anchorUuid":"a","uuids":[{}]}}}}}}"#,
                many("\"\",", len)
            ),
        ),
        ("nesting", message(&format!("{}{}", "[".repeat(len / 2), "]".repeat(len / 2)))),
        ("words", message(&format!("\"{}\"", many("\\u0001", len)))),
        ("rubble", many("{\"", len)),
        ("holes", many("x\0", len)),
    ]
}

#[test]
fn a_hostile_line_holds_a_few_times_its_length() {
    for (what, line) in lines(LINE_BYTES) {
        let home = tempfile::tempdir().unwrap();
        let env = Env { home: home.path().join("sender"), claude_config_dir: None };
        let project = env.home.join(".claude/projects/-x");
        fs::create_dir_all(project.join("native")).unwrap();
        let path = project.join(format!("{ID}.jsonl"));
        let len = line.len();
        let honest = r#"{"type":"user","uuid":"z","sessionId":"s","message":{"content":"hi"}}"#;
        fs::write(&path, format!("{honest}\n{line}\n")).unwrap();
        let found = Found {
            tool: Tool::ClaudeCode,
            native_id: ID.into(),
            path: path.clone(),
            cwd: None,
            title: None,
            updated_at_ms: 0,
            len: fs::metadata(&path).unwrap().len(),
        };
        let (captured, taking) = held(|| ClaudeCode.capture(&env, &found, Some(&mut Vec::new())).unwrap());
        fs::rename(&path, project.join("native/session.jsonl")).unwrap();
        let receiver = Env { home: home.path().join("receiver"), claude_config_dir: None };
        let fresh = "77777777-2222-4333-8444-555555555555";
        let (installed, installing) =
            held(|| ClaudeCode.install(&receiver, &project.join("native"), &captured.header, home.path(), fresh));
        installed.unwrap();
        println!("{what}: {len} bytes, {taking} held to take, {installing} to install");
        assert!(taking < 8 * len + FIXED_BYTES, "{what}: {taking} bytes held to take {len}");
        assert!(installing < 12 * len, "{what}: {installing} bytes held to install {len}");
    }
}
