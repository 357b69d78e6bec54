//! The way back: what was said on another device comes into the session that it was moved from (SPEC D12, D13, D15).

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    Claude, ModelStub,
    conversation::Turn,
    fault::{Fault, What},
    person::{Person, claude_project, copy},
    story::{Story, id},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    device::{SESSION, event, go},
    linking::link,
    real_tool::{NEXT, continued, move_in},
    recorder::Recorder,
};

const DRAFT: &str = "half a wörd";
/// A turn whose output the tool puts into a file of its own.
const SPILLS: &str = "[[tool:Bash:seq 1 40000]]";

/// Ann's session, and where it was moved.
struct Trip {
    story: Story,
    there: Person,
    /// Segue's id of it at Ann's.
    session: String,
    /// And there.
    away: String,
    /// The tool's id there.
    native_id: String,
    arrived: Value,
}

impl Trip {
    /// To a machine without an account.
    fn to_guest(root: &Path) -> Result<Self> {
        let story = begin(root)?;
        let there = Person::new(&root.join("other"))?;
        Self::to(story, there)
    }

    /// To another device of Ann's account.
    fn to_own(root: &Path) -> Result<Self> {
        let story = begin(root)?;
        let there = Person::new(&root.join("laptop"))?;
        link(&story.ann, &there, story.server.url())?;
        Self::to(story, there)
    }

    fn to(story: Story, there: Person) -> Result<Self> {
        let draft = story.ann.work().join("draft.txt");
        fs::write(&draft, DRAFT)?;
        let draft = draft.display().to_string();
        let (session, ran) = go(&story, &there, &["--draft", &draft])?;
        let last = ran.events()?.pop().context("nothing was said")?;
        let (away, native_id) = (id(&last, "session_id")?, id(&last, "native_id")?);
        Ok(Self { arrived: event(&ran, "arrived")?, story, there, session, away, native_id })
    }

    fn ann(&self) -> &Person {
        &self.story.ann
    }

    fn transcript(&self) -> PathBuf {
        claude_project(&self.ann().home(), &self.ann().work()).join(format!("{SESSION}.jsonl"))
    }

    /// The real tool makes a turn there.
    fn work_there(&self, prompt: &str) -> Result<()> {
        work(&self.there, &self.native_id, prompt)
    }

    fn give_back(&self, more: &[&str]) -> Result<Value> {
        self.there.json(&[&["device", "return", &self.away], more].concat())
    }

    /// What was shown, and what became of it.
    /// Whether the server's database has a word.
    fn is_told(&self, word: &str) -> Result<bool> {
        let files = fs::read_dir(self.story.server.data())?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
        let databases = files.into_iter().filter(|path| path.to_string_lossy().contains(".db"));
        let bytes = databases.map(|path| Ok(fs::read(path)?)).collect::<Result<Vec<_>>>()?;
        Ok(bytes.iter().any(|bytes| bytes.windows(word.len()).any(|window| window == word.as_bytes())))
    }

    fn take_back(&self) -> Result<(Value, Value)> {
        let ran = self.ann().run(&["--json", "--yes", "device", "take-back", &self.session])?;
        ensure!(ran.code == 0, "{}{}", ran.stdout, ran.stderr);
        Ok((event(&ran, "came_back")?, ran.events()?.pop().context("nothing was said")?))
    }

    fn files(&self) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut files = Vec::new();
        list(&claude_project(&self.ann().home(), &self.ann().work()), &mut files)?;
        Ok(files)
    }
}

fn begin(root: &Path) -> Result<Story> {
    let story = Story::begin(root)?;
    move_in(&story.ann, "2.1.197")?;
    Ok(story)
}

fn work(person: &Person, native_id: &str, prompt: &str) -> Result<()> {
    let stub = ModelStub::start()?;
    let mut arguments = vec!["-p", prompt, "--resume", native_id, "--output-format", "json"];
    arguments.extend(["--model", "claude-sonnet-4-5", "--allowedTools", "Bash"]);
    let output = Claude::from_env().run(&person.home(), &person.work(), stub.url(), &arguments)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

fn list(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) -> Result<()> {
    let mut paths: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            list(&path, files)?;
        } else {
            let bytes = fs::read(&path)?;
            files.push((path, bytes));
        }
    }
    Ok(())
}

/// What the tool would send next at Ann's, had nothing been moved.
fn oracle(trip: &Trip, root: &Path) -> Result<Vec<Turn>> {
    let oracle = Person::new(&root.join("oracle"))?;
    move_in(&oracle, "2.1.197")?;
    let mut turns = continued(&oracle, &oracle.work(), SESSION)?;
    assert_eq!(turns.pop(), Some(Turn::User(NEXT.to_owned())));
    // Each person's spilled outputs lie in a home of their own.
    Ok(moved(turns, &oracle.home(), &trip.ann().home()))
}

fn moved(turns: Vec<Turn>, from: &Path, to: &Path) -> Vec<Turn> {
    let name = |home: &Path| {
        let work = home.parent().unwrap_or(home).join("work");
        claude_project(home, &work).display().to_string()
    };
    let (recorded, from, to) = ("/home/coder/.claude/projects/-home-coder-emms-sdk", name(from), name(to));
    let turns = turns.into_iter().map(|turn| match turn {
        Turn::ToolResult { id, text, is_error, images } => {
            Turn::ToolResult { id, text: text.replace(&from, &to).replace(recorded, &to), is_error, images }
        }
        other => other,
    });
    turns.collect()
}

#[test]
fn words_of_a_guest_come_back_and_the_tool_goes_on_behind_them() -> Result<()> {
    let root = TempDir::new()?;
    let trip = Trip::to_guest(root.path())?;
    let before = oracle(&trip, root.path())?;
    trip.work_there("asked on the train")?;
    let given = trip.give_back(&[])?;
    assert_eq!((given["messages"].as_u64(), given["pushed"].as_bool()), (Some(2), Some(false)));
    assert_eq!(trip.ann().json(&["device", "status"])?["moved"][0]["returned"], true);
    assert_eq!(trip.there.json(&["device", "status"])?["arrived"][0]["returned"], true);
    let (shown, taken) = trip.take_back()?;
    assert_eq!((shown["messages"].as_u64(), shown["last"]["role"].as_str()), (Some(2), Some("assistant")));
    assert_eq!((taken["forked"].as_bool(), taken["native_id"].as_str()), (Some(false), Some(SESSION)));
    let sent = continued(trip.ann(), &trip.ann().work(), SESSION)?;
    let sent = moved(sent, &trip.ann().home(), &trip.ann().home());
    assert_eq!(sent[..before.len()], before[..]);
    let [Turn::User(asked), Turn::Assistant(answered), Turn::User(next)] = &sent[before.len()..] else {
        panic!("{:#?}", &sent[before.len()..])
    };
    assert!(asked == "asked on the train" && answered.contains(asked.as_str()) && next == NEXT, "{answered}");
    // There it is held no more, until it is forked.
    for refused in [["resume", &trip.away, "--print"], ["device", "fork", &trip.session]] {
        assert_ne!(trip.there.run(&refused)?.code, 0, "{refused:?}");
    }
    let held = trip.there.run(&["resume", &trip.away, "--print"])?;
    assert!(held.code == 5 && held.stderr.contains("was given back to “"), "{}", held.stderr);
    trip.there.json(&["device", "fork", &trip.away])?;
    assert_eq!(trip.there.run(&["resume", &trip.away, "--print"])?.code, 0);
    assert_eq!(trip.ann().run(&["resume", SESSION, "--print"])?.code, 0);
    Ok(())
}

#[test]
fn a_session_of_the_same_account_comes_back_with_all_that_its_tool_wrote() -> Result<()> {
    let root = TempDir::new()?;
    let trip = Trip::to_own(root.path())?;
    let before = fs::read_to_string(trip.transcript())?;
    trip.work_there(SPILLS)?;
    let given = trip.give_back(&[])?;
    assert_eq!((given["pushed"].as_bool(), given["session_id"].as_str()), (Some(true), Some(&*trip.session)));
    // It was never pushed with a card, and goes there and back without one.
    assert!(!trip.is_told("claude-code")?);
    let (shown, taken) = trip.take_back()?;
    assert!(shown["messages"].as_u64() > Some(3), "{shown}");
    assert_eq!((taken["forked"].as_bool(), taken["native_id"].as_str()), (Some(false), Some(SESSION)));
    let now = fs::read_to_string(trip.transcript())?;
    let there = claude_project(&trip.there.home(), &trip.there.work()).display().to_string();
    assert!(now.starts_with(&before) && now.len() > before.len() && !now[before.len()..].contains(&there));
    // The output that the tool spilled there lies here, where the transcript says.
    let here = trip.transcript().with_extension("").join("tool-results");
    let spilled: Vec<_> = fs::read_dir(&here)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    let new = spilled.iter().find(|path| now[before.len()..].contains(&path.display().to_string()));
    assert!(fs::read_to_string(new.context("nothing of it is here")?)?.contains("\n39999\n"));
    // The tool goes on here as it would there.
    let ours = continued(trip.ann(), &trip.ann().work(), SESSION)?;
    let theirs = continued(&trip.there, &trip.there.work(), &trip.native_id)?;
    let placed = |turns| moved(turns, &trip.there.home(), &trip.ann().home());
    assert_eq!(placed(ours), placed(theirs));
    // What is pushed next continues what came back, and it can go once more.
    let pushed = trip.ann().json(&["push", SESSION])?;
    assert_eq!(pushed["session_id"], trip.session.as_str());
    assert!(trip.is_told("claude-code")?, "a push tells which tool it is");
    let (again, ran) = go(&trip.story, &trip.there, &[])?;
    assert_eq!(again, trip.session);
    let count = event(&ran, "ready")?["messages"].as_u64();
    assert_eq!(count, taken["count"].as_u64().map(|count| count + 2));
    Ok(())
}

#[test]
fn a_round_trip_without_a_word_ends_where_it_began() -> Result<()> {
    for own in [false, true] {
        let root = TempDir::new()?;
        let trip = if own { Trip::to_own(root.path())? } else { Trip::to_guest(root.path())? };
        let before = trip.files()?;
        trip.give_back(&[])?;
        let (shown, taken) = trip.take_back()?;
        assert_eq!((shown["messages"].as_u64(), shown["draft"].as_str()), (Some(0), Some(DRAFT)));
        assert_eq!(taken["place"]["anchor"], trip.arrived["place"]["anchor"]);
        assert_eq!(taken["count"], trip.arrived["messages"]);
        assert_eq!(fs::read_to_string(id(&taken, "draft_file")?)?, DRAFT);
        assert!(trip.files()? == before, "the session changed");
    }
    Ok(())
}

#[test]
fn a_draft_comes_back_beside_the_one_that_is_there() -> Result<()> {
    let root = TempDir::new()?;
    let trip = Trip::to_guest(root.path())?;
    trip.work_there("said instead")?;
    let draft = trip.there.work().join("draft");
    fs::write(&draft, "and then")?;
    let drafts = trip.ann().segue_home().join("drafts");
    fs::create_dir_all(&drafts)?;
    fs::write(drafts.join(format!("{}.txt", trip.session)), "mine")?;
    trip.give_back(&["--draft", &draft.display().to_string()])?;
    let (_, taken) = trip.take_back()?;
    assert_eq!(fs::read_to_string(id(&taken, "draft_file")?)?, "and then");
    assert_eq!(fs::read_to_string(drafts.join(format!("{}.txt", trip.session)))?, "mine");
    Ok(())
}

#[test]
fn a_session_that_went_on_at_home_meanwhile_stays_and_the_return_is_a_fork() -> Result<()> {
    for own in [false, true] {
        let root = TempDir::new()?;
        let trip = if own { Trip::to_own(root.path())? } else { Trip::to_guest(root.path())? };
        trip.work_there("said there")?;
        trip.give_back(&[])?;
        work(trip.ann(), SESSION, "said here")?;
        let here = fs::read(trip.transcript())?;
        let (_, taken) = trip.take_back()?;
        assert_eq!(taken["forked"], true);
        assert_eq!(fs::read(trip.transcript())?, here, "the session here changed");
        let fork = id(&taken, "native_id")?;
        assert_ne!(fork, SESSION);
        let sent = continued(trip.ann(), &trip.ann().work(), &fork)?;
        let said = |text: &str| sent.contains(&Turn::User(text.to_owned()));
        assert!(said("said there") && !said("said here"));
        // Both can be pushed.
        for session in [fork.as_str(), SESSION] {
            trip.ann().json(&["push", session])?;
        }
    }
    Ok(())
}

#[test]
fn what_is_not_agreed_to_changes_nothing_and_waits() -> Result<()> {
    let root = TempDir::new()?;
    let trip = Trip::to_guest(root.path())?;
    trip.work_there("said there")?;
    trip.give_back(&[])?;
    let before = trip.files()?;
    let asked = trip.ann().run(&["--json", "--no-input", "device", "take-back", &trip.session])?;
    assert_ne!(asked.code, 0);
    assert!(event(&asked, "came_back")?["last"]["text"].as_str().is_some_and(|text| text.contains("said there")));
    assert!(trip.files()? == before);
    assert_eq!(trip.ann().run(&["resume", SESSION, "--print"])?.code, 5);
    trip.take_back()?;
    Ok(())
}

#[test]
fn a_chat_that_was_taken_back_meanwhile_stays_where_it_was_continued() -> Result<()> {
    for own in [false, true] {
        let root = TempDir::new()?;
        let trip = if own { Trip::to_own(root.path())? } else { Trip::to_guest(root.path())? };
        trip.work_there("said there")?;
        trip.ann().json(&["device", "take-back", &trip.session])?;
        let path = claude_project(&trip.there.home(), &trip.there.work()).join(format!("{}.jsonl", trip.native_id));
        let said = fs::read(&path)?;
        for _ in 0..2 {
            let told = trip.there.run(&["device", "return", &trip.away])?;
            assert!(told.code == 10 && told.stderr.contains("has the chat back"), "{}{}", told.code, told.stderr);
        }
        assert_eq!(fs::read(&path)?, said);
        assert_eq!(trip.there.run(&["resume", &trip.away, "--print"])?.code, 0, "it goes on there");
    }
    Ok(())
}

/// Killed at each of its calls in turn, and run again each time. How often it was killed.
fn until_it_ends(person: &Person, root: &Path, call: &'static str, arguments: &[&str]) -> Result<u32> {
    let log = root.join("strace.log");
    for nth in 1.. {
        let fault = Fault { call, nth, what: What::Kill };
        let ran = person.under(fault.wrapper(&log)).run(arguments)?;
        if !Fault::was_met(&log)? {
            // Killed behind its last step, it finds nothing more to do.
            ensure!([0, 4].contains(&ran.code), "{}{}", ran.stdout, ran.stderr);
            return Ok(nth - 1);
        }
    }
    Ok(0)
}

/// How often something was killed.
fn survives_kills(own: bool, call: &'static str) -> Result<u32> {
    let root = TempDir::new()?;
    let trip = if own { Trip::to_own(root.path())? } else { Trip::to_guest(root.path())? };
    let before = fs::read_to_string(trip.transcript())?;
    trip.work_there("said there")?;
    let gives = until_it_ends(&trip.there, root.path(), call, &["device", "return", &trip.away])?;
    let takes = until_it_ends(trip.ann(), root.path(), call, &["--yes", "device", "take-back", &trip.session])?;
    let now = fs::read_to_string(trip.transcript())?;
    assert!(now.starts_with(&before));
    let said = now[before.len()..].matches(r#""role":"user","content":"said there""#).count();
    assert_eq!(said, 1, "{call}, {gives} and {takes}: {}", &now[before.len()..]);
    assert_eq!(trip.ann().run(&["resume", SESSION, "--print"])?.code, 0);
    trip.ann().json(&["push", SESSION])?;
    Ok(gives + takes)
}

#[test]
fn killed_at_any_step_nothing_is_lost_and_nothing_comes_twice() -> Result<()> {
    assert!(survives_kills(false, "fsync")? > 2 && survives_kills(true, "rename")? > 2, "nothing was tried");
    Ok(())
}

#[test]
#[ignore = "long: killed at every call"]
fn killed_at_every_call_nothing_is_lost_and_nothing_comes_twice() -> Result<()> {
    for call in ["fsync", "rename", "unlink", "write", "openat"] {
        for own in [false, true] {
            assert!(survives_kills(own, call)? > 0, "{call}: nothing was tried");
        }
    }
    Ok(())
}

#[test]
fn what_a_relay_changes_on_the_way_is_not_taken() -> Result<()> {
    let root = TempDir::new()?;
    let lies = Arc::new(AtomicBool::new(false));
    let story = Story::begin(root.path())?;
    let (told, marker) = (Arc::clone(&lies), b"\"returned\":\"");
    let relay = Recorder::tampering(story.server.url(), move |answer| {
        let found = answer.windows(marker.len()).position(|window| window == marker);
        if let Some(at) = found.filter(|_| told.load(Ordering::SeqCst)) {
            let byte = &mut answer[at + marker.len() + 40];
            *byte = if *byte == b'A' { b'B' } else { b'A' };
        }
    })?;
    let cy = Person::new(&root.path().join("cy"))?;
    let link = id(&story.ann.json(&["invite", "cy@example.com", "--vouch"])?, "link")?;
    cy.json(&["join", &link.replace(story.server.url(), relay.url())])?;
    move_in(&cy, "2.1.197")?;
    let there = Person::new(&root.path().join("other"))?;
    let trip = Trip::to(Story { ann: cy, ..story }, there)?;
    trip.work_there("said there")?;
    trip.give_back(&[])?;
    let before = trip.files()?;
    lies.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let refused = trip.ann().run(&["--yes", "device", "take-back", &trip.session])?;
        assert!(refused.code == 9 && refused.stderr.contains("changed on its way"), "{}", refused.stderr);
    }
    assert!(trip.files()? == before, "something was put in place");
    lies.store(false, Ordering::SeqCst);
    assert_eq!(trip.take_back()?.1["messages"], 2);
    Ok(())
}

/// Words that the tool has not answered.
fn ask_there(trip: &Trip, time: &str, text: &str) -> Result<()> {
    let path = claude_project(&trip.there.home(), &trip.there.work()).join(format!("{}.jsonl", trip.native_id));
    let whole = fs::read_to_string(&path)?;
    let uuid = |line: &str| serde_json::from_str::<Value>(line).ok()?["uuid"].as_str().map(str::to_owned);
    let leaf = whole.lines().rev().find_map(uuid).context("no line has an id")?;
    let line = serde_json::json!({
        "type": "user", "uuid": "0a0b0c0d-0000-4000-8000-000000000001", "parentUuid": leaf, "sessionId": trip.native_id,
        "timestamp": time, "message": {"role": "user", "content": text},
    });
    Ok(fs::write(path, format!("{whole}{line}\n"))?)
}

#[test]
fn a_reply_that_is_being_written_is_finished_first() -> Result<()> {
    let root = TempDir::new()?;
    let trip = Trip::to_guest(root.path())?;
    // Without a time of its own, it is as old as the file.
    ask_there(&trip, "", "asked just now")?;
    let early = trip.there.run(&["device", "return", &trip.away])?;
    assert!(early.code == 5 && early.stderr.contains("still being written"), "{}{}", early.code, early.stderr);
    assert_eq!(trip.there.run(&["resume", &trip.away, "--print"])?.code, 0, "it is still here");
    assert_eq!(trip.give_back(&["--now"])?["left_out"], 1);
    Ok(())
}

#[test]
fn more_than_can_be_given_back_stays_and_there_is_a_way_out() -> Result<()> {
    let root = TempDir::new()?;
    let trip = Trip::to_guest(root.path())?;
    ask_there(&trip, "2026-11-20T13:53:17.123Z", &"x".repeat(70_000))?;
    let long = trip.there.run(&["device", "return", &trip.away])?;
    assert!(long.code == 1 && long.stderr.contains("segue handoff"), "{}{}", long.code, long.stderr);
    assert_eq!(trip.there.run(&["resume", &trip.away, "--print"])?.code, 0, "it is still here");
    assert_eq!(trip.ann().json(&["device", "status"])?["moved"][0]["returned"], false);
    Ok(())
}

/// What is planted where the tools and Segue keep secrets.
const CANARIES: [&str; 2] = ["sk-ant-canary-0123456789", "canary-token-9876543210"];

#[test]
fn no_secret_of_the_device_goes_back() -> Result<()> {
    let root = TempDir::new()?;
    let trip = Trip::to_guest(root.path())?;
    fs::write(trip.there.home().join(".claude/.credentials.json"), format!("{{\"token\":\"{}\"}}", CANARIES[0]))?;
    fs::write(trip.there.home().join(".claude.json"), format!("{{\"primaryApiKey\":\"{}\"}}", CANARIES[1]))?;
    trip.work_there("said there")?;
    trip.give_back(&[])?;
    trip.take_back()?;
    let everything = root.path().join("everything");
    copy(&trip.ann().home(), &everything.join("home"))?;
    copy(&trip.ann().segue_home(), &everything.join("segue"))?;
    let mut files = Vec::new();
    list(&everything, &mut files)?;
    let note = fs::read_to_string(trip.there.segue_home().join(format!("arrived/{}.json", trip.away)))?;
    let token = serde_json::from_str::<Value>(&note)?["token"].as_str().context("a token is kept")?.to_owned();
    for (path, bytes) in files {
        for canary in CANARIES.iter().copied().chain([token.as_str()]) {
            let there = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!there, "{canary} is in {}", path.display());
        }
    }
    Ok(())
}
