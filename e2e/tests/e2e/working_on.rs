//! What happens after a handoff arrived: work goes on, in this directory or another, and nothing of it is lost or mixed up.

use std::{fs, io::Write as _, path::PathBuf, thread};

use anyhow::Result;
use segue_e2e::{
    person::{Person, claude_project, fixture},
    story::{BEN, Story, id, invite},
};
use tempfile::TempDir;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
/// One more line, as the tool appends it.
const BENS_LINE: &[u8] = b"{\"type\":\"custom-title\",\"customTitle\":\"bens own work\",\"sessionId\":\"x\"}\n";

/// Ben has pulled Ann's session, resumed it in his project directory and gone on.
fn resumed(root: &TempDir) -> Result<(Story, String, PathBuf)> {
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    let session = story.pull(&story.hand_over(SESSION, &[])?)?;
    let native = story.ben.json(&["resume", &session, "--project", ".", "--print"])?;
    let native = PathBuf::from(id(&native, "native_path")?);
    fs::OpenOptions::new().append(true).open(&native)?.write_all(BENS_LINE)?;
    Ok((story, session, native))
}

#[test]
fn another_directory_gets_the_newest_state_and_the_old_one_stays() -> Result<()> {
    let root = TempDir::new()?;
    let (story, session, native) = resumed(&root)?;
    fs::create_dir(story.ben.work().join("other"))?;
    let moved = story.ben.json(&["resume", &session, "--project", "other", "--print"])?;
    let copy = fs::read_to_string(id(&moved, "native_path")?)?;
    assert!(copy.contains("bens own work"), "{moved}");
    assert!(moved["warnings"].to_string().contains("stays"), "{moved}");
    assert!(fs::read(&native)?.ends_with(BENS_LINE));
    // From now on the copy is the session: handing it on hands on what Ben did.
    let again = story.ben.json(&["resume", &session, "--print"])?;
    assert_eq!(again["native_path"], moved["native_path"]);
    Ok(())
}

/// Without a name, the newest session *here* is meant: a resumed one is where it was resumed, not where Ann was.
#[test]
fn a_resumed_session_is_the_newest_one_where_it_was_resumed() -> Result<()> {
    let root = TempDir::new()?;
    let (story, session, _) = resumed(&root)?;
    let pushed = story.ben.json(&["push"])?;
    assert_eq!(id(&pushed, "session_id")?, session);
    let listed = story.ben.json(&["list", "--here"])?;
    assert_eq!(listed["sessions"][0]["session_id"], session.as_str(), "{listed}");
    let handed = story.ben.json(&["handoff", "--to", BEN])?;
    assert_eq!((&handed["session_id"], &handed["title"]), (&session.as_str().into(), &"bens own work".into()));
    Ok(())
}

/// Nobody could resume it, and claiming it would spend the handoff.
#[test]
fn what_no_tool_could_read_is_not_handed_over() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    let project = claude_project(&story.ann.home(), &story.ann.work());
    fs::create_dir_all(&project)?;
    fs::write(project.join(format!("{SESSION}.jsonl")), vec![0x9f; 300_000])?;
    let ran = story.ann.run(&["handoff", SESSION, "--to", BEN])?;
    assert!(ran.code == 1 && ran.stderr.contains("no record"), "{}", ran.stderr);
    Ok(())
}

#[test]
fn two_first_pushes_at_once_make_one_session() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    let push = |ann: Person| thread::spawn(move || ann.json(&["push", SESSION]));
    let both = [push(story.ann.clone()), push(story.ann.clone())];
    let ids: Vec<_> =
        both.into_iter().map(|one| id(&one.join().expect("no panic")?, "session_id")).collect::<Result<_>>()?;
    assert_eq!(ids[0], ids[1]);
    story.ann.json(&["show", SESSION]).map(drop)
}

#[test]
fn a_session_that_is_gone_from_the_server_is_pushed_anew() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    let session = id(&story.ann.json(&["push", SESSION])?, "session_id")?;
    let folder = story.ann.segue_home().join("sessions").join(&session);
    let kept = root.path().join("kept");
    segue_e2e::person::copy(&folder, &kept)?;
    story.ann.json(&["delete", &session, "--yes"])?;
    // As when the delete was cut short between the server and this machine.
    segue_e2e::person::copy(&kept, &folder)?;
    let pushed = story.ann.json(&["push", SESSION])?;
    assert_eq!((&pushed["unchanged"], &pushed["seq"]), (&false.into(), &1.into()));
    story.pull(&story.hand_over(SESSION, &[])?)?;
    segue_e2e::person::copy(&kept, &folder)?;
    story.ann.json(&["delete", &session, "--yes"])?;
    segue_e2e::person::copy(&kept, &folder)?;
    assert_eq!(story.ann.json(&["delete", &session, "--yes"])?["deleted"], true);
    Ok(())
}

#[test]
fn private_stays_private() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    story.ann.json(&["push", SESSION, "--private"])?;
    let handoff = story.hand_over(SESSION, &[])?;
    let seen = story.ben.json(&["handoffs", "get", &handoff])?;
    assert_eq!(seen["card"]["tool"], "", "{seen}");
    Ok(())
}

#[test]
fn a_recovery_code_that_could_not_be_shown_is_shown_again() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    let cy = Person::new(&root.path().join("cy"))?;
    let link = id(&story.ann.json(&["invite", "cy@example.com", "--vouch"])?, "link")?;
    let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
    assert!(!cy.command(&["join", &link])?.stdout(full).status()?.success());
    let joined = cy.json(&["join", &link])?;
    assert_eq!(id(&joined, "recovery_code")?.len(), 39);
    assert_eq!(cy.run(&["join", &link])?.code, 5, "once it was shown, it is gone");
    cy.json(&["whoami"]).map(drop)
}

#[test]
fn a_refused_join_can_be_repeated_with_other_options() -> Result<()> {
    let root = TempDir::new()?;
    let server = segue_e2e::server::Server::start(&root.path().join("server"), &segue_e2e::server::Options::default())?;
    let ann = Person::new(&root.path().join("ann"))?;
    let link = server.owner_link().unwrap_or_default();
    assert_eq!(ann.run(&["join", link, "--email", "not an address"])?.code, 2);
    ann.json(&["join", link, "--email", "ann@example.com"]).map(drop)
}

/// What a session says about itself is hostile, also where our own errors repeat it.
#[test]
fn a_hostile_header_reaches_the_terminal_escaped_and_leaves_nothing() -> Result<()> {
    let root = TempDir::new()?;
    let (story, session, _) = resumed(&root)?;
    let cy = Person::new(&root.path().join("cy"))?;
    invite(&story.ann, &cy, "cy@example.com")?;
    let pulled = story.pull(&story.hand_over(SESSION, &[])?)?;
    assert_ne!(pulled, session);
    let header = story.ben.segue_home().join("sessions").join(&pulled).join("content/session.json");
    fs::write(&header, fs::read_to_string(&header)?.replace("\"claude-code\"", "\"\\u001b[2Jevil\\u202e\""))?;
    let handoff = id(&story.ben.json(&["handoff", &pulled, "--to", "cy@example.com"])?, "handoff_id")?;
    let refused = cy.run(&["pull-handoff", &handoff])?;
    assert_eq!(refused.code, 9, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("evil") && !refused.stderr.contains(['\u{1b}', '\u{202e}']),
        "{:?}",
        refused.stderr
    );
    let left: Vec<_> = fs::read_dir(cy.segue_home().join("sessions"))?.flatten().map(|entry| entry.path()).collect();
    assert!(left.iter().all(|path| !path.join("content").exists()), "{left:?}");
    Ok(())
}
