//! What comes back from another device is put behind what was handed over, or becomes a fork.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
#[cfg(target_os = "linux")]
use std::process::Command;

use segue_formats::active_view::{HeadHasher, TailSink};
use segue_formats::view::{Message, Part, Role, ViewReader};
use segue_formats::{AppendError, ClaudeCode, Env, Format as _, Found, Handed, SkipReason};
use serde_json::Value;

use crate::recorded::RECORDED;
use crate::scene::{FRESH, Scene};

const VERSION: &str = "2.1.197";
const ID: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
const AT: i64 = 1_795_182_797_123;

fn said(number: u8, role: Role, text: &str) -> Message {
    let id = format!("0a0b0c0d-0000-4000-8000-{number:012}");
    Message { v: 1, id, at: AT + i64::from(number), role, parts: vec![Part::text(text)] }
}

fn back() -> Vec<Message> {
    let mut turns = vec![
        said(1, Role::User, "from the phone: \"ä\"\n\u{1}"),
        said(2, Role::Assistant, "answered there"),
        said(3, Role::User, "and then"),
    ];
    turns[2].parts.push(Part::text("a second part"));
    turns
}

struct Home {
    scene: Scene,
    id: &'static str,
}

impl Home {
    fn of(version: &str, id: &'static str) -> Self {
        Self { scene: Scene::recorded(version), id }
    }

    fn found(&self) -> Found {
        ClaudeCode.find(&self.scene.env(), self.id).unwrap().unwrap()
    }

    fn path(&self) -> PathBuf {
        self.found().path
    }

    fn handed(&self) -> Handed {
        let found = self.found();
        let mut tail = TailSink::default();
        ClaudeCode.capture(&self.scene.env(), &found, Some(&mut tail)).unwrap();
        Handed::of(&found, &tail)
    }

    fn grow(&self, text: &str) {
        OpenOptions::new().append(true).open(self.path()).unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// A line that follows the last one with an id.
    fn next_line(&self, uuid: &str, text: &str) -> String {
        let whole = fs::read_to_string(self.path()).unwrap();
        let leaf = whole
            .lines()
            .rev()
            .find_map(|line| serde_json::from_str::<Value>(line).ok()?["uuid"].as_str().map(str::to_owned));
        format!(
            "{{\"type\":\"user\",\"uuid\":\"{uuid}\",\"parentUuid\":\"{}\",\"sessionId\":\"{}\",\"timestamp\":\"2026-11-22T13:53:17.123Z\",\"message\":{{\"role\":\"user\",\"content\":\"{text}\"}}}}\n",
            leaf.unwrap(),
            self.id
        )
    }

    /// The view with the place of spilled output that a fork has.
    fn moved(&self, view: &[u8]) -> Vec<u8> {
        let old = format!("/home/coder/.claude/projects/-home-coder-emms-sdk/{}/tool-results", self.id);
        String::from_utf8_lossy(view).replace(&old, &self.scene.own_spill_dir(FRESH)).into_bytes()
    }
}

fn head_of(view: &[u8]) -> HeadHasher {
    let mut head = HeadHasher::default();
    view.split_inclusive(|byte| *byte == b'\n').for_each(|line| head.add_line(&line[..line.len() - 1]));
    head
}

fn last_messages(view: &[u8], count: usize) -> Vec<Message> {
    let all: Vec<Message> = ViewReader::new(view).map(Result::unwrap).collect();
    all[all.len() - count..].to_vec()
}

#[test]
fn every_recorded_session_goes_on_with_the_same_messages_and_the_same_head() {
    for (version, id, _) in RECORDED {
        let home = Home::of(version, id);
        let (before, old) = (home.handed(), fs::read(home.path()).unwrap());
        let (_, old_view) = home.scene.capture(id);
        let appended = ClaudeCode.append(&home.found(), &before, &back()).unwrap();
        let (now, (captured, view)) = (fs::read(home.path()).unwrap(), home.scene.capture(id));
        assert!(now.starts_with(&old) && view.starts_with(&old_view), "{version}: something before it changed");
        assert_eq!(last_messages(&view, 3), back(), "{version}");
        assert_eq!((appended.messages, appended.head, appended.len), (3, head_of(&view), now.len() as u64));
        assert!(captured.torn.is_intact() && captured.header.model.as_deref() != Some("<synthetic>"), "{version}");
    }
}

#[test]
fn lines_are_as_the_tool_writes_them() {
    let home = Home::of(VERSION, ID);
    let last_of_tool = fs::read_to_string(home.path()).unwrap();
    let leaf: Value = last_of_tool
        .lines()
        .rev()
        .find_map(|line| serde_json::from_str::<Value>(line).ok().filter(|line| line["uuid"].is_string()))
        .unwrap();
    ClaudeCode.append(&home.found(), &home.handed(), &back()).unwrap();
    let now = fs::read_to_string(home.path()).unwrap();
    let lines: Vec<Value> = now.lines().rev().take(3).map(|line| serde_json::from_str(line).unwrap()).collect();
    let [third, second, first] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(first["parentUuid"], leaf["uuid"]);
    assert_eq!((&second["parentUuid"], &third["parentUuid"]), (&first["uuid"], &second["uuid"]));
    for line in &lines {
        for field in ["userType", "entrypoint", "cwd", "sessionId", "version", "gitBranch", "isSidechain"] {
            assert_eq!(line[field], leaf[field], "{field}");
            assert!(!line[field].is_null(), "{field}");
        }
    }
    assert_eq!(first["timestamp"], "2026-11-20T13:53:17.124Z");
    assert_eq!(first["message"]["content"], "from the phone: \"ä\"\n\u{1}");
    assert_eq!(third["message"]["content"][1]["text"], "a second part");
    let message = &second["message"];
    assert_eq!(
        (&message["stop_reason"], &message["content"][0]["text"]),
        (&"end_turn".into(), &"answered there".into())
    );
}

#[test]
fn what_is_there_already_is_not_written_again() {
    let home = Home::of(VERSION, ID);
    let handed = home.handed();
    ClaudeCode.append(&home.found(), &handed, &back()[..2]).unwrap();
    let appended = ClaudeCode.append(&home.found(), &handed, &back()).unwrap();
    assert_eq!((appended.messages, last_messages(&home.scene.capture(ID).1, 3)), (1, back()));
    let whole = fs::read(home.path()).unwrap();
    let again = ClaudeCode.append(&home.found(), &handed, &back()).unwrap();
    assert_eq!((again.messages, again.head, again.len), (0, appended.head, whole.len() as u64));
    assert_eq!(fs::read(home.path()).unwrap(), whole);
}

#[test]
fn lines_that_are_no_messages_do_not_matter() {
    let home = Home::of(VERSION, ID);
    let handed = home.handed();
    home.grow("{\"type\":\"custom-title\",\"customTitle\":\"new\",\"sessionId\":\"x\"}\n");
    ClaudeCode.append(&home.found(), &handed, &back()).unwrap();
    assert_eq!(last_messages(&home.scene.capture(ID).1, 3), back());
}

#[test]
fn a_session_that_grew_becomes_a_fork_of_what_was_handed_over() {
    let home = Home::of(VERSION, ID);
    let (handed, (_, old_view)) = (home.handed(), home.scene.capture(ID));
    home.grow(&home.next_line("new-1", "said here"));
    home.grow(&home.next_line("new-2", "and here"));
    let grown = fs::read(home.path()).unwrap();
    let refused = ClaudeCode.append(&home.found(), &handed, &back()).unwrap_err();
    assert!(matches!(refused, AppendError::Grew { messages: 2 }), "{refused}");
    let env = home.scene.env();
    let fork = ClaudeCode.fork(&env, &home.found(), &handed, &back(), &home.scene.cwd(), FRESH).unwrap();
    assert_eq!(fs::read(home.path()).unwrap(), grown, "the session itself changed");
    assert_eq!((fork.native_id.as_str(), fork.renamed, fork.skipped.len()), (FRESH, true, 0));
    let (captured, view) = home.scene.capture(FRESH);
    assert!(view.starts_with(&home.moved(&old_view)));
    assert_eq!(last_messages(&view, 3), back());
    assert_eq!(captured.files.len(), 5, "what lies beside the session came along");
    let lines = fs::read_to_string(&fork.native_path).unwrap();
    assert!(lines.lines().all(|line| !line.contains(&format!("\"sessionId\":\"{ID}\""))));
    let left: Vec<_> =
        home.scene.files().into_iter().filter(|(path, _)| path.to_str().unwrap().contains(".segue-")).collect();
    assert!(left.is_empty(), "{left:?}");
    let again = ClaudeCode.fork(&env, &home.found(), &handed, &back(), &home.scene.cwd(), FRESH).unwrap();
    assert!(again.already && again.native_id == FRESH, "a repeated fork is the same one");
    let other = ClaudeCode.fork(&env, &home.found(), &handed, &[], &home.scene.cwd(), FRESH).unwrap_err();
    assert!(other.to_string().contains("exists already"), "{other}");
}

#[test]
fn a_cut_session_can_still_become_a_fork() {
    for cut in ["{\"type\":\"user\",\"uuid\":\"torn\",\"mess", "{\"type\":\"mode\",\"sessionId\":\"x\"}"] {
        let home = Home::of(VERSION, ID);
        home.grow(cut);
        let handed = home.handed();
        assert!(matches!(ClaudeCode.append(&home.found(), &handed, &back()), Err(AppendError::Torn)));
        let env = home.scene.env();
        let fork = ClaudeCode.fork(&env, &home.found(), &handed, &back(), &home.scene.cwd(), FRESH).unwrap();
        assert_eq!(fork.torn.total, u64::from(cut.contains("torn")));
        assert_eq!(last_messages(&home.scene.capture(FRESH).1, 3), back());
    }
}

/// Runs itself once more, where files cannot grow by more than some bytes.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_session_as_it_was() {
    const INSIDE: &str = "SEGUE_TEST_HOME_OF_A_FULL_DISK";
    if let Some(home) = std::env::var_os(INSIDE) {
        let env = Env { home: home.into(), claude_config_dir: None };
        let found = ClaudeCode.find(&env, ID).unwrap().unwrap();
        let mut tail = TailSink::default();
        ClaudeCode.capture(&env, &found, Some(&mut tail)).unwrap();
        let handed = Handed::of(&found, &tail);
        let refused = ClaudeCode.append(&found, &handed, &back()).unwrap_err();
        assert!(matches!(refused, AppendError::Write(_)), "{refused}");
        return;
    }
    let home = Home::of(VERSION, ID);
    let before = fs::read(home.path()).unwrap();
    let test = "append::a_full_disk_leaves_the_session_as_it_was";
    let ran = Command::new("prlimit")
        .arg(format!("--fsize={}", before.len() + 500))
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, home.scene.env().home)
        .output()
        .expect("prlimit (util-linux) is needed");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(fs::read(home.path()).unwrap() == before, "something of it was left");
}

/// What a compaction kept is sent once something follows its summary: the view then changes before its end.
#[test]
fn a_session_that_is_just_being_compacted_is_left_alone() {
    let home = Home::of(VERSION, ID);
    let line = |more: &str| format!("{{{more},\"sessionId\":\"{ID}\",\"timestamp\":\"2026-11-20T13:53:17.123Z\"}}\n");
    let said = |uuid: &str, parent: &str| {
        let message = r#""message":{"role":"user","content":"words"}"#;
        line(&format!(r#""type":"user","uuid":"{uuid}","parentUuid":{parent},{message}"#))
    };
    let kept = r#""compactMetadata":{"preservedMessages":{"anchorUuid":"c","uuids":["a"]}}"#;
    let boundary =
        line(&format!(r#""type":"system","subtype":"compact_boundary","uuid":"b","parentUuid":null,{kept}"#));
    fs::write(home.path(), said("a", "null") + &boundary + &said("c", "\"b\"")).unwrap();
    let handed = home.handed();
    let refused = ClaudeCode.append(&home.found(), &handed, &back()).unwrap_err();
    assert!(matches!(refused, AppendError::Busy), "{refused}");
    let env = home.scene.env();
    ClaudeCode.fork(&env, &home.found(), &handed, &back(), &home.scene.cwd(), FRESH).unwrap();
    assert_eq!(last_messages(&home.scene.capture(FRESH).1, 3), back());
    home.grow(&said("d", "\"c\""));
    let handed = home.handed();
    let appended = ClaudeCode.append(&home.found(), &handed, &back()).unwrap();
    assert_eq!(appended.head, head_of(&home.scene.capture(ID).1));
}

#[test]
fn a_fork_may_be_made_without_a_word() {
    let home = Home::of(VERSION, ID);
    let fork =
        ClaudeCode.fork(&home.scene.env(), &home.found(), &home.handed(), &[], &home.scene.cwd(), FRESH).unwrap();
    assert_eq!(fork.native_id, FRESH);
    assert!(home.scene.capture(FRESH).1 == home.moved(&home.scene.capture(ID).1));
}

#[test]
fn a_session_that_is_another_is_left_alone() {
    let home = Home::of(VERSION, ID);
    let (handed, whole) = (home.handed(), fs::read_to_string(home.path()).unwrap());
    let refused = |handed: &Handed| {
        let before = fs::read(home.path()).unwrap();
        let refused = ClaudeCode.append(&home.found(), handed, &back()).unwrap_err();
        assert_eq!(fs::read(home.path()).unwrap(), before, "{refused}");
        refused
    };
    let mut other = handed;
    other.head_hash.0[3] ^= 1;
    assert!(matches!(refused(&other), AppendError::Changed));
    assert!(matches!(refused(&Handed { count: handed.count + 1, ..handed }), AppendError::Changed));
    fs::write(home.path(), whole.replacen("hello-from-tool", "hello-from-fool", 2)).unwrap();
    assert!(matches!(refused(&handed), AppendError::Changed));
    let cut = whole.trim_end();
    fs::write(home.path(), cut).unwrap();
    assert!(matches!(refused(&handed), AppendError::Torn));
    home.grow("\n{\"type\":\"user\",\"uuid\":\"torn\",\"mess");
    let torn = refused(&handed);
    assert!(matches!(torn, AppendError::Torn) && torn.to_string().contains("cut"), "{torn}");
    fs::write(home.path(), &whole[..whole.len() / 2]).unwrap();
    let fork = ClaudeCode.fork(&home.scene.env(), &home.found(), &handed, &back(), &home.scene.cwd(), FRESH);
    assert!(matches!(fork, Err(AppendError::Changed)));
}

#[test]
fn only_words_with_an_id_and_a_time_come_back() {
    let home = Home::of(VERSION, ID);
    let (handed, before) = (home.handed(), fs::read(home.path()).unwrap());
    let existing = last_messages(&home.scene.capture(ID).1, 1)[0].id.clone();
    let change = |change: &dyn Fn(&mut Message)| {
        let mut turns = back();
        change(&mut turns[1]);
        turns
    };
    let text = |text: &str, truncated| vec![Part::Text { text: text.to_owned(), truncated }];
    for (why, turns) in [
        ("version", change(&|turn| turn.v = 2)),
        ("no UUID", change(&|turn| turn.id = "1".into())),
        ("no UUID", change(&|turn| turn.id = turn.id.to_uppercase())),
        ("in use", change(&|turn| turn.id = back()[0].id.clone())),
        ("in use", change(&|turn| turn.id.clone_from(&existing))),
        ("no time", change(&|turn| turn.at = 0)),
        ("no time", change(&|turn| turn.at = i64::MAX)),
        ("not only words", change(&|turn| turn.role = Role::Tool)),
        ("not only words", change(&|turn| turn.parts = Vec::new())),
        ("not only words", change(&|turn| turn.parts.push(Part::notice("x")))),
        ("not only words", change(&|turn| turn.parts = text(" \n", 0))),
        ("not only words", change(&|turn| turn.parts = text("cut", 1))),
    ] {
        let refused = ClaudeCode.append(&home.found(), &handed, &turns).unwrap_err();
        assert!(matches!(refused, AppendError::BadTurn { number: 2, .. }), "{why}: {refused}");
        assert!(refused.to_string().contains(why), "{why}: {refused}");
    }
    for turns in [vec![said(1, Role::User, "x"); 1001], vec![said(1, Role::User, &"x".repeat(1024 * 1024 + 1))]] {
        assert!(matches!(ClaudeCode.append(&home.found(), &handed, &turns), Err(AppendError::TooMuch)));
    }
    assert_eq!(fs::read(home.path()).unwrap(), before);
    let longest: Vec<Message> = (0..8).map(|id| said(id, Role::User, &"x".repeat(128 * 1024))).collect();
    assert_eq!(ClaudeCode.append(&home.found(), &handed, &longest).unwrap().messages, 8);
}

#[test]
fn a_bundle_that_comes_without_words_has_nothing_to_skip() {
    let home = Home::of(VERSION, ID);
    let appended = ClaudeCode.append(&home.found(), &home.handed(), &[]).unwrap();
    assert_eq!((appended.messages, appended.len), (0, home.found().len));
    let (captured, _) = home.scene.capture(ID);
    assert!(captured.skipped.iter().all(|skipped| skipped.reason != SkipReason::Torn));
}
