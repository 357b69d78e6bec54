//! What was said on another device and came back, the real Claude Code takes for its own: the model is then sent the old
//! conversation, and behind it what came back, in order.

use std::{fs, path::Path, process::Command, thread};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    Claude, ModelStub,
    conversation::Turn,
    person::{Person, claude_project},
};
use segue_formats::active_view::TailSink;
use segue_formats::view::{Message, Part, Role};
use segue_formats::{AppendError, ClaudeCode, Env, Format as _, Found, Handed, Turn as State};
use tempfile::TempDir;

use crate::real_tool::{NEXT, continued, move_in};

const FORK: &str = "77777777-2222-4333-8444-555555555555";

fn env(person: &Person) -> Env {
    Env { home: person.home(), claude_config_dir: None }
}

fn found(person: &Person, native_id: &str) -> Result<Found> {
    ClaudeCode.find(&env(person), native_id)?.context("the session is there")
}

fn handed(person: &Person, native_id: &str) -> Result<Handed> {
    let (found, mut tail) = (found(person, native_id)?, TailSink::default());
    ClaudeCode.capture(&env(person), &found, Some(&mut tail))?;
    Ok(Handed::of(&found, &tail))
}

fn said(number: u8, role: Role, texts: &[&str]) -> Message {
    let parts = texts.iter().map(|text| Part::text(*text)).collect();
    Message {
        v: 1,
        id: format!("0a0b0c0d-0000-4000-8000-{number:012}"),
        at: 1_795_300_000_000 + i64::from(number),
        role,
        parts,
    }
}

fn back() -> [Message; 4] {
    [
        said(1, Role::User, &["asked on the phone"]),
        said(2, Role::Assistant, &["answered there", "in two parts"]),
        said(3, Role::User, &["and a thought", "with a second"]),
        said(4, Role::User, &["and another one"]),
    ]
}

fn came_back() -> Vec<Turn> {
    let user = |text: &str| Turn::User(text.to_owned());
    let model = |text: &str| Turn::Assistant(text.to_owned());
    vec![
        user("asked on the phone"),
        model("answered there"),
        model("in two parts"),
        user("and a thought"),
        user("with a second"),
        user("and another one"),
        user(NEXT),
    ]
}

/// A person with a recorded session, and what the tool would send next if nothing came back.
fn recorded(root: &Path, version: &str, native_id: &str) -> Result<(Person, Vec<Turn>)> {
    let oracle = Person::new(&root.join("oracle"))?;
    let person = Person::new(&root.join("person"))?;
    for one in [&oracle, &person] {
        move_in(one, version)?;
    }
    let mut before = continued(&oracle, &oracle.work(), native_id)?;
    assert_eq!(before.pop(), Some(Turn::User(NEXT.to_owned())));
    Ok((person, before))
}

#[test]
fn the_tool_goes_on_behind_what_came_back() -> Result<()> {
    for (version, native_id) in [
        ("2.1.197", "60fd7404-3e8f-43d7-a6d0-56fe9768814d"),
        ("2.1.197-tui-compact-rename", "6af582ae-93ce-4653-b18f-17d1775eca38"),
        ("2.1.197-parallel", "f4fbc252-f741-4d90-a864-7442af4313b8"),
        ("2.0.76", "55d76dd0-5b45-4743-8453-afc4b97ff240"),
    ] {
        let root = TempDir::new()?;
        let (person, before) = recorded(root.path(), version, native_id)?;
        let appended = ClaudeCode.append(&found(&person, native_id)?, &handed(&person, native_id)?, &back())?;
        assert_eq!(appended.messages, 4);
        let now = handed(&person, native_id)?;
        assert_eq!((now.count, now.head_hash), (appended.head.count(), appended.head.hash()), "{version}");
        assert_eq!(ClaudeCode.turn(&found(&person, native_id)?)?, State::Idle, "{version}: nobody answers yet");

        let sent = continued(&person, &person.work(), native_id)?;
        assert_eq!(sent, [before, came_back()].concat(), "{version}");
        assert_eq!(ClaudeCode.turn(&found(&person, native_id)?)?, State::Idle, "{version}: answered");
    }
    Ok(())
}

/// The command says that it runs, and waits to be told to end: the test knows when to look without a clock.
#[test]
fn a_turn_is_seen_while_the_tool_works() -> Result<()> {
    let root = TempDir::new()?;
    let person = Person::new(root.path())?;
    let (runs, ends) = (person.work().join("runs"), person.work().join("ends"));
    ensure!(Command::new("mkfifo").args([&runs, &ends]).status()?.success());
    let stub = ModelStub::start()?;
    let prompt = "[[tool:Bash:echo x > runs; cat ends]]";
    let arguments = ["-p", prompt, "--allowedTools", "Bash", "--model", "claude-sonnet-4-5"];
    let (home, work) = (person.home(), person.work());
    let output = thread::scope(|scope| {
        let tool = scope.spawn(|| Claude::from_env().run(&home, &work, stub.url(), &arguments));
        fs::read(&runs)?;
        let session = ClaudeCode.discover(&env(&person))?.next().context("a session")?;
        let during = ClaudeCode.turn(&session)?;
        fs::write(&ends, "done")?;
        assert!(matches!(during, State::Running { partial: None, since_ms } if since_ms > 0), "{during:?}");
        tool.join().expect("the tool's thread ends")
    })?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let session = ClaudeCode.discover(&env(&person))?.next().context("a session")?;
    assert_eq!(ClaudeCode.turn(&session)?, State::Idle);
    Ok(())
}

#[test]
fn a_session_that_the_tool_went_on_with_becomes_a_fork() -> Result<()> {
    let (root, native_id) = (TempDir::new()?, "f4fbc252-f741-4d90-a864-7442af4313b8");
    let (person, before) = recorded(root.path(), "2.1.197-parallel", native_id)?;
    let handed = handed(&person, native_id)?;
    let here = continued(&person, &person.work(), native_id)?;
    let refused = ClaudeCode.append(&found(&person, native_id)?, &handed, &back()).unwrap_err();
    assert!(matches!(refused, AppendError::Grew { messages: 2 }), "{refused}");
    let fork = ClaudeCode.fork(&env(&person), &found(&person, native_id)?, &handed, &back(), &person.work(), FORK)?;
    assert_eq!(fork.native_path.parent(), Some(claude_project(&person.home(), &person.work()).as_path()));
    assert_eq!(continued(&person, &person.work(), FORK)?, [before, came_back()].concat());
    let again = continued(&person, &person.work(), native_id)?;
    assert_eq!(again[..here.len()], here[..], "the session itself is as it was");
    Ok(())
}
