//! Slips of people who move a chat: a wrong folder, a change of mind, a code with an editor's marks, a damaged note.

use std::{
    fs,
    io::{Read as _, Write as _},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use segue_e2e::story::id;
use tempfile::TempDir;

use crate::device::{Scene, enter, entered};

#[test]
fn a_folder_that_is_none_is_refused_before_the_code_is_used_up() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let mut showing = scene.show(&[])?;
    let code = showing.code()?;
    let other = scene.other.clone().with("SEGUE_DEVICE_CODE", &code);
    let refused = other.run(&["device", "claim", "--yes", "--project", "nowhere", "--server", scene.url()])?;
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let claim = enter(&scene.other, &code, &["--yes", "--server", scene.url()]);
    showing.approve()?;
    showing.until("ready")?;
    assert_eq!(entered(claim)?.code, 0);
    Ok(())
}

/// Who looks at what came and presses Ctrl-C has declined it: the other device hears so, and has the chat back.
#[test]
fn who_is_asked_and_ends_the_command_has_declined() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let mut showing = scene.show(&[])?;
    let other = scene.other.clone().with("SEGUE_DEVICE_CODE", showing.code()?);
    let claim = other.command(&["device", "claim", "--server", scene.url(), "--project", ".", "--print"])?;
    let words: Vec<_> =
        [claim.get_program()].into_iter().chain(claim.get_args()).map(|word| word.to_string_lossy()).collect();
    // A terminal of its own, as a person has.
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]).current_dir(scene.other.work());
    terminal.env_clear().envs(claim.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut terminal = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (mut keys, mut screen) =
        (terminal.stdin.take().context("no keys")?, terminal.stdout.take().context("no screen")?);
    showing.approve()?;
    let (mut shown, mut piece) = (String::new(), [0; 4096]);
    while !shown.contains("Continue this chat here?") {
        let read = screen.read(&mut piece)?;
        anyhow::ensure!(read > 0, "it ended before it asked: {shown}");
        shown.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    keys.write_all(b"\x03")?;
    screen.read_to_string(&mut shown)?;
    assert_eq!(terminal.wait()?.code(), Some(130), "{shown}");
    let source = showing.end()?;
    assert!(source.code == 10 && source.stderr.contains("not_taken"), "{}", source.stderr);
    assert!(!scene.other.segue_home().join("claiming").exists());
    Ok(())
}

#[test]
fn a_code_is_read_behind_the_marks_that_an_editor_leaves() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let mut showing = scene.show(&[])?;
    let text = format!("\u{feff}\r\n\n  {}\r\n", showing.code()?);
    let mut claim =
        scene.other.command(&["device", "claim", "--yes", "--project", ".", "--print", "--server", scene.url()])?;
    let mut claim = claim.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    claim.stdin.take().context("no standard input")?.write_all(text.as_bytes())?;
    showing.approve()?;
    showing.until("ready")?;
    let ended = claim.wait_with_output()?;
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    Ok(())
}

/// It is said, and keeps nobody from the other chats.
#[test]
fn a_damaged_note_is_told_and_the_others_are_as_before() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let ann = &scene.story.ann;
    let mut showing = scene.show(&[])?;
    let claim = enter(&scene.other, &showing.code()?, &["--yes", "--server", scene.url()]);
    showing.approve()?;
    let session = id(&showing.until("ready")?, "session_id")?;
    assert_eq!(entered(claim)?.code, 0);
    assert_eq!(ann.run(&["doctor"])?.code, 0);
    for folder in ["moved", "arrived", "claiming"] {
        let note = ann.segue_home().join(folder).join("ses_damaged.json");
        fs::create_dir_all(note.parent().context("a note lies in a folder")?)?;
        fs::write(&note, "{\"v\":1")?;
        let status = ann.run(&["device", "status"])?;
        assert!(status.code == 0 && status.stderr.contains("ses_damaged.json"), "{folder}: {}", status.stderr);
        assert!(status.stdout.starts_with(&format!("{session}  is held by “")), "{}", status.stdout);
        let doctor = ann.run(&["doctor"])?;
        assert!(doctor.code == 1 && doctor.stdout.contains("FAIL notes"), "{folder}: {}", doctor.stdout);
        fs::remove_file(note)?;
    }
    ann.json(&["device", "take-back", &session])?;
    Ok(())
}
