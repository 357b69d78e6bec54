//! What a handoff refers to, from who gives it to the next session of who takes it (SPEC T2, T6, T15, T16).

use std::fs;

use anyhow::{Context as _, Result};
use segue_e2e::{
    fault::Random,
    native::Native,
    person::{Person, claude_project},
    story::{BEN, Story, id},
};
use serde_json::Value;
use tempfile::TempDir;

/// Ann's project with a ticket, a persona and a page, bound to her directory.
struct Scene {
    story: Story,
    random: Random,
    project: String,
    ticket: String,
}

impl Scene {
    fn set(root: &TempDir) -> Result<Self> {
        let story = Story::begin(root.path())?;
        let ann = &story.ann;
        let made = ann.json(&["project", "create", "SDK", "--git-remote", "git@github.com:acme/sdk.git"])?;
        ann.json(&["project", "use", "SDK"])?;
        let ticket = id(&ann.json(&["ticket", "create", "Fix the parser"])?, "ref_id")?;
        ann.json(&["persona", "create", "reviewer"])?;
        ann.json(&["wiki", "create", "deploy"])?;
        Ok(Self { project: id(&made, "project_id")?, ticket, random: Random::new(7), story })
    }

    fn begin(&mut self, person: &Person) -> Result<String> {
        Ok(Native::begin(person, &mut self.random, 2_000)?.id().to_owned())
    }

    /// Hands a new session of Ann's over, with all that there is.
    fn hand_over(&mut self) -> Result<String> {
        let session = self.begin(&self.story.ann.clone())?;
        let ticket = self.ticket.clone();
        self.story.hand_over(&session, &["--ticket", &ticket, "--persona", "reviewer", "--attach", "wiki_page:deploy"])
    }

    fn tags(&self, pushed: &Value) -> (bool, bool) {
        let own = &pushed["provenance"];
        assert!(own["ticket"].is_null() || own["persona"] == "reviewer", "{pushed}");
        (own["project_id"] == self.project.as_str(), own["ticket"] == self.ticket.as_str())
    }
}

#[test]
fn the_next_new_session_of_the_project_is_tagged_and_no_other() -> Result<()> {
    let root = TempDir::new()?;
    let mut scene = Scene::set(&root)?;
    scene.story.ann.json(&["project", "add", "SDK", BEN])?;
    let ben = scene.story.ben.clone();
    // Known before the pull, so not the next one.
    let older = scene.begin(&ben)?;
    ben.json(&["push", &older])?;
    let handoff = scene.hand_over()?;
    let shown = ben.run(&["handoffs", "get", &handoff])?;
    assert!(shown.stdout.contains(&scene.ticket) && shown.stdout.contains("wiki_page:deploy"), "{}", shown.stdout);
    let pulled = ben.json(&["pull-handoff", &handoff])?;
    assert_eq!((&pulled["dropped"], &pulled["active_ticket"]["project_name"]), (&Value::Array(vec![]), &"SDK".into()));
    let waiting = ben.segue_home().join("active_ticket.json");
    let book: Value = serde_json::from_slice(&fs::read(&waiting)?)?;
    assert_eq!(book["projects"][&scene.project]["ticket_id"], scene.ticket.as_str(), "{book}");
    assert_eq!(ben.json(&["pull-handoff", &handoff])?["session_id"], pulled["session_id"]);

    // The copy has it from the start, and takes nothing from the next; another project's directory is none of its.
    let copy = id(&pulled, "session_id")?;
    let native = ben.json(&["resume", &copy, "--project", ".", "--print"])?;
    assert!(native["native_path"].is_string());
    assert_eq!(scene.tags(&ben.json(&["push", &copy])?), (true, true));
    let elsewhere = scene.begin(&ben)?;
    assert_eq!(scene.tags(&ben.json(&["push", &elsewhere])?), (false, false));
    ben.json(&["project", "use", "SDK"])?;
    assert_eq!(scene.tags(&ben.json(&["push", &older])?), (true, false));

    let next = scene.begin(&ben)?;
    assert_eq!(scene.tags(&ben.json(&["push", &next])?), (true, true));
    assert!(!waiting.exists());
    assert_eq!(scene.tags(&ben.json(&["push", &next])?), (true, true), "it stays so");
    let shown = ben.run(&["show", &next])?;
    for line in [
        format!("project    {}", scene.project),
        format!("ticket     {}", scene.ticket),
        "persona    reviewer".to_owned(),
    ] {
        assert!(shown.stdout.contains(&line), "{line}: {}", shown.stdout);
    }
    assert_eq!(scene.tags(&ben.json(&["show", &next])?), (true, true));
    let after = scene.begin(&ben)?;
    assert_eq!(scene.tags(&ben.json(&["push", &after])?), (true, false));
    // What it is tagged with goes along when it is handed on.
    let handed = id(&ben.json(&["handoff", &next, "--to", "ann@example.com"])?, "handoff_id")?;
    assert_eq!(ben.json(&["handoffs", "get", &handed])?["ticket"], scene.ticket.as_str());
    ben.json(&["pull-handoff", &handoff])?;
    assert!(!waiting.exists(), "what was consumed stays consumed");
    Ok(())
}

#[test]
fn a_repository_is_recognised_by_its_remote_and_another_is_not() -> Result<()> {
    let root = TempDir::new()?;
    let mut scene = Scene::set(&root)?;
    scene.story.ann.json(&["project", "add", "SDK", BEN])?;
    let handoff = scene.hand_over()?;
    let ben = scene.story.ben.clone();
    ben.json(&["pull-handoff", &handoff])?;
    for (name, remote, tagged) in
        [("other", "https://github.com/acme/other.git", false), ("sdk", "https://github.com/acme/sdk.git", true)]
    {
        let repository = ben.work().join(name);
        fs::create_dir_all(&repository)?;
        for arguments in [&["init", "--quiet"][..], &["remote", "add", "origin", remote]] {
            let done = std::process::Command::new("git").arg("-C").arg(&repository).args(arguments).status()?;
            assert!(done.success());
        }
        let session = scene.begin(&ben)?;
        let from = claude_project(&ben.home(), &ben.work()).join(format!("{session}.jsonl"));
        let into = claude_project(&ben.home(), &repository);
        fs::create_dir_all(&into)?;
        let (work, here) = (ben.work().display().to_string(), repository.display().to_string());
        let text = fs::read_to_string(&from)?.replace(&format!("\"{work}\""), &format!("\"{here}\""));
        fs::write(into.join(format!("{session}.jsonl")), text)?;
        fs::remove_file(from)?;
        assert_eq!(scene.tags(&ben.json(&["push", &session])?), (tagged, tagged), "{name}");
    }
    Ok(())
}

#[test]
fn who_is_not_in_the_project_is_told_what_they_are_not_given() -> Result<()> {
    let root = TempDir::new()?;
    let mut scene = Scene::set(&root)?;
    let handoff = scene.hand_over()?;
    let pulled = scene.story.ben.run(&["pull-handoff", &handoff])?;
    assert_eq!(pulled.code, 0, "{}", pulled.stderr);
    for kept_back in [format!("ticket {}", scene.ticket), "persona reviewer".to_owned(), "wiki_page deploy".to_owned()]
    {
        let line = format!("Not given to you: {kept_back} (you are not in its project)");
        assert!(pulled.stdout.contains(&line), "{}", pulled.stdout);
    }
    assert!(!scene.story.ben.segue_home().join("active_ticket.json").exists());
    Ok(())
}

#[test]
fn what_cannot_be_referred_to_is_refused_before_anything_is_sent() -> Result<()> {
    let root = TempDir::new()?;
    let mut scene = Scene::set(&root)?;
    let ann = scene.story.ann.clone();
    let session = scene.begin(&ann)?;
    let hand = |more: &[&str]| -> Result<_> {
        let all: Vec<_> = ["handoff", &session, "--to", BEN].into_iter().chain(more.iter().copied()).collect();
        ann.run(&all)
    };
    let many: Vec<_> = (0..51).flat_map(|_| ["--attach", "kb_entry:1"]).collect();
    for wrong in [
        &["--ticket", "tkt_1"][..],
        &["--persona", "No One"],
        &["--attach", "file:/etc/passwd"],
        &["--attach", "persona:reviewer"],
        &["--private", "--ticket", &scene.ticket],
        &many,
    ] {
        assert_eq!(hand(wrong)?.code, 2, "{wrong:?}");
    }
    let unknown = hand(&["--ticket", "tkt_00000000000000000000000000"])?;
    assert!(unknown.code == 4 && unknown.stderr.contains("tkt_000"), "{} {}", unknown.code, unknown.stderr);
    ann.json(&["project", "unuse"])?;
    let homeless = scene.begin(&ann)?;
    let homeless = ann.run(&["handoff", &homeless, "--to", BEN, "--ticket", &scene.ticket])?;
    assert!(homeless.code == 2 && homeless.stderr.contains("project use"), "{}", homeless.stderr);
    // A private session tells the server nothing, and so not where it belongs.
    ann.json(&["project", "use", "SDK"])?;
    let private = scene.begin(&ann)?;
    let pushed = ann.json(&["push", &private, "--private"])?;
    assert!(pushed["provenance"].is_null(), "{pushed}");
    id(&pushed, "session_id").context("no session").map(drop)
}
