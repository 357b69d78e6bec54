//! Projects and their records on the command line.

use std::{fs, io::Write as _, process::Stdio};

use anyhow::{Context as _, Result};
use segue_e2e::story::{BEN, Story, id};
use tempfile::TempDir;

#[test]
fn members_share_tickets_pages_personas_and_what_they_learned() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    let remote = "git@github.com:acme/sdk.git";
    let made = story.ann.json(&["project", "create", "SDK", "--git-remote", remote])?;
    assert_eq!(made["git_remote"], "github.com/acme/sdk");
    let refused = story.ben.run(&["ticket", "list", "--project", &id(&made, "project_id")?])?;
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    story.ann.json(&["project", "add", "SDK", BEN])?;
    story.ben.json(&["project", "use", "SDK"])?;

    let mut page = story.ben.command(&["wiki", "create", "deploy", "--file", "-", "--json"])?;
    let mut page = page.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    page.stdin.take().context("no stdin")?.write_all(b"First this,\nthen \x1b[2J that.")?;
    assert!(page.wait_with_output()?.status.success());
    let shown = story.ann.run(&["wiki", "show", "deploy", "--project", "SDK"])?;
    assert!(shown.stdout.contains("  First this,\n  then \\u{1b}[2J that."), "{}", shown.stdout);

    let ticket = id(&story.ben.json(&["ticket", "create", "Fix the parser", "--body", "It breaks."])?, "ref_id")?;
    assert_eq!(story.ben.json(&["ticket", "close", &ticket])?["state"], "closed");
    let edited = story.ben.json(&["ticket", "edit", &ticket, "--title", "Fix it"])?;
    let kept = (&edited["title"], &edited["body"], &edited["state"], &edited["version"]);
    assert_eq!(kept, (&"Fix it".into(), &"It breaks.".into(), &"closed".into(), &3.into()));
    assert_eq!(story.ben.json(&["kb", "create", "Learned"])?["ref_id"], "1");
    story.ben.json(&["persona", "create", "reviewer"])?;
    assert_eq!(story.ben.run(&["persona", "create", "Reviewer!"])?.code, 2);
    assert_eq!(story.ben.json(&["persona", "list"])?["records"][0]["title"], "reviewer");
    story.ben.json(&["persona", "delete", "reviewer", "--yes"])?;
    assert_eq!(story.ben.run(&["persona", "show", "reviewer"])?.code, 4);

    // A binding holds for the repository, wherever in it one is.
    fs::create_dir_all(story.ann.work().join(".git"))?;
    fs::create_dir_all(story.ann.work().join("src"))?;
    let within = |arguments: &[&str]| -> Result<bool> {
        let mut command = story.ann.command(arguments)?;
        Ok(command.current_dir(story.ann.work().join("src")).output()?.status.success())
    };
    assert!(within(&["project", "use", "SDK"])? && within(&["ticket", "show", &ticket])?);
    story.ann.json(&["ticket", "show", &ticket])?;
    assert!(within(&["project", "unuse"])?);
    assert_eq!(story.ann.run(&["ticket", "show", &ticket])?.code, 2);
    story.ben.json(&["project", "remove", "SDK", BEN])?;
    assert_eq!(story.ben.run(&["ticket", "show", &ticket])?.code, 4);
    Ok(())
}
