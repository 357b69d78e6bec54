//! The whole path as its users walk it, without the tool at the end.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::{Context as _, Result};
use segue_e2e::{
    person::{Person, fixture},
    story::{BEN, Story, id, invite},
};
use tempfile::TempDir;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
/// One more line, as the tool appends it.
const TITLE: &[u8] = b"{\"type\":\"custom-title\",\"customTitle\":\"later\",\"sessionId\":\"x\"}\n";

fn begin(root: &TempDir) -> Result<Story> {
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    Ok(story)
}

fn transcript(home: &Path) -> String {
    format!("{}/.claude/projects/-home-coder-emms-sdk/{SESSION}.jsonl", home.display())
}

/// The bytes that Ben's tool would read.
fn restored(story: &Story, session: &str) -> Result<Vec<u8>> {
    let resumed = story.ben.json(&["resume", session, "--project", ".", "--print"])?;
    Ok(fs::read(id(&resumed, "native_path")?)?)
}

#[test]
fn the_transcript_arrives_byte_for_byte_but_for_the_spilled_paths() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let session = story.pull(&story.hand_over(SESSION, &["--message", "look"])?)?;
    let (sent, received) = (fs::read(transcript(&story.ann.home()))?, restored(&story, &session)?);
    let (sent, received) = (String::from_utf8(sent)?, String::from_utf8(received)?);
    let changed: Vec<_> = sent.lines().zip(received.lines()).filter(|(before, after)| before != after).collect();
    assert_eq!(sent.lines().count(), received.lines().count());
    assert!(changed.iter().all(|(before, _)| before.contains("tool-results")), "{changed:#?}");
    Ok(())
}

/// SPEC T3: what Ann does later neither reaches nor harms Ben, and what Ben does never reaches Ann.
#[test]
fn a_handoff_is_a_snapshot() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let original = fs::read(transcript(&story.ann.home()))?;
    let handoff = story.hand_over(SESSION, &[])?;

    let mut grown = original.clone();
    grown.extend_from_slice(TITLE);
    fs::write(transcript(&story.ann.home()), &grown)?;
    let pushed = story.ann.json(&["push", SESSION])?;
    story.ann.json(&["delete", &id(&pushed, "session_id")?, "--yes"])?;
    fs::remove_file(transcript(&story.ann.home()))?;

    let session = story.pull(&handoff)?;
    let content = story.ben.segue_home().join("sessions").join(&session).join("content/native/session.jsonl");
    assert_eq!(fs::read(content)?, original);

    restored(&story, &session)?;
    let resumed = story.ben.json(&["resume", &session, "--print"])?;
    let mut bens = fs::OpenOptions::new().append(true).open(id(&resumed, "native_path")?)?;
    bens.write_all(TITLE)?;
    story.ben.json(&["push", &session])?;
    assert!(!Path::new(&transcript(&story.ann.home())).exists());
    assert_eq!(story.ann.json(&["handoffs", "get", &handoff])?["status"], "claimed");
    Ok(())
}

#[test]
fn pulling_again_gives_the_same_session() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let handoff = story.hand_over(SESSION, &[])?;
    let first = story.pull(&handoff)?;
    assert_eq!(story.pull(&handoff)?, first);
    // As after a crash between the claim and the last rename: nothing of it is on this machine any more.
    fs::remove_dir_all(story.ben.segue_home().join("sessions").join(&first))?;
    assert_eq!(story.pull(&handoff)?, first);
    restored(&story, &first).map(drop)
}

#[test]
fn an_unchanged_push_sends_nothing_and_a_grown_one_little() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let first = story.ann.json(&["push", SESSION])?;
    let again = story.ann.json(&["push", SESSION])?;
    assert_eq!((&again["unchanged"], &again["bytes_sent"], &again["seq"]), (&true.into(), &0.into(), &first["seq"]));
    let mut session = fs::OpenOptions::new().append(true).open(transcript(&story.ann.home()))?;
    session.write_all(TITLE)?;
    let grown = story.ann.json(&["push", SESSION])?;
    assert_eq!((&grown["session_id"], &grown["seq"]), (&first["session_id"], &2.into()));
    assert!(grown["bytes_sent"].as_u64() < first["bytes_sent"].as_u64(), "{grown} {first}");
    Ok(())
}

/// As when the server stored a push and its answer was lost: the client still believes in the state before.
#[test]
fn a_push_whose_answer_was_lost_is_taken_up_again() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let session = id(&story.ann.json(&["push", SESSION])?, "session_id")?;
    let record = story.ann.segue_home().join("sessions").join(&session).join("record.json");
    let before = fs::read(&record)?;
    let mut native = fs::OpenOptions::new().append(true).open(transcript(&story.ann.home()))?;
    native.write_all(TITLE)?;
    story.ann.json(&["push", SESSION])?;
    fs::write(&record, before)?;
    native.write_all(TITLE)?;
    let taken_up = story.ann.json(&["push", SESSION])?;
    assert_eq!((&taken_up["session_id"], &taken_up["seq"]), (&session.into(), &3.into()));
    Ok(())
}

/// As when a machine stopped between two files of a push: what is left of another state says nothing about this one.
#[test]
fn a_manifest_of_another_state_is_not_trusted() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let session = id(&story.ann.json(&["push", SESSION])?, "session_id")?;
    let (folder, path) = (story.ann.segue_home().join("sessions").join(&session), transcript(&story.ann.home()));
    let left = ["manifest.bin", "envelope.bin"].map(|name| folder.join(name));
    let before = [fs::read(&left[0])?, fs::read(&left[1])?];
    // Another text of the same length, in a file of its own.
    let (text, aside) = (fs::read_to_string(&path)?, root.path().join("other.jsonl"));
    let other = text.replacen("\"version\":\"2.1.197\"", "\"version\":\"2.1.198\"", 1);
    assert_ne!(other, text);
    fs::write(&aside, other)?;
    fs::rename(&aside, &path)?;
    story.ann.json(&["push", SESSION])?;
    for (path, bytes) in left.iter().zip(before) {
        fs::write(path, bytes)?;
    }
    fs::OpenOptions::new().append(true).open(&path)?.write_all(TITLE)?;
    story.ann.json(&["push", SESSION])?;
    // With nothing to go on from, all is read: it is what the server has.
    fs::remove_file(folder.join("capture.json"))?;
    assert_eq!(story.ann.json(&["push", SESSION])?["unchanged"], true);
    Ok(())
}

#[test]
fn an_existing_session_is_never_overwritten() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let session = story.pull(&story.hand_over(SESSION, &[])?)?;
    let folder = story.ben.home().join(".claude/projects/-elsewhere");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{SESSION}.jsonl")), "{\"mine\":true}\n")?;
    let resumed = story.ben.json(&["resume", &session, "--project", ".", "--print"])?;
    assert_ne!(id(&resumed, "native_id")?, SESSION);
    assert_eq!(fs::read_to_string(folder.join(format!("{SESSION}.jsonl")))?, "{\"mine\":true}\n");
    Ok(())
}

#[test]
fn a_missing_directory_falls_back_with_the_two_line_warning() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let (path, gone) = (transcript(&story.ann.home()), root.path().join("gone"));
    let gone = gone.display();
    fs::write(&path, fs::read_to_string(&path)?.replace("/home/coder/emms/sdk", &gone.to_string()))?;
    let session = story.pull(&story.hand_over(SESSION, &[])?)?;
    let ran = story.ben.run(&["resume", &session, "--print"])?;
    let here = story.ben.work();
    let warning =
        format!("Warning: Original path {gone} not found.\nResuming in current directory: {}\n", here.display());
    assert!(ran.stderr.contains(&warning), "{}", ran.stderr);
    assert_eq!(ran.stdout.trim(), format!("cd {} && claude --resume {SESSION}", here.display()));
    Ok(())
}

#[test]
fn nobody_else_can_pull() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let handoff = story.hand_over(SESSION, &[])?;
    let cy = Person::new(&root.path().join("cy"))?;
    invite(&story.ann, &cy, "cy@example.com")?;
    let unknown = cy.run(&["pull-handoff", "hnd_00000000000000000000000000"])?;
    let strangers = cy.run(&["pull-handoff", &handoff])?;
    assert_eq!((strangers.code, strangers.stderr), (4, unknown.stderr), "existence is hidden");
    let senders = story.ann.run(&["pull-handoff", &handoff])?;
    assert_eq!(senders.code, 4, "{}", senders.stderr);
    story.pull(&handoff).map(drop)
}

#[test]
fn ben_hands_on_to_cy_and_the_author_stays() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let session = story.pull(&story.hand_over(SESSION, &[])?)?;
    let cy = Person::new(&root.path().join("cy"))?;
    invite(&story.ann, &cy, "cy@example.com")?;
    let handoff = id(&story.ben.json(&["handoff", &session, "--to", "cy@example.com"])?, "handoff_id")?;
    let pulled = cy.json(&["pull-handoff", &handoff])?;
    assert_eq!(pulled["author_id"], story.ann.json(&["whoami"])?["user_id"]);
    assert_eq!(pulled["sender"], BEN);
    Ok(())
}

#[test]
fn a_title_cannot_reach_the_terminal_raw() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let mut session = fs::read(transcript(&story.ann.home()))?;
    session.extend_from_slice(
        b"{\"type\":\"custom-title\",\"customTitle\":\"\\u001b]0;owned\\u0007\\u202etitle\",\"sessionId\":\"x\"}\n",
    );
    fs::write(transcript(&story.ann.home()), session)?;
    let handoff = story.hand_over(SESSION, &["--message", "\u{1b}[2Jgone\u{202e}"])?;
    let pulled = story.ben.run(&["pull-handoff", &handoff])?;
    let mut shown = pulled.stdout + &pulled.stderr;
    for arguments in [&["handoffs", "inbox"][..], &["handoffs", "get", &handoff], &["list"], &["show", &handoff]] {
        let ran = story.ben.run(arguments)?;
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        shown += &(ran.stdout + &ran.stderr);
    }
    assert!(shown.contains("title"), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
    Ok(())
}

#[test]
fn the_clients_files_are_for_their_owner_only() -> Result<()> {
    fn check(path: &Path) -> Result<()> {
        let metadata = fs::symlink_metadata(path)?;
        assert_eq!(metadata.permissions().mode() & 0o077, 0, "{}", path.display());
        if metadata.is_dir() {
            for entry in fs::read_dir(path)? {
                check(&entry?.path())?;
            }
        }
        Ok(())
    }
    let root = TempDir::new()?;
    let story = begin(&root)?;
    story.pull(&story.hand_over(SESSION, &[])?)?;
    check(&story.ann.segue_home())?;
    check(&story.ben.segue_home())?;
    fs::set_permissions(story.ben.segue_home(), fs::Permissions::from_mode(0o755))?;
    let told = story.ben.run(&["doctor"])?;
    assert!(told.code == 1 && told.stdout.contains("chmod 700"), "{}", told.stdout);
    Ok(())
}

#[test]
fn a_join_takes_its_link_from_standard_input() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let link = id(&story.ann.json(&["invite", "cy@example.com"])?, "link")?;
    let cy = Person::new(&root.path().join("cy"))?;
    let link_file = root.path().join("link");
    fs::write(&link_file, format!("{link}\n"))?;
    let output = cy.command(&["join", "--json"])?.stdin(fs::File::open(link_file)?).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let handed = story.ann.json(&["handoff", SESSION, "--to", "cy@example.com"])?;
    assert_eq!(handed["joined"], false, "an address that nobody vouched for is nobody's");
    let refused = cy.run(&["pull-handoff", &id(&handed, "handoff_id")?])?;
    assert_eq!(refused.code, 4, "and receives nothing: {}", refused.stderr);
    let again = Person::new(&root.path().join("dee"))?.run(&["join", &link])?;
    assert_eq!(again.code, 10, "a link is used once: {}", again.stderr);
    Ok(())
}

#[test]
fn mistakes_have_their_own_exit_codes() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let nobody = Person::new(&root.path().join("nobody"))?;
    for (person, arguments, code) in [
        (&nobody, &["whoami"][..], 3),
        (&nobody, &["list"], 0),
        (&nobody, &["frobnicate"], 2),
        (&story.ann, &["push", "no-such-session"], 4),
        (&story.ann, &["handoff", SESSION], 2),
        (&story.ann, &["handoff", SESSION, "--to", BEN, "--private", "--message", "x"], 2),
        (&story.ann, &["handoff", SESSION, "--to-user-id", "usr_00000000000000000000000000"], 4),
        (&story.ann, &["handoff", SESSION, "--to", BEN, "--expires-hours", "0"], 2),
        (&story.ann, &["pull-handoff", "not-an-id"], 4),
        (&story.ann, &["join", story.server.url()], 5),
        (&story.ann, &["doctor"], 0),
    ] {
        let ran = person.run(arguments)?;
        assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        assert!(code == 0 || ran.stderr.lines().count() >= 2, "what to do next: {arguments:?}: {}", ran.stderr);
    }
    // Who was told of a handoff and types that word means to take it.
    let told = "hnd_00000000000000000000000000";
    let redirected = story.ben.run(&["handoff", told])?;
    assert!(redirected.stderr.contains(&format!("segue pull-handoff {told}")), "{}", redirected.stderr);
    assert_eq!(redirected.code, 2);
    story.server.kill()?;
    let ran = story.ann.run(&["whoami", "--json"])?;
    let problem: serde_json::Value = serde_json::from_str(ran.stderr.lines().last().context("no error")?)?;
    assert_eq!((ran.code, &problem["error"]["code"]), (6, &"unreachable".into()));
    Ok(())
}
