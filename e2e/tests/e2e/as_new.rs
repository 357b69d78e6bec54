//! A session that two machines went on with: what is here becomes one of its own, and the other one stays.

use anyhow::Result;
use segue_e2e::{
    person::fixture,
    story::{Story, id},
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
