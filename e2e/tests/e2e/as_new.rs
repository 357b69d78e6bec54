//! A session that two machines went on with: what is here becomes one of its own, and the other one stays.

use std::fs;

use anyhow::Result;
use segue_e2e::{
    person::{claude_project, fixture},
    story::{BEN, Story, id},
};
use tempfile::TempDir;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";

#[test]
fn what_is_here_becomes_a_session_of_its_own() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    let ann = &story.ann;
    ann.record(&fixture("claude-code", "2.1.197"))?;
    let old = id(&ann.json(&["push", SESSION, "--private"])?, "session_id")?;
    let pushed = ann.json(&["push", &old, "--as-new"])?;
    let new = id(&pushed, "session_id")?;
    assert!(new != old && pushed["seq"] == 1 && pushed["unchanged"] == false, "{pushed}");

    // From now on the tool's session is the new one, as private as it was; the old one is still there to be deleted.
    let again = ann.json(&["push", SESSION])?;
    assert_eq!((&again["session_id"], &again["unchanged"]), (&new.as_str().into(), &true.into()), "{again}");
    let listed = ann.json(&["list"])?;
    let known =
        |id: &str| listed["sessions"].as_array().into_iter().flatten().find(|row| row["session_id"] == id).cloned();
    assert_eq!(known(&new).map(|row| row["native_id"].clone()), Some(SESSION.into()), "{listed}");
    assert_eq!(known(&old).map(|row| row["native_id"].clone()), Some(serde_json::Value::Null), "{listed}");
    ann.json(&["delete", &old, "--yes"])?;
    assert_eq!(ann.json(&["push", SESSION])?["unchanged"], true);

    let nowhere = ann.run(&["push", &old, "--as-new"])?;
    assert_eq!(nowhere.code, 4, "{}", nowhere.stderr);
    Ok(())
}

#[test]
fn a_beginning_that_another_session_has_too_is_not_taken_for_the_pushed_one() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    let ann = &story.ann;
    ann.record(&fixture("claude-code", "2.1.197"))?;
    ann.json(&["push", SESSION])?;
    assert_eq!(ann.json(&["push", &SESSION[..8]])?["unchanged"], true);
    let project = claude_project(&ann.home(), &ann.work());
    fs::create_dir_all(&project)?;
    let other = format!("{}-0000-4000-8000-000000000000", &SESSION[..8]);
    let line = r#"{"type":"user","uuid":"1","message":{"role":"user","content":"hi"}}"#;
    fs::write(project.join(format!("{other}.jsonl")), format!("{line}\n"))?;
    let ran = ann.run(&["handoff", &SESSION[..8], "--to", BEN])?;
    assert!(ran.code == 2 && ran.stderr.contains(&other), "{}", ran.stderr);
    Ok(())
}

#[test]
fn a_session_that_was_pushed_as_private_takes_no_message() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    story.ann.json(&["push", SESSION, "--private"])?;
    let ran = story.ann.run(&["handoff", SESSION, "--to", BEN, "--message", "hello"])?;
    assert!(ran.code == 2 && ran.stderr.contains("private"), "{}", ran.stderr);
    story.ann.json(&["handoff", SESSION, "--to", BEN])?;
    Ok(())
}
