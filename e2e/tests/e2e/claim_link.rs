//! Handing over to somebody who has not joined (SPEC T19): the claim link, or the sender's device afterwards.

use std::fs;

use anyhow::{Context as _, Result};
use segue_e2e::{
    person::{Person, fixture},
    story::{Story, id, invite},
};
use serde_json::{Value, json};
use tempfile::TempDir;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
const CY: &str = "cy@example.com";

/// Ann has handed over to Cy, who joins only then: the handoff, its link, and Cy.
fn begin(root: &TempDir) -> Result<(Story, Value, Person)> {
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    let handed = story.ann.json(&["handoff", SESSION, "--to", CY, "--message", "take it", "--show-link"])?;
    let cy = Person::new(&root.path().join("cy"))?;
    Ok((story, handed, cy))
}

#[test]
fn with_the_link_and_the_mailbox_one_claims() -> Result<()> {
    let root = TempDir::new()?;
    let (story, handed, cy) = begin(&root)?;
    let (handoff, link) = (id(&handed, "handoff_id")?, id(&handed, "claim_link")?);
    assert_eq!(handed["joined"], false);
    // The link without the mailbox is nothing.
    let ben = story.ben.clone().with("SEGUE_CLAIM_LINK", &link);
    assert_eq!(ben.run(&["pull-handoff", &handoff])?.code, 4);
    invite(&story.ann, &cy, CY)?;
    let pulled = cy.clone().with("SEGUE_CLAIM_LINK", &link).json(&["pull-handoff", &handoff])?;
    assert_eq!(pulled["message"], "take it");
    // Once claimed it needs no link: it is Cy's own.
    assert_eq!(cy.json(&["pull-handoff", &handoff])?["session_id"], pulled["session_id"]);
    // Ann now knows Cy's key without having compared anything.
    story.ann.json(&["handoffs", "get", &handoff])?;
    let contacts = fs::read_to_string(story.ann.segue_home().join("contacts.json"))?;
    assert!(contacts.contains(CY), "{contacts}");
    Ok(())
}

#[test]
fn without_the_link_one_waits_for_the_senders_device() -> Result<()> {
    let root = TempDir::new()?;
    let (story, handed, cy) = begin(&root)?;
    let handoff = id(&handed, "handoff_id")?;
    assert_eq!(story.ann.run(&["handoffs", "share-key", &handoff, "--yes"])?.code, 4, "nobody has joined");
    invite(&story.ann, &cy, CY)?;
    let waits = cy.run(&["pull-handoff", &handoff])?;
    assert!(waits.code == 5 && waits.stderr.contains("waiting for the device of ann@example.com"), "{}", waits.stderr);
    let seen = cy.run(&["handoffs", "get", &handoff])?;
    assert!(seen.stdout.contains("Waiting for Ann's device"), "{}", seen.stdout);
    let unconfirmed = story.ann.run(&["handoffs", "share-key", &handoff, "--no-input"])?;
    assert_ne!(unconfirmed.code, 0, "a fingerprint must be confirmed");
    story.ann.json(&["handoffs", "share-key", &handoff, "--yes"])?;
    assert_eq!(cy.json(&["pull-handoff", &handoff])?["message"], "take it");
    let events = story.ann.json(&["handoffs", "events", &handoff])?;
    let kinds: Vec<_> = events["events"].as_array().context("events")?.iter().map(|event| &event["kind"]).collect();
    assert_eq!(json!(kinds), json!(["created", "viewed", "key_wrapped", "claimed"]));
    Ok(())
}

#[test]
fn a_link_of_somebody_else_opens_nothing_and_claims_nothing() -> Result<()> {
    let root = TempDir::new()?;
    let (story, handed, cy) = begin(&root)?;
    let (handoff, link) = (id(&handed, "handoff_id")?, id(&handed, "claim_link")?);
    invite(&story.ann, &cy, CY)?;
    let (rest, _) = link.rsplit_once('.').context("a link has a sender")?;
    let forged = format!("{rest}.{}", "A".repeat(22));
    for (link, code) in [(forged.as_str(), 9), ("https://example.com/i/x#1.a.b", 2)] {
        let refused = cy.clone().with("SEGUE_CLAIM_LINK", link).run(&["pull-handoff", &handoff])?;
        assert_eq!(refused.code, code, "{}", refused.stderr);
        assert!(!refused.stderr.contains(link), "a link is not repeated");
    }
    assert_eq!(story.ann.json(&["handoffs", "get", &handoff])?["status"], "pending");
    Ok(())
}

#[test]
fn the_link_alone_finds_its_handoff_and_is_no_argument() -> Result<()> {
    let root = TempDir::new()?;
    let (story, handed, cy) = begin(&root)?;
    let (handoff, link) = (id(&handed, "handoff_id")?, id(&handed, "claim_link")?);
    invite(&story.ann, &cy, CY)?;
    // Another one waits as well.
    story.ann.json(&["handoff", SESSION, "--to", CY])?;
    let shown = cy.run(&["pull-handoff", &link])?;
    assert!(shown.code == 2 && !shown.stderr.contains(&link) && shown.stderr.contains("SEGUE_CLAIM_LINK"));
    let ben = story.ben.clone().with("SEGUE_CLAIM_LINK", &link).run(&["pull-handoff"])?;
    assert_eq!(ben.code, 4, "it waits in no inbox of his");
    let pulled = cy.clone().with("SEGUE_CLAIM_LINK", &link).json(&["pull-handoff"])?;
    assert_eq!(pulled["handoff_id"], json!(handoff));
    // The address of the mail's page does as well as the id in it.
    let page = format!("{}/i/{handoff}", story.server.url());
    assert_eq!(cy.json(&["pull-handoff", &page])?["session_id"], pulled["session_id"]);
    Ok(())
}

#[test]
fn the_link_is_in_no_answer_that_did_not_ask_for_it() -> Result<()> {
    let root = TempDir::new()?;
    let (story, _, _) = begin(&root)?;
    let quiet = story.ann.json(&["handoff", SESSION, "--to", "dan@example.com"])?;
    assert!(quiet.get("claim_link").is_none());
    let told = story.ann.run(&["handoff", SESSION, "--to", "eve@example.com"])?;
    assert!(told.stdout.contains("/i/inv_"), "{}", told.stdout);
    Ok(())
}
