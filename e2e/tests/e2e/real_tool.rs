//! What Ann handed over, the real Claude Code continues at Ben's, as it would have continued at Ann's.
//!
//! The oracle is the tool itself: Ann's untouched session is resumed once where it was made, and Ben's restored one in
//! another home and another directory. Both requests must hold the same conversation.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    Claude, ModelStub,
    conversation::{self, Turn},
    person::{Person, claude_project, copy, fixture},
    story::{Story, id},
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const NEXT: &str = "and now go on";

/// Continues a session in the real tool, and what the model was then sent.
pub(crate) fn continued(person: &Person, cwd: &Path, native_id: &str) -> Result<Vec<Turn>> {
    let stub = ModelStub::start()?;
    let arguments = ["-p", NEXT, "--resume", native_id, "--output-format", "json", "--model", "claude-sonnet-4-5"];
    let output = Claude::from_env().run(&person.home(), cwd, stub.url(), &arguments)?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_str(&said)?;
    ensure!(answer["session_id"] == native_id, "the tool went on as another session: {answer}");
    let requests = stub.requests();
    Ok(conversation::of(requests.last().context("the model was asked nothing")?))
}

/// Puts a recorded session where the tool finds it from this person's project directory.
pub(crate) fn move_in(person: &Person, version: &str) -> Result<()> {
    person.record(&fixture("claude-code", version))?;
    let recorded = person.home().join(".claude/projects/-home-coder-emms-sdk");
    fs::rename(recorded, claude_project(&person.home(), &person.work()))?;
    Ok(())
}

/// The same conversation without the places it happened in: spilled outputs lie in each person's own home.
fn placeless(turns: Vec<Turn>, homes: &[PathBuf]) -> Vec<Turn> {
    let plain = |text: String| {
        let mut text = text;
        for home in homes.iter().chain([&PathBuf::from("/home/coder")]) {
            text = text.replace(&home.display().to_string(), "HOME");
        }
        let project = |name: &str| name.starts_with('-').then_some("PROJECT");
        text.split('/').map(|part| project(part).unwrap_or(part)).collect::<Vec<_>>().join("/")
    };
    let turns = turns.into_iter().map(|turn| match turn {
        Turn::ToolResult { id, text, is_error, images } => Turn::ToolResult { id, text: plain(text), is_error, images },
        other => other,
    });
    turns.collect()
}

fn survives_a_handoff(version: &str, native_id: &str) -> Result<Vec<Turn>> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    move_in(&story.ann, version)?;
    let at_anns = Person::new(&root.path().join("oracle"))?;
    move_in(&at_anns, version)?;

    let handoff = story.hand_over(native_id, &["--message", "over to you"])?;
    let session = story.pull(&handoff)?;
    let resumed = story.ben.json(&["resume", &session, "--in", "claude-code", "--project", ".", "--print"])?;
    ensure!(id(&resumed, "native_id")? == native_id, "the id is free at Ben's and must be kept: {resumed}");

    let homes = [at_anns.home(), story.ann.home(), story.ben.home()];
    let expected = placeless(continued(&at_anns, &at_anns.work(), native_id)?, &homes);
    let restored = placeless(continued(&story.ben, &story.ben.work(), native_id)?, &homes);
    assert_eq!(restored, expected);
    assert_eq!(restored.last(), Some(&Turn::User(NEXT.to_owned())));
    Ok(restored)
}

fn calls(turns: &[Turn]) -> usize {
    turns.iter().filter(|turn| matches!(turn, Turn::ToolCall { .. })).count()
}

#[test]
fn with_subagents_spilled_output_and_tasks() -> Result<()> {
    let turns = survives_a_handoff("2.1.197", "60fd7404-3e8f-43d7-a6d0-56fe9768814d")?;
    assert!(calls(&turns) >= 8, "{turns:#?}");
    Ok(())
}

#[test]
fn with_a_compaction_and_a_rename() -> Result<()> {
    let turns = survives_a_handoff("2.1.197-tui-compact-rename", "6af582ae-93ce-4653-b18f-17d1775eca38")?;
    let summary = |turn: &Turn| matches!(turn, Turn::User(text) if text.contains("continued from a previous"));
    assert!(turns.iter().any(summary), "{turns:#?}");
    Ok(())
}

#[test]
fn with_parallel_calls() -> Result<()> {
    let turns = survives_a_handoff("2.1.197-parallel", "f4fbc252-f741-4d90-a864-7442af4313b8")?;
    assert!(calls(&turns) >= 2, "{turns:#?}");
    Ok(())
}

#[test]
fn of_older_versions() -> Result<()> {
    for (version, native_id) in
        [("2.1.50", "aef0dec8-0b7d-40f6-929a-ae53b3d44ba2"), ("2.0.76", "55d76dd0-5b45-4743-8453-afc4b97ff240")]
    {
        let turns = survives_a_handoff(version, native_id)?;
        assert!(turns.len() > 3, "{version}: {turns:#?}");
    }
    Ok(())
}

/// A session that the pinned tool makes now: a failing command, an image, an output that is spilled, a sub-agent.
#[test]
fn made_just_now() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    let native_id = record_now(&story.ann)?;
    let at_anns = Person::new(&root.path().join("oracle"))?;
    copy_sessions(&story.ann, &at_anns)?;

    let session = story.pull(&story.hand_over(&native_id, &[])?)?;
    let resumed = story.ben.json(&["resume", &session, "--project", ".", "--print"])?;
    let native_path = PathBuf::from(id(&resumed, "native_path")?);
    assert!(native_path.starts_with(story.ben.home()), "{resumed}");

    let homes = [at_anns.home(), story.ann.home(), story.ben.home()];
    let expected = placeless(continued(&at_anns, &at_anns.work(), &native_id)?, &homes);
    let restored = placeless(continued(&story.ben, &story.ben.work(), &native_id)?, &homes);
    assert_eq!(restored, expected);
    assert!(calls(&restored) == 4, "{restored:#?}");
    let image = |turn: &Turn| matches!(turn, Turn::ToolResult { images, .. } if !images.is_empty());
    assert!(restored.iter().any(image), "the image is there");
    let spilled = native_path.with_extension("").join("tool-results");
    let spilled = fs::read_dir(&spilled)?.next().context("no spilled output at Ben's")??;
    assert!(fs::read_to_string(spilled.path())?.contains("12345"));
    Ok(())
}

fn record_now(person: &Person) -> Result<String> {
    let stub = ModelStub::start()?;
    fs::write(person.work().join("dot.png"), crate::model_stub::DOT)?;
    let read = format!(r#"[[tool:Read:{{"file_path":"{}"}}]]"#, person.work().join("dot.png").display());
    let agent = r#"[[tool:Agent:{"description":"d","prompt":"say something","subagent_type":"general-purpose"}]]"#;
    let prompts = ["[[think]] fail [[tool:Bash:echo broken; exit 3]]", &read, "[[tool:Bash:seq 1 40000]]", agent];
    let mut native_id = String::new();
    for prompt in prompts {
        let mut arguments = vec!["-p", prompt, "--output-format", "json", "--model", "claude-sonnet-4-5"];
        arguments.extend(["--allowedTools", "Bash,Read,Agent"]);
        if !native_id.is_empty() {
            arguments.extend(["--resume", &native_id]);
        }
        let output = Claude::from_env().run(&person.home(), &person.work(), stub.url(), &arguments)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        native_id = id(&serde_json::from_slice(&output.stdout)?, "session_id")?;
    }
    Ok(native_id)
}

fn copy_sessions(from: &Person, to: &Person) -> Result<()> {
    copy(&claude_project(&from.home(), &from.work()), &claude_project(&to.home(), &to.work()))
}
