//! A second device joins an account by a code that the first one shows (SPEC A1).

use std::thread;

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    person::{Person, Ran, fixture},
    showing::Showing,
    story::{Story, id},
};
use serde_json::Value;
use tempfile::TempDir;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";

/// Lets `machine` become a device of `owner`'s account.
pub(crate) fn link(owner: &Person, machine: &Person, server: &str) -> Result<Value> {
    let mut showing = Showing::of(owner, &["link"])?;
    let code = showing.code()?;
    let entering = machine.clone().with("SEGUE_DEVICE_CODE", code);
    let server = server.to_owned();
    let joining = thread::spawn(move || entering.run(&["--json", "join", "--code", &server, "--device", "laptop"]));
    showing.approve()?;
    let joined = joining.join().expect("joining does not panic")?;
    ensure!(joined.code == 0, "{}{}", joined.stdout, joined.stderr);
    showing.until("ready")?;
    ensure!(showing.end()?.code == 0);
    joined.events()?.pop().context("nothing was said")
}

fn event(ran: &Ran, name: &str) -> Result<bool> {
    Ok(ran.events()?.iter().any(|event| event["event"] == name))
}

#[test]
fn a_linked_device_is_one_of_the_account_and_takes_chats_without_approval() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    let session = id(&story.ann.json(&["push", SESSION])?, "session_id")?;
    let laptop = Person::new(&root.path().join("laptop"))?;
    let joined = link(&story.ann, &laptop, story.server.url())?;
    assert_eq!(joined["user_id"], story.ann.json(&["whoami"])?["user_id"]);
    assert_eq!(joined["fingerprint"], story.ann.json(&["whoami"])?["fingerprint"], "the same keys");
    // Told once, at the next command.
    let told = story.ann.run(&["whoami"])?;
    assert!(!told.stderr.contains("added"), "the first command after it has told it: {}", told.stderr);
    assert_eq!(story.ann.json(&["devices"])?["devices"].as_array().map(Vec::len), Some(2));

    let mut showing = Showing::start(&story.ann, &[SESSION])?;
    let entering = laptop.clone().with("SEGUE_DEVICE_CODE", showing.code()?);
    let claim = entering.run(&["--json", "device", "claim", "--project", ".", "--print"])?;
    ensure!(claim.code == 0, "{}{}", claim.stdout, claim.stderr);
    assert_eq!(id(&showing.until("ready")?, "session_id")?, session);
    assert!(showing.said.iter().any(|said| said["event"] == "own_device") && event(&claim, "ready")?);
    Ok(())
}

/// SPEC D7: what a code is for comes from each screen.
#[test]
fn a_code_that_hands_over_never_links_and_a_linking_code_never_hands_over() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    let other = Person::new(&root.path().join("other"))?;
    let (mut handing, mut linking) =
        (Showing::start(&story.ann, &[SESSION, "--link"])?, Showing::of(&story.ann, &["link", "--link"])?);
    let (handing, linking) = (handing.until("issued")?, linking.until("issued")?);
    for text in [id(&handing, "code")?, id(&handing, "link")?] {
        let ran = other.clone().with("SEGUE_DEVICE_CODE", text).run(&["join", "--code", story.server.url()])?;
        assert_eq!((ran.code, ran.stderr.contains("segue device claim")), (2, true), "{}", ran.stderr);
    }
    for text in [id(&linking, "code")?, id(&linking, "link")?] {
        let ran =
            other.clone().with("SEGUE_DEVICE_CODE", text).run(&["device", "claim", "--server", story.server.url()])?;
        assert_eq!((ran.code, ran.stderr.contains("join --code")), (2, true), "{}", ran.stderr);
    }
    Ok(())
}

#[test]
fn a_device_is_removed_and_linked_again_twenty_times() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    let laptop = Person::new(&root.path().join("laptop"))?;
    for _ in 0..20 {
        let device = id(&link(&story.ann, &laptop, story.server.url())?, "device_id")?;
        assert_eq!(laptop.run(&["invite", "x@example.com"])?.code, 0);
        story.ann.json(&["devices", "remove", &device, "--yes"])?;
        assert_eq!(laptop.run(&["invite", "y@example.com"])?.code, 3);
        std::fs::remove_dir_all(laptop.segue_home())?;
    }
    Ok(())
}
