//! Slips of people who move a chat: a wrong folder, a change of mind, a code with an editor's marks, a damaged note.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    fault::{Random, signal},
    native::Native,
    person::Person,
    showing::Showing,
    story::id,
    terminal::Terminal,
};
use tempfile::TempDir;

use crate::device::{SESSION, Scene, enter, entered, go, resumed};

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

/// How a person, or their machine, ends a command that has asked them something.
#[derive(Debug, Clone, Copy)]
enum End {
    CtrlC,
    Word(&'static str),
    ClosedTerminal,
}

/// Who looks at what came and ends the command has declined it: the other device hears so, and has the chat back.
#[test]
fn who_is_asked_and_ends_the_command_has_declined() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    for end in [End::CtrlC, End::Word("TERM"), End::Word("HUP"), End::ClosedTerminal] {
        let mut showing = scene.show(&[])?;
        let other = scene.other.clone().with("SEGUE_DEVICE_CODE", showing.code()?);
        let mut terminal =
            Terminal::start(&other, &["device", "claim", "--server", scene.url(), "--project", ".", "--print"])?;
        showing.approve()?;
        terminal.until("Continue this chat here?")?;
        match end {
            End::CtrlC => terminal.press(b"\x03")?,
            End::ClosedTerminal => terminal.close()?,
            End::Word(word) => signal(word, terminal.process()?)?,
        }
        let source = showing.end()?;
        ensure!(source.code == 10 && source.stderr.contains("not_taken"), "{end:?}: {}", source.stderr);
        terminal.end()?;
        assert!(!scene.other.segue_home().join("claiming").exists());
        scene.story.ann.json(&["device", "take-back", SESSION])?;
    }
    Ok(())
}

/// The other device is told that a chat is there when it is where its tool finds it, or ready to be, and not before.
#[test]
fn a_chat_that_cannot_be_put_in_place_is_not_called_ready_and_goes_on() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let in_the_way = scene.other.home().join(".claude/projects");
    fs::create_dir_all(scene.other.home().join(".claude"))?;
    fs::write(&in_the_way, "")?;
    let mut showing = scene.show(&[])?;
    let claim = enter(&scene.other, &showing.code()?, &["--yes", "--server", scene.url()]);
    showing.approve()?;
    let again = || scene.other.run(&["--json", "device", "claim", "--yes", "--project", ".", "--print", "--no-input"]);
    for ended in [entered(claim)?, again()?] {
        assert_eq!(ended.code, 1, "{}", ended.stderr);
        assert!(ended.stderr.contains("segue device claim goes on"), "{}", ended.stderr);
    }
    fs::remove_file(in_the_way)?;
    let ended = again()?;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    showing.until("ready")?;
    assert!(fs::exists(resumed(&ended)?)?);
    Ok(())
}

/// Whoever goes on with what the other device has back meanwhile hears just that.
#[test]
fn what_was_taken_back_before_it_was_put_in_place_stays_there() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    fs::create_dir_all(scene.other.home().join(".claude"))?;
    fs::write(scene.other.home().join(".claude/projects"), "in the way")?;
    let mut showing = scene.show(&[])?;
    let claim = enter(&scene.other, &showing.code()?, &["--yes", "--server", scene.url()]);
    showing.approve()?;
    assert_eq!(entered(claim)?.code, 1);
    showing.kill()?;
    scene.story.ann.json(&["device", "take-back", SESSION])?;
    fs::remove_file(scene.other.home().join(".claude/projects"))?;
    let ended = scene.other.run(&["--json", "device", "claim", "--project", ".", "--print", "--no-input"])?;
    assert_eq!((ended.code, ended.stderr.contains("\"taken_back\"")), (10, true), "{}", ended.stderr);
    assert!(!scene.other.segue_home().join("claiming").read_dir()?.any(|_| true));
    Ok(())
}

/// As everywhere, what was started to outlive its terminal does, and Ctrl-C still ends it.
#[test]
fn what_is_started_with_nohup_outlives_its_terminal() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let ann = scene.story.ann.under(vec!["nohup".into()]);
    let mut showing = Showing::start(&ann, &[SESSION])?;
    let code = showing.code()?;
    signal("HUP", showing.process())?;
    let claim = enter(&scene.other, &code, &["--yes", "--server", scene.url()]);
    showing.approve()?;
    showing.until("ready")?;
    assert_eq!((entered(claim)?.code, showing.end()?.code), (0, 0));
    scene.story.ann.json(&["device", "take-back", SESSION])?;
    let mut showing = Showing::start(&ann, &[SESSION])?;
    showing.code()?;
    signal("INT", showing.process())?;
    let ended = showing.end()?;
    assert_eq!((ended.code, ended.stderr.contains("revoked")), (130, true), "{}", ended.stderr);
    Ok(())
}

/// What was taken back is there to be moved again, to the same device too.
#[test]
fn a_chat_moves_to_the_same_device_as_often_as_it_is_taken_back() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let laptop = scene.of_the_account(root.path())?;
    let transcript = scene.story.ann.home().join(format!(".claude/projects/-home-coder-emms-sdk/{SESSION}.jsonl"));
    for words in ["more", "and more"] {
        let line = format!(r#"{{"type":"custom-title","customTitle":"{words}","sessionId":"{SESSION}"}}"#);
        fs::OpenOptions::new().append(true).open(&transcript)?.write_all(format!("{line}\n").as_bytes())?;
        let (session, ran) = go(&scene.story, &laptop, &[])?;
        assert!(fs::read_to_string(resumed(&ran)?)?.contains(words));
        assert_eq!(laptop.run(&["resume", &session, "--print"])?.code, 0);
        scene.story.ann.json(&["device", "take-back", &session])?;
    }
    Ok(())
}

/// A fork is a chat of its own, also where the same chat lies already.
#[test]
fn a_fork_stands_beside_the_same_chat() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let laptop = scene.of_the_account(root.path())?;
    let mut paths = Vec::new();
    for more in [&[][..], &["--fork"], &["--fork"]] {
        let mut showing = scene.show(&[])?;
        let claim = enter(&laptop, &showing.code()?, more);
        let ended = entered(claim)?;
        ensure!(ended.code == 0, "{more:?}: {}", ended.stderr);
        paths.push(resumed(&ended)?);
        drop(showing.end()?);
        scene.story.ann.json(&["device", "fork", SESSION])?;
    }
    let texts: Vec<_> = paths.iter().map(fs::read_to_string).collect::<std::io::Result<_>>()?;
    assert!(
        paths[0] != paths[1]
            && paths[1] != paths[2]
            && texts.iter().all(|text| text.lines().count() == texts[0].lines().count())
    );
    Ok(())
}

/// A chat that is written to while it moves arrives as it was at one moment, whether or not it was pushed before.
#[test]
fn a_chat_that_grows_while_it_moves_arrives_as_far_as_it_came() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let ann = &scene.story.ann;
    let mut random = Random::new(11);
    let mut native = Native::begin(ann, &mut random, 100_000)?;
    let session = native.id().to_owned();
    ann.json(&["push", &session])?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let growing = scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                native.grow(ann, &mut random, 500)?;
                // As slowly as one answers.
                ann.json(&["whoami"])?;
            }
            anyhow::Ok(())
        });
        let moved = (0..3).try_for_each(|_| {
            let mut showing = Showing::start(ann, &[&session, "--now"])?;
            let claim = enter(&scene.other, &showing.code()?, &["--yes", "--server", scene.url()]);
            showing.approve()?;
            let ended = entered(claim)?;
            ensure!(ended.code == 0, "{}", ended.stderr);
            showing.until("ready")?;
            drop(showing.end()?);
            ann.json(&["device", "fork", &session]).map(drop)
        });
        stop.store(true, Ordering::SeqCst);
        growing.join().expect("growing does not panic").and(moved)
    })
}

/// While its code is shown, a chat is as free as before; and what the server has meanwhile is not sent again.
#[test]
fn a_chat_that_is_pushed_while_its_code_is_shown_is_not_pushed_twice() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let ann = &scene.story.ann;
    let native = Native::begin(ann, &mut Random::new(12), 3_000_000)?;
    let mut showing = Showing::start(ann, &[native.id()])?;
    let code = showing.code()?;
    assert_eq!(ann.json(&["push", native.id()])?["seq"], 1);
    let claim = enter(&scene.other, &code, &["--yes", "--server", scene.url()]);
    showing.approve()?;
    showing.until("ready")?;
    assert_eq!(entered(claim)?.code, 0);
    ann.json(&["device", "take-back", native.id()])?;
    assert_eq!(ann.json(&["push", native.id()])?["seq"], 1);
    Ok(())
}

/// A sub-agent that works in the background writes beside the transcript, and nothing into it.
#[test]
fn what_changes_beside_a_chat_while_its_code_is_shown_moves_as_it_is_then() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let ann = &scene.story.ann;
    let claude = |person: &Person| person.home().join(".claude");
    let result = Path::new(SESSION).join("tool-results/bdpb0567q.txt");
    let (log, task) = (Path::new(SESSION).join("subagents/agent-later.jsonl"), Path::new("tasks").join(SESSION));
    let project = claude(ann).join("projects/-home-coder-emms-sdk");
    let later = "{\"type\":\"user\",\"isSidechain\":true,\"message\":{\"role\":\"user\",\"content\":\"later\"}}\n";
    for (file, text) in [
        (project.join(&result), "another result"),
        (claude(ann).join(&task).join("1.json"), "{}"),
        (project.join(&log), later),
    ] {
        let mut showing = scene.show(&[])?;
        let code = showing.code()?;
        // It is read and sealed before these have answered.
        for _ in 0..3 {
            ann.json(&["whoami"])?;
        }
        fs::write(&file, text)?;
        let claim = enter(&scene.other, &code, &["--fork", "--yes", "--server", scene.url()]);
        showing.approve()?;
        let ended = entered(claim)?;
        ensure!(ended.code == 0, "{}", ended.stderr);
        let (there, native_id) = (
            Path::new(&resumed(&ended)?).with_extension(""),
            id(&ended.events()?.pop().context("nothing was said")?, "native_id")?,
        );
        let arrived = match file.strip_prefix(claude(ann).join("tasks").join(SESSION)) {
            Ok(name) => claude(&scene.other).join("tasks").join(native_id).join(name),
            Err(_) => there.join(file.strip_prefix(project.join(SESSION))?),
        };
        assert_eq!(fs::read_to_string(&arrived)?.trim_end(), text.trim_end(), "{}", arrived.display());
        drop(showing.end()?);
        ann.json(&["device", "take-back", SESSION])?;
    }
    Ok(())
}

/// Who still thinks about it when the other device has the chat back hears just that.
#[test]
fn what_was_taken_back_before_it_was_agreed_to_stays_there() -> Result<()> {
    let root = TempDir::new()?;
    let scene = Scene::begin(root.path())?;
    let mut showing = scene.show(&[])?;
    let other = scene.other.clone().with("SEGUE_DEVICE_CODE", showing.code()?);
    let mut terminal =
        Terminal::start(&other, &["device", "claim", "--server", scene.url(), "--project", ".", "--print"])?;
    // Until all of it is there: then it is not heard of any more while a person thinks.
    terminal.until("Waiting")?;
    terminal.stopped(|| {
        showing.approve()?;
        showing.until("claimed")?;
        (0..20).try_for_each(|_| scene.story.ann.json(&["whoami"]).map(drop))
    })?;
    terminal.until("Continue this chat here?")?;
    showing.kill()?;
    scene.story.ann.json(&["device", "take-back", SESSION])?;
    terminal.press(b"y\r")?;
    terminal.until("the other device has the chat back")?;
    terminal.end()
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
    let (session, _) = go(&scene.story, &scene.other, &[])?;
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
    // What is JSON and makes no sense.
    let note = ann.segue_home().join(format!("moved/{session}.json"));
    let text = fs::read_to_string(&note)?;
    fs::write(note.with_file_name("ses_senseless.json"), text.replace("\"par_", "\"xyz_"))?;
    let status = ann.run(&["device", "status"])?;
    assert!(status.code == 0 && status.stderr.contains("is damaged"), "{}", status.stderr);
    assert!(status.stdout.contains("is held by “"), "{}", status.stdout);
    // Where a chat came from is not known any more, which is another thing than that it came from nowhere.
    let status = scene.other.json(&["device", "status"])?;
    let came = id(&status["arrived"][0], "session_id")?;
    fs::write(scene.other.segue_home().join(format!("arrived/{came}.json")), "{")?;
    let returned = scene.other.run(&["device", "return", &came])?;
    assert!(returned.code == 1 && returned.stderr.contains("arrived/"), "{}", returned.stderr);
    let status = scene.other.run(&["device", "status"])?;
    assert!(status.stdout.contains("No note that can be read"), "{}", status.stdout);
    ann.json(&["device", "take-back", &session])?;
    Ok(())
}

#[test]
fn a_machine_that_knows_nobody_has_no_chat_of_another() -> Result<()> {
    let root = TempDir::new()?;
    let status = Person::new(&root.path().join("new"))?.run(&["device", "status"])?;
    assert_eq!((status.code, status.stdout.starts_with("No chat")), (0, true), "{}", status.stderr);
    Ok(())
}
