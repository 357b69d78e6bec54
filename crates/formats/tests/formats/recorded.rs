//! Recorded sessions of Claude Code: what is read from each, and that each comes out as it went in.

use std::fs;

use crate::scene::{FRESH, Scene, view_text};
use segue_formats::{ClaudeCode, Env, Format, Found};

/// Every recorded session: its version, its id, and files beside the transcript.
pub(crate) const RECORDED: [(&str, &str, &[&str]); 6] = [
    (
        "2.1.197",
        "60fd7404-3e8f-43d7-a6d0-56fe9768814d",
        &[
            "native/tool-results/bdpb0567q.txt",
            "native/subagents/agent-a72eb70a2bf554ba2.jsonl",
            "native/subagents/agent-a72eb70a2bf554ba2.meta.json",
            "native/tasks/1.json",
        ],
    ),
    ("2.1.197", "be4fb303-eea5-4800-94ba-9452b150c3ec", &[]),
    ("2.1.197-tui-compact-rename", "6af582ae-93ce-4653-b18f-17d1775eca38", &[]),
    ("2.1.197-parallel", "f4fbc252-f741-4d90-a864-7442af4313b8", &[]),
    (
        "2.1.50",
        "aef0dec8-0b7d-40f6-929a-ae53b3d44ba2",
        &[
            "native/subagents/agent-a961b6e8d1be34b9d.jsonl",
            "native/todos/aef0dec8-0b7d-40f6-929a-ae53b3d44ba2-agent-aef0dec8-0b7d-40f6-929a-ae53b3d44ba2.json",
        ],
    ),
    (
        "2.0.76",
        "55d76dd0-5b45-4743-8453-afc4b97ff240",
        &[
            "native/agents/agent-a7efae8.jsonl",
            "native/agents/agent-aa6df5a.jsonl",
            "native/todos/55d76dd0-5b45-4743-8453-afc4b97ff240-agent-55d76dd0-5b45-4743-8453-afc4b97ff240.json",
        ],
    ),
];

#[test]
fn reads_every_recorded_session() {
    for (version, id, beside) in RECORDED {
        let scene = Scene::recorded(version);
        let (captured, view) = scene.capture(id);
        let paths: Vec<&str> = captured.files[1..].iter().map(|file| file.bundle_path.as_str()).collect();
        assert_eq!(paths, beside, "{id}");
        assert!(captured.skipped.is_empty() && captured.torn.is_intact(), "{id}");
        let name = format!("{version}-{}", &id[..8]);
        insta::assert_json_snapshot!(format!("{name}-header"), captured.header);
        insta::assert_snapshot!(format!("{name}-summary"), captured.summary.to_json_bounded());
        insta::assert_snapshot!(format!("{name}-view"), view_text(&view));
        insta::assert_snapshot!(format!("{name}-lines"), String::from_utf8(view).unwrap());
    }
}

#[test]
fn every_recorded_session_comes_out_as_it_went_in() {
    for (version, id, _) in RECORDED {
        let (sender, receiver) = (Scene::recorded(version), Scene::empty());
        let (captured, view) = sender.capture(id);
        let installed = receiver.install(&sender.bundle(&captured), &captured.header).unwrap();
        assert!(!installed.renamed && !installed.already && installed.torn.is_intact(), "{id}");
        assert_eq!(installed.reset_permission_modes, 0);
        let sent = fs::read_to_string(&captured.files[0].source).unwrap();
        let old = format!("/home/coder/.claude/projects/-home-coder-emms-sdk/{id}/tool-results");
        let new = receiver.own_spill_dir(id);
        let expected = sent.replace(&format!("{old}/bdpb"), &format!("{new}/bdpb"));
        assert!(fs::read_to_string(&installed.native_path).unwrap() == expected, "{id}");
        let (again, second_view) = receiver.capture(id);
        if sent == expected {
            assert!(view == second_view, "{id}");
        }
        assert_eq!(again.files.len(), captured.files.len());
        for (one, other) in captured.files[1..].iter().zip(&again.files[1..]) {
            assert_eq!(one.bundle_path, other.bundle_path);
            assert!(fs::read(&one.source).unwrap() == fs::read(&other.source).unwrap(), "{}", one.bundle_path);
        }
    }
}

fn listed(env: &Env) -> Vec<Found> {
    ClaudeCode.discover(env).unwrap().collect()
}

#[test]
fn finds_by_the_beginning_of_an_id() {
    let scene = Scene::recorded("2.1.197");
    let env = scene.env();
    let found = |beginning| {
        let found = ClaudeCode.find_beginning(&env, beginning).unwrap();
        found.into_iter().map(|found| found.native_id).collect::<Vec<_>>()
    };
    assert_eq!(found("60fd"), ["60fd7404-3e8f-43d7-a6d0-56fe9768814d"]);
    assert_eq!(found(""), listed(&env).into_iter().map(|found| found.native_id).collect::<Vec<_>>());
    assert!(found("60fe").is_empty() && found("../").is_empty());
}

#[test]
fn lists_what_is_there() {
    let found = listed(&Scene::recorded("2.1.197-tui-compact-rename").env());
    let titles: Vec<_> = found.iter().map(|found| (found.title.as_deref(), found.cwd.as_deref())).collect();
    assert_eq!(titles, [(Some("compacted one"), Some("/home/coder/emms/sdk".as_ref()))]);
    assert!(listed(&Scene::empty().env()).is_empty());
}

#[test]
fn looks_where_it_is_told() {
    let scene = Scene::recorded("2.1.50");
    let elsewhere = Env { home: "/nowhere".into(), claude_config_dir: Some(scene.env().home.join(".claude")) };
    assert_eq!(listed(&elsewhere), listed(&scene.env()));
    assert_eq!(listed(&elsewhere).len(), 1);
}

#[test]
fn empty_files_agents_and_links_are_no_sessions() {
    let scene = Scene::recorded("2.1.50");
    let project = scene.project("-home-coder-emms-sdk");
    let id = RECORDED[4].1;
    fs::write(project.join(format!("{FRESH}.jsonl")), "").unwrap();
    let untitled = r#"{"type":"mode","mode":"normal","sessionId":"x"}"#;
    fs::write(project.join("22222222-2222-4333-8444-555555555555.jsonl"), untitled).unwrap();
    fs::copy(project.join(format!("{id}.jsonl")), project.join("agent-a961b6e.jsonl")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(
        project.join(format!("{id}.jsonl")),
        project.join("33333333-2222-4333-8444-555555555555.jsonl"),
    )
    .unwrap();
    let ids: Vec<_> = listed(&scene.env()).into_iter().map(|found| found.native_id).collect();
    assert_eq!(ids, [id]);
    assert!(ClaudeCode.find(&scene.env(), FRESH).unwrap().is_none());
    assert!(ClaudeCode.find(&scene.env(), "../../x").unwrap().is_none());
}

#[test]
fn resumes_by_id_in_the_real_directory() {
    let (sender, receiver) = (Scene::recorded("2.1.50"), Scene::empty());
    let (captured, _) = sender.capture(RECORDED[4].1);
    let installed = receiver.install(&sender.bundle(&captured), &captured.header).unwrap();
    let command = ClaudeCode.resume_command(&installed);
    assert_eq!(
        (command.program.as_str(), command.args),
        ("claude", vec!["--resume".to_owned(), RECORDED[4].1.to_owned()])
    );
    assert_eq!(command.cwd, fs::canonicalize(receiver.cwd()).unwrap());
}

#[test]
fn the_view_grows_as_the_session_grows() {
    for (version, id, _) in RECORDED {
        let scene = Scene::recorded(version);
        let path = scene.project("-home-coder-emms-sdk").join(format!("{id}.jsonl"));
        let whole = fs::read_to_string(&path).unwrap();
        let (_, last) = scene.capture(id);
        let mut before = Vec::new();
        let mut text = String::new();
        for line in whole.split_inclusive('\n') {
            text.push_str(line);
            fs::write(&path, &text).unwrap();
            if ClaudeCode.find(&scene.env(), id).unwrap().is_none() {
                continue;
            }
            let (_, view) = scene.capture(id);
            assert!(view.starts_with(&before) || line.contains("compact_boundary"), "{id}: {line}");
            before = view;
        }
        assert!(before == last);
    }
}
