//! A program works with a personal access token, on a machine that never joined (SPEC A3).

use anyhow::{Context as _, Result};
use segue_e2e::{
    person::{Person, fixture},
    story::{Story, id},
};
use serde_json::json;
use tempfile::TempDir;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";

#[test]
fn a_program_answers_handoffs_and_opens_nothing() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    let handoff = story.hand_over(SESSION, &[])?;
    let scopes = ["--scope", "handoffs:read", "--scope", "handoffs:write"];
    let made = story.ben.json(&[&["token", "create", "triage"], &scopes[..]].concat())?;
    let token = id(&made, "token")?;
    let program = Person::new(&root.path().join("ci"))?;
    let program = program.with("SEGUE_TOKEN", &token).with("SEGUE_SERVER", story.server.url());

    let inbox = program.json(&["handoffs", "inbox"])?;
    assert_eq!(inbox["handoffs"][0]["handoff_id"], json!(handoff));
    program.json(&["handoffs", "get", &handoff])?;
    program.json(&["handoffs", "comment", &handoff, "--body", "seen by triage"])?;
    let events = program.json(&["handoffs", "events", &handoff])?;
    let by: Vec<_> = events["events"].as_array().context("events")?.iter().map(|event| &event["actor_type"]).collect();
    assert_eq!(json!(by), json!(["user", "token", "token"]));
    assert_eq!(program.run(&["handoffs", "summary", &handoff])?.code, 2);
    let refused = program.run(&["pull-handoff", &handoff])?;
    assert!(refused.code == 3 && refused.stderr.contains("A token has no keys"), "{}", refused.stderr);
    assert_eq!(program.run(&["ticket", "list", "--project", "prj_00000000000000000000000000"])?.code, 1);

    story.ben.json(&["token", "revoke", &id(&made, "token_id")?])?;
    assert_eq!(program.run(&["handoffs", "inbox"])?.code, 3);
    assert!(story.ben.json(&["token", "list"])?["tokens"][0]["revoked_at"].is_i64());
    Ok(())
}
