//! What the tool wrote on another device is put behind what was handed over, as it stands there.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use segue_formats::active_view::TailSink;
use segue_formats::{
    AppendError, ClaudeCode, Env, Format as _, Found, Handed, Header, Installed, Rejoined, SkipReason,
};
use serde_json::Value;

use crate::recorded::RECORDED;
use crate::scene::{FRESH, Scene};

const VERSION: &str = "2.1.197";
const ID: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";

/// A session here, and where it was continued.
struct Trip {
    here: Scene,
    there: Scene,
    id: &'static str,
    handed: Handed,
    installed: Installed,
}

fn find(env: &Env, id: &str) -> Found {
    ClaudeCode.find(env, id).unwrap().unwrap()
}

fn handed(env: &Env, id: &str) -> Handed {
    let (found, mut tail) = (find(env, id), TailSink::default());
    ClaudeCode.capture(env, &found, Some(&mut tail)).unwrap();
    Handed::of(&found, &tail)
}

fn grow(path: &Path, text: &str) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// A line that follows the last one with an id.
fn next_line(path: &Path, uuid: &str, message: &str) -> String {
    let whole = fs::read_to_string(path).unwrap();
    let uuid_of = |line: &str| serde_json::from_str::<Value>(line).ok()?["uuid"].as_str().map(str::to_owned);
    let (leaf, id) = (whole.lines().rev().find_map(uuid_of).unwrap(), path.file_stem().unwrap().to_str().unwrap());
    format!(
        r#"{{"type":"user","uuid":"{uuid}","parentUuid":"{leaf}","sessionId":"{id}","timestamp":"2026-11-22T13:53:17.123Z","message":{message}}}"#
    ) + "\n"
}

fn words(text: &str) -> String {
    format!(r#"{{"role":"user","content":"{text}"}}"#)
}

impl Trip {
    fn of(version: &str, id: &'static str) -> Self {
        Self::to(version, id, Scene::empty())
    }

    /// To a device that has another session of this id already.
    fn renamed(version: &str, id: &'static str) -> Self {
        let there = Scene::empty();
        let taken = there.project("-elsewhere");
        fs::create_dir_all(&taken).unwrap();
        fs::write(taken.join(format!("{id}.jsonl")), "{\"type\":\"mode\"}\n").unwrap();
        Self::to(version, id, there)
    }

    fn to(version: &str, id: &'static str, there: Scene) -> Self {
        let here = Scene::recorded(version);
        let (captured, _) = here.capture(id);
        let installed = there.install(&here.bundle(&captured), &captured.header).unwrap();
        let handed = handed(&here.env(), id);
        Self { here, there, id, handed, installed }
    }

    fn path(&self) -> PathBuf {
        find(&self.here.env(), self.id).path
    }

    fn own(&self) -> PathBuf {
        self.path().with_extension("")
    }

    fn say_there(&self, uuid: &str, text: &str) -> String {
        let line = next_line(&self.installed.native_path, uuid, &words(text));
        grow(&self.installed.native_path, &line);
        line
    }

    fn bundle(&self) -> (PathBuf, Header) {
        let (captured, _) = self.there.capture(&self.installed.native_id);
        (self.there.bundle(&captured), captured.header)
    }

    fn rejoin(&self) -> Result<Rejoined, AppendError> {
        let (bundle, header) = self.bundle();
        let env = self.here.env();
        ClaudeCode.rejoin(&env, &find(&env, self.id), &self.handed, &bundle, &header)
    }

    fn refused(&self) -> AppendError {
        let before = self.here.files();
        let refused = self.rejoin().unwrap_err();
        assert!(self.here.files() == before, "something changed: {refused}");
        refused
    }
}

#[test]
fn every_recorded_session_goes_on_as_it_did_there() {
    for (version, id, _) in RECORDED {
        let trip = Trip::of(version, id);
        let old = fs::read_to_string(trip.path()).unwrap();
        let new = trip.say_there("there-1", "one") + &trip.say_there("there-2", "two");
        let rejoined = trip.rejoin().unwrap();
        assert_eq!(fs::read_to_string(trip.path()).unwrap(), old + &new, "{version}");
        let now = handed(&trip.here.env(), id);
        assert_eq!((rejoined.appended.messages, now.count), (2, trip.handed.count + 2), "{version}");
        assert_eq!((rejoined.appended.head.hash(), rejoined.appended.len), (now.head_hash, now.len), "{version}");
        assert_eq!((rejoined.files.len(), rejoined.skipped.len()), (0, 0), "{version}");
        let left = trip.here.files().into_iter().find(|(path, _)| path.to_str().unwrap().contains(".segue-"));
        assert_eq!(left, None);
    }
}

/// Everything of a session, here and there, is named for its own id and lies in its own place.
#[test]
fn what_the_install_changed_there_is_as_it_was_here() {
    let trip = Trip::renamed(VERSION, ID);
    assert_eq!(trip.installed.native_id, FRESH);
    let (here, there) =
        (trip.own().join("tool-results"), trip.installed.native_path.with_extension("").join("tool-results"));
    fs::write(there.join("new.txt"), "long output").unwrap();
    let spilled = |folder: &Path| {
        let path = folder.join("new.txt");
        format!(r#"{{"role":"user","content":"<persisted-output>\nFull output saved to: {}\n\nx"}}"#, path.display())
    };
    let line = next_line(&trip.installed.native_path, "there-1", &spilled(&there));
    grow(&trip.installed.native_path, &line);
    let agent = "subagents/agent-new.jsonl";
    let theirs = trip.installed.native_path.with_extension("").join(agent);
    fs::write(&theirs, format!("{{\"type\":\"user\",\"uuid\":\"x\",\"sessionId\":\"{FRESH}\"}}\n")).unwrap();
    let old = fs::read_to_string(trip.path()).unwrap();
    let rejoined = trip.rejoin().unwrap();
    let expected = line.replace(&spilled(&there), &spilled(&here)).replace(FRESH, ID);
    assert_eq!(fs::read_to_string(trip.path()).unwrap(), old + &expected);
    assert_eq!(fs::read_to_string(here.join("new.txt")).unwrap(), "long output");
    assert_eq!(rejoined.files, [here.join("new.txt"), trip.own().join(agent)]);
    assert!(fs::read_to_string(trip.own().join(agent)).unwrap().contains(ID));
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let trip = Trip::of(VERSION, ID);
    let spilled = "tool-results/bdpb0567q.txt";
    let before = fs::read(trip.own().join(spilled)).unwrap();
    fs::write(trip.installed.native_path.with_extension("").join(spilled), "another").unwrap();
    trip.say_there("there-1", "one");
    let rejoined = trip.rejoin().unwrap();
    assert_eq!(fs::read(trip.own().join(spilled)).unwrap(), before);
    assert_eq!(rejoined.skipped.iter().map(|skipped| skipped.reason).collect::<Vec<_>>(), [SkipReason::Exists]);
}

#[test]
fn a_mode_that_asks_less_does_not_come_back() {
    let trip = Trip::of(VERSION, ID);
    grow(
        &trip.installed.native_path,
        "{\"type\":\"permission-mode\",\"permissionMode\":\"acceptEdits\",\"sessionId\":\"x\"}\n",
    );
    assert_eq!(trip.rejoin().unwrap().reset_permission_modes, 1);
    let last = fs::read_to_string(trip.path()).unwrap();
    assert!(last.ends_with("{\"type\":\"permission-mode\",\"permissionMode\":\"default\",\"sessionId\":\"x\"}\n"));
}

#[test]
fn what_is_there_already_is_not_written_again() {
    let trip = Trip::of(VERSION, ID);
    trip.say_there("there-1", "one");
    trip.rejoin().unwrap();
    let once = trip.here.files();
    assert_eq!(trip.rejoin().unwrap().appended.messages, 0);
    assert!(trip.here.files() == once);
    // Neither when the tool has gone on behind it meanwhile.
    grow(&trip.path(), &next_line(&trip.path(), "here-1", &words("said here, later")));
    let later = trip.here.files();
    assert_eq!(trip.rejoin().unwrap().appended.messages, 0);
    assert!(trip.here.files() == later);
}

#[test]
fn lines_that_are_no_messages_do_not_matter() {
    let trip = Trip::of(VERSION, ID);
    let new = trip.say_there("there-1", "one");
    let title = "{\"type\":\"custom-title\",\"customTitle\":\"new\",\"sessionId\":\"x\"}\n";
    grow(&trip.path(), title);
    for messages in [1, 0] {
        assert_eq!(trip.rejoin().unwrap().appended.messages, messages);
        assert!(fs::read_to_string(trip.path()).unwrap().ends_with(&(title.to_owned() + &new)));
    }
}

#[test]
fn a_session_that_went_on_here_is_left_alone() {
    let trip = Trip::of(VERSION, ID);
    trip.say_there("there-1", "one");
    grow(&trip.path(), &next_line(&trip.path(), "here-1", &words("said here")));
    let refused = trip.refused();
    assert!(matches!(refused, AppendError::Grew { messages: 1 }), "{refused}");
    // What came back can be installed beside it.
    let (bundle, header) = trip.bundle();
    let fork = trip.here.install(&bundle, &header).unwrap();
    assert_eq!(
        (fork.native_id.as_str(), trip.here.capture(FRESH).0.header.counts.user_messages),
        (FRESH, trip.there.capture(ID).0.header.counts.user_messages)
    );
}

#[test]
fn another_session_is_not_taken_for_the_one_that_was_handed_over() {
    let trip = Trip::of(VERSION, ID);
    trip.say_there("there-1", "one");
    let whole = fs::read_to_string(&trip.installed.native_path).unwrap();
    fs::write(&trip.installed.native_path, whole.replacen("hello-from-tool", "hello-from-fool", 2)).unwrap();
    assert!(matches!(trip.refused(), AppendError::Changed));
    fs::write(&trip.installed.native_path, whole.split_inclusive('\n').take(3).collect::<String>()).unwrap();
    assert!(matches!(trip.refused(), AppendError::Changed));
    fs::write(&trip.installed.native_path, &whole).unwrap();
    let own = fs::read_to_string(trip.path()).unwrap();
    fs::write(trip.path(), &own[..own.len() / 2]).unwrap();
    assert!(matches!(trip.refused(), AppendError::Changed));
    let cut = "{\"type\":\"user\",\"uuid\":\"torn\",\"mess";
    fs::write(trip.path(), own + cut).unwrap();
    assert!(matches!(trip.refused(), AppendError::Torn));
}

#[test]
fn a_hostile_id_is_refused() {
    let trip = Trip::of(VERSION, ID);
    let (bundle, header) = trip.bundle();
    let (env, before) = (trip.here.env(), trip.here.files());
    for id in ["../../../../../../../../../../tmp/xxxxxx", ""] {
        let header = Header { native_id: id.to_owned(), ..header.clone() };
        assert!(ClaudeCode.rejoin(&env, &find(&env, ID), &trip.handed, &bundle, &header).is_err());
    }
    assert!(trip.here.files() == before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However far a write came that was cut short, the next one ends it.
    #[test]
    fn a_write_that_was_cut_short_is_ended(texts in prop::collection::vec("[a-z äöü]{1,40}", 1..5), cut in any::<prop::sample::Index>()) {
        let trip = Trip::renamed(VERSION, ID);
        for (number, text) in texts.iter().enumerate() {
            trip.say_there(&format!("there-{number}"), text);
        }
        let old = fs::read(trip.path()).unwrap();
        trip.rejoin().unwrap();
        let whole = fs::read(trip.path()).unwrap();
        let at = old.len() + cut.index(whole.len() - old.len() + 1);
        fs::write(trip.path(), &whole[..at]).unwrap();
        trip.rejoin().unwrap();
        prop_assert!(fs::read(trip.path()).unwrap() == whole);
    }
}
