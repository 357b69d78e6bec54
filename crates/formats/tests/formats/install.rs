//! Installing what others send: taken ids, hostile names, torn files, permission modes.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use crate::scene::{FRESH, Scene};
use segue_formats::{ClaudeCode, Format as _, Header, InstallError, Naming, SkipReason};

const ID: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
const COMPACTED: &str = "6af582ae-93ce-4653-b18f-17d1775eca38";
const PLAIN: &str = "be4fb303-eea5-4800-94ba-9452b150c3ec";
const OTHER: &str = "88888888-2222-4333-8444-555555555555";

/// A receiver, and a bundle for him.
fn received(version: &str, id: &str) -> (Scene, PathBuf, Header, Scene) {
    let sender = Scene::recorded(version);
    let (captured, _) = sender.capture(id);
    let bundle = sender.bundle(&captured);
    (Scene::empty(), bundle, captured.header, sender)
}

#[test]
fn a_second_install_finds_the_first() {
    let (receiver, bundle, header, _sender) = received("2.1.197", ID);
    let first = receiver.install(&bundle, &header).unwrap();
    let files = receiver.files();
    let second = receiver.install(&bundle, &header).unwrap();
    assert!(!first.already && second.already && second.files.is_empty());
    assert_eq!((second.native_id, second.native_path), (first.native_id, first.native_path));
    assert!(receiver.files() == files);
}

#[test]
fn what_is_not_wanted_when_it_is_ready_leaves_nothing() {
    let (receiver, bundle, header, _sender) = received("2.1.197", ID);
    let before = receiver.files();
    let install = |wanted: &dyn Fn() -> bool| {
        ClaudeCode.install_if(&receiver.env(), &bundle, &header, &receiver.cwd(), Naming::OwnOr(FRESH), wanted)
    };
    let asked = Cell::new(0);
    let refused = install(&|| {
        asked.set(asked.get() + 1);
        assert!(!receiver.files().iter().any(|(path, _)| path.ends_with(format!("{ID}.jsonl"))));
        false
    });
    assert!(matches!(refused, Err(InstallError::NotWanted)) && asked.get() == 1);
    assert!(receiver.files() == before);
    assert_eq!(install(&|| true).unwrap().native_id, ID);
}

#[test]
fn a_session_of_its_own_stands_beside_the_very_same() {
    let (receiver, bundle, header, _sender) = received("2.1.197", ID);
    let first = receiver.install(&bundle, &header).unwrap();
    let before = fs::read(&first.native_path).unwrap();
    let fork = ClaudeCode
        .install_if(&receiver.env(), &bundle, &header, &receiver.cwd(), Naming::Fresh(FRESH), &|| true)
        .unwrap();
    assert!(fork.native_id == FRESH && fork.renamed && !fork.already);
    assert!(fs::read(&first.native_path).unwrap() == before && fork.native_path != first.native_path);
}

#[test]
fn a_taken_id_is_left_alone_and_the_fresh_one_used_throughout() {
    for same_project in [true, false] {
        let (receiver, bundle, header, _sender) = received("2.1.197", ID);
        let first = receiver.install(&bundle, &header).unwrap();
        let mut taken = first.native_path.clone();
        fs::write(&taken, fs::read_to_string(&taken).unwrap() + "{\"type\":\"mode\"}\n").unwrap();
        if !same_project {
            let elsewhere = receiver.project("-elsewhere");
            fs::create_dir_all(&elsewhere).unwrap();
            fs::rename(&taken, elsewhere.join(taken.file_name().unwrap())).unwrap();
            taken = elsewhere.join(taken.file_name().unwrap());
        }
        let before = fs::read(&taken).unwrap();
        let second = receiver.install(&bundle, &header).unwrap();
        assert!(second.renamed && second.native_id == FRESH && fs::read(&taken).unwrap() == before);
        let text = fs::read_to_string(&second.native_path).unwrap();
        assert!(!text.contains(ID) && text.contains(&format!("/{FRESH}/tool-results/bdpb0567q.txt")));
        let sent = fs::read_to_string(bundle.join("session.jsonl")).unwrap();
        let here = receiver.own_spill_dir(FRESH);
        let there =
            "/home/coder/.claude/projects/-home-coder-emms-sdk/60fd7404-3e8f-43d7-a6d0-56fe9768814d/tool-results";
        assert!(text == sent.replace(there, &here).replace(ID, FRESH));
        let (again, _) = receiver.capture(FRESH);
        assert_eq!(again.files.len(), 5);
        let agent = fs::read_to_string(&again.files[2].source).unwrap();
        assert!(!agent.contains(ID) && agent.contains(FRESH));
    }
}

#[test]
fn two_taken_ids_are_an_error_and_change_nothing() {
    let (receiver, bundle, header, _sender) = received("2.1.197", PLAIN);
    for id in [PLAIN, FRESH] {
        let project = receiver.project("-elsewhere");
        fs::create_dir_all(&project).unwrap();
        fs::write(project.join(format!("{id}.jsonl")), "{}\n").unwrap();
    }
    let files = receiver.files();
    assert!(matches!(receiver.install(&bundle, &header), Err(InstallError::IdTaken)));
    assert!(receiver.files() == files);
}

#[test]
fn hostile_ids_are_refused_before_anything_is_made() {
    let (receiver, bundle, header, _sender) = received("2.1.197", ID);
    for id in ["../../../../../../../../../../tmp/xxxxxx", "", "60FD7404-3E8F-43D7-A6D0-56FE9768814D"] {
        let header = Header { native_id: id.to_owned(), ..header.clone() };
        assert!(matches!(receiver.install(&bundle, &header), Err(InstallError::BadId)), "{id}");
    }
    assert!(receiver.files().is_empty());
}

#[test]
#[cfg(unix)]
fn hostile_files_are_left_out() {
    let (receiver, bundle, header, _sender) = received("2.1.197", ID);
    let secret = receiver.cwd().join("secret");
    fs::write(&secret, "secret").unwrap();
    std::os::unix::fs::symlink(&secret, bundle.join("tool-results/link.txt")).unwrap();
    fs::create_dir(bundle.join("tool-results/folder")).unwrap();
    fs::write(bundle.join("subagents/evil.sh"), "x").unwrap();
    fs::write(bundle.join("tasks/.lock"), "x").unwrap();
    fs::create_dir(bundle.join("todos")).unwrap();
    fs::write(bundle.join("todos/settings.json"), "x").unwrap();
    fs::create_dir(bundle.join("hooks")).unwrap();
    fs::write(bundle.join("hooks/run.sh"), "x").unwrap();
    let installed = receiver.install(&bundle, &header).unwrap();
    let mut reasons: Vec<_> = installed
        .skipped
        .iter()
        .map(|skipped| (skipped.path.file_name().unwrap().to_str().unwrap(), skipped.reason))
        .collect();
    reasons.sort_by_key(|(name, _)| *name);
    let expected = [
        (".lock", SkipReason::Name),
        ("evil.sh", SkipReason::Name),
        ("folder", SkipReason::NotAFile),
        ("link.txt", SkipReason::NotAFile),
        ("settings.json", SkipReason::Name),
    ];
    assert_eq!(reasons, expected);
    assert_eq!(receiver.files().len(), 5);
}

#[test]
#[cfg(unix)]
fn capture_follows_no_links() {
    let sender = Scene::recorded("2.1.197");
    let own = sender.project("-home-coder-emms-sdk").join(ID);
    std::os::unix::fs::symlink("/etc/passwd", own.join("tool-results/passwd.txt")).unwrap();
    fs::remove_dir_all(own.join("subagents")).unwrap();
    std::os::unix::fs::symlink("/etc", own.join("subagents")).unwrap();
    let (captured, _) = sender.capture(ID);
    let paths: Vec<_> = captured.files.iter().map(|file| file.bundle_path.as_str()).collect();
    assert_eq!(paths, ["native/session.jsonl", "native/tool-results/bdpb0567q.txt", "native/tasks/1.json"]);
    assert_eq!(captured.skipped.len(), 1);
}

#[test]
#[cfg(unix)]
fn only_the_user_may_read_what_is_installed() {
    use std::os::unix::fs::PermissionsExt;
    let (receiver, bundle, header, _sender) = received("2.1.197", ID);
    let installed = receiver.install(&bundle, &header).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (path, _) in receiver.files() {
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700), "{}", path.display());
    }
    assert_eq!(installed.files.len(), 3);
}

#[test]
fn a_mode_that_asks_less_is_reset_and_nothing_else() {
    let (receiver, bundle, header, _sender) = received("2.1.197-tui-compact-rename", COMPACTED);
    let path = bundle.join("session.jsonl");
    let sent = fs::read_to_string(&path).unwrap();
    let line = format!(r#"{{"type":"permission-mode","permissionMode":"acceptEdits","sessionId":"{COMPACTED}"}}"#);
    fs::write(&path, format!("{sent}{line}\n")).unwrap();
    let installed = receiver.install(&bundle, &header).unwrap();
    assert_eq!(installed.reset_permission_modes, 1);
    assert!(
        fs::read_to_string(&installed.native_path).unwrap()
            == format!("{sent}{}\n", line.replace("acceptEdits", "default"))
    );
}

#[test]
fn a_torn_session_is_installed_without_the_rubble() {
    let (receiver, bundle, header, sender) = received("2.1.197", PLAIN);
    let path = bundle.join("session.jsonl");
    let sent = fs::read(&path).unwrap();
    fs::write(&path, &sent[..sent.len() - 30]).unwrap();
    let installed = receiver.install(&bundle, &header).unwrap();
    assert_eq!((installed.torn.kept, installed.torn.total), (15, 1));
    let native = sender.project("-home-coder-emms-sdk").join(format!("{PLAIN}.jsonl"));
    fs::write(&native, &sent[..sent.len() - 30]).unwrap();
    let (captured, _) = sender.capture(PLAIN);
    assert_eq!(captured.torn, installed.torn);
    fs::write(&path, "rubble\n").unwrap();
    assert!(matches!(Scene::empty().install(&bundle, &header), Err(InstallError::Empty)));
}

#[test]
fn old_subagents_travel_with_their_session_only() {
    let sender = Scene::recorded("2.1.50");
    let id = "aef0dec8-0b7d-40f6-929a-ae53b3d44ba2";
    let project = sender.project("-home-coder-emms-sdk");
    let agent = fs::read_to_string(project.join(id).join("subagents/agent-a961b6e8d1be34b9d.jsonl")).unwrap();
    fs::write(project.join("agent-a961b6e.jsonl"), &agent).unwrap();
    fs::write(project.join("agent-b000000.jsonl"), agent.replace(id, OTHER)).unwrap();
    let (captured, _) = sender.capture(id);
    let paths: Vec<_> = captured.files.iter().map(|file| file.bundle_path.as_str()).collect();
    assert!(paths.contains(&"native/agents/agent-a961b6e.jsonl") && !paths.iter().any(|path| path.contains("b000000")));
    let receiver = Scene::empty();
    let bundle = sender.bundle(&captured);
    let installed = receiver.install(&bundle, &captured.header).unwrap();
    let target = installed.native_path.with_file_name("agent-a961b6e.jsonl");
    assert!(fs::read_to_string(&target).unwrap() == agent);
    fs::write(&target, "mine").unwrap();
    fs::write(&installed.native_path, "{}\n").unwrap();
    let again = receiver.install(&bundle, &captured.header).unwrap();
    assert!(again.renamed && again.skipped.iter().any(|skipped| skipped.reason == SkipReason::Exists));
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    assert!(receiver.files().iter().any(|(path, _)| path.ends_with(format!("todos/{FRESH}-agent-{FRESH}.json"))));
}

#[test]
fn a_transcript_must_be_a_file_of_a_bounded_length() {
    let (receiver, bundle, header, _sender) = received("2.1.197", PLAIN);
    let path = bundle.join("session.jsonl");
    fs::File::options().write(true).open(&path).unwrap().set_len(5 << 30).unwrap();
    assert!(matches!(receiver.install(&bundle, &header), Err(InstallError::TooLarge)));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(receiver.install(&bundle, &header), Err(InstallError::NoTranscript)));
    assert!(receiver.files().is_empty());
}

/// As when an install is killed between putting two parts in place: the mark is there, the transcript is not.
#[test]
fn what_a_killed_install_left_is_taken_away_and_its_id_is_free() {
    let (receiver, bundle, header, _sender) = received("2.1.197", ID);
    let first = receiver.install(&bundle, &header).unwrap();
    let (whole, project) = (receiver.files(), first.native_path.parent().unwrap());
    let again = |mark: &str| {
        fs::remove_file(&first.native_path).unwrap();
        fs::write(project.join(mark), "").unwrap();
        fs::create_dir(receiver.project("-elsewhere")).unwrap();
        fs::create_dir(receiver.project("-elsewhere").join(".segue-left")).unwrap();
        let again = receiver.install(&bundle, &header).unwrap();
        fs::remove_dir(receiver.project("-elsewhere")).unwrap();
        again
    };
    let second = again(&format!(".segue-{ID}.left"));
    assert!(!second.renamed && receiver.files() == whole);
    // Without a mark, the files of that id are somebody's.
    let third = again(".segue-left");
    assert!(third.renamed && third.native_id == FRESH);
    // A mark beside its transcript is of an install that was done.
    fs::write(project.join(format!(".segue-{FRESH}.left")), "").unwrap();
    let files = receiver.files();
    assert!(receiver.install(&bundle, &header).unwrap().already);
    assert_eq!(receiver.files().len(), files.len() - 1);
}
