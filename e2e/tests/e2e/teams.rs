//! Handing to a team: one of it claims, the others come too late, and who left finds nothing.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context as _, Result};
use segue_e2e::{
    person::{Person, fixture},
    story::{BEN, Story, id, invite},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::recorder::Recorder;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
const CY: &str = "cy@example.com";

/// Ann with a session, Ben and Cy, and Ann's team of the three.
fn begin(root: &TempDir) -> Result<(Story, Person, String)> {
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    let cy = Person::new(&root.path().join("cy"))?;
    invite(&story.ann, &cy, CY)?;
    let team = id(&story.ann.json(&["team", "create", "Parsers"])?, "team_id")?;
    story.ann.json(&["team", "add", "Parsers", BEN, CY])?;
    Ok((story, cy, team))
}

fn hand(person: &Person, team: &str) -> Result<String> {
    id(&person.json(&["handoff", SESSION, "--to-team-id", team])?, "handoff_id")
}

fn join(story: &Story, root: &TempDir, name: &str) -> Result<Person> {
    let person = Person::new(&root.path().join(name))?;
    invite(&story.ann, &person, &format!("{name}@example.com"))?;
    Ok(person)
}

#[test]
fn one_of_a_team_claims_and_the_others_come_too_late() -> Result<()> {
    let root = TempDir::new()?;
    let (story, cy, team) = begin(&root)?;
    let handoff = hand(&story.ann, "Parsers")?;
    for person in [&story.ben, &cy] {
        let inbox = person.json(&["handoffs", "inbox"])?;
        assert_eq!(inbox["handoffs"][0]["handoff_id"], handoff.as_str(), "{inbox}");
        let shown = person.json(&["handoffs", "get", &handoff])?;
        assert!(shown["summary"].is_object(), "who may claim sees the summary: {shown}");
    }
    assert_eq!(story.ann.run(&["pull-handoff", &handoff])?.code, 4, "the sender claims nothing");
    let pulled = cy.json(&["pull-handoff", &handoff])?;
    assert_eq!((&pulled["native_id"], &pulled["sender"]), (&SESSION.into(), &"ann@example.com".into()));
    let again = cy.json(&["pull-handoff", &handoff])?;
    assert_eq!(again["session_id"], pulled["session_id"], "one's own won claim goes on");
    let late = story.ben.run(&["pull-handoff", &handoff])?;
    assert!(late.code == 5 && late.stderr.contains("claimed"), "{}{}", late.stdout, late.stderr);
    // The claimer hands on, to the same team by the beginning of its id.
    let session = id(&pulled, "session_id")?;
    let onward = id(&cy.json(&["handoff", &session, "--to-team-id", &team[..12]])?, "handoff_id")?;
    let theirs = story.ben.json(&["pull-handoff", &onward])?;
    assert_eq!(theirs["author_id"], story.ann.json(&["whoami"])?["user_id"]);
    Ok(())
}

#[test]
fn who_left_finds_nothing_and_who_stays_finds_all() -> Result<()> {
    let root = TempDir::new()?;
    let (story, cy, team) = begin(&root)?;
    let waiting = hand(&story.ann, &team)?;
    let removed = story.ann.json(&["team", "remove", "Parsers", CY])?;
    assert_eq!((&removed["version"], &removed["epoch"]), (&3.into(), &2.into()));
    for arguments in [&["pull-handoff", &waiting][..], &["handoffs", "get", &waiting], &["team", "show", &team]] {
        let ran = cy.run(arguments)?;
        assert_eq!(ran.code, 4, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(cy.run(&["handoff", SESSION, "--to-team-id", &team])?.code, 4);
    // Dee comes after the key has changed: what waits under the old one is not hers.
    let dee = join(&story, &root, "dee")?;
    story.ann.json(&["team", "add", &team, "dee@example.com"])?;
    assert_eq!(dee.run(&["pull-handoff", &waiting])?.code, 4);
    story.ben.json(&["pull-handoff", &waiting])?;
    let next = hand(&story.ann, &team)?;
    assert_eq!(cy.run(&["pull-handoff", &next])?.code, 4);
    // Eve comes while it waits, under the key that it was sealed for.
    let eve = join(&story, &root, "eve")?;
    story.ann.json(&["team", "add", &team, "eve@example.com"])?;
    eve.json(&["pull-handoff", &next])?;
    story.ann.json(&["team", "delete", &team, "--yes"])?;
    for person in [&story.ann, &dee] {
        assert_eq!(person.json(&["team", "list"])?["teams"], serde_json::json!([]));
    }
    Ok(())
}

#[test]
fn admins_change_a_team_at_the_same_time() -> Result<()> {
    let root = TempDir::new()?;
    let (story, cy, team) = begin(&root)?;
    let refused = story.ben.run(&["team", "remove", &team, CY])?;
    assert!(refused.code == 1 && refused.stderr.contains("admin"), "{}", refused.stderr);
    story.ann.json(&["team", "add", &team, BEN, "--admin"])?;
    let names = ["dee", "eve", "fay", "gus"];
    for name in names {
        join(&story, &root, name)?;
    }
    let (ann, ben, team) = (&story.ann, &story.ben, team.as_str());
    thread::scope(|scope| -> Result<()> {
        let work: Vec<_> = [(ann, &names[..2]), (ben, &names[2..])]
            .map(|(person, names)| {
                scope.spawn(move || -> Result<()> {
                    for name in names {
                        person.json(&["team", "add", team, &format!("{name}@example.com")])?;
                    }
                    Ok(())
                })
            })
            .into();
        work.into_iter().try_for_each(|work| work.join().expect("adding does not panic"))
    })?;
    let shown = cy.json(&["team", "show", team])?;
    assert_eq!((shown["members"].as_array().map(Vec::len), &shown["version"]), (Some(7), &7.into()), "{shown}");
    assert_eq!(ann.run(&["team", "remove", team, "nobody@example.com"])?.code, 4);
    let nobody = ann.run(&["team", "add", team, "nobody@example.com"])?;
    assert_eq!(nobody.code, 4, "{}", nobody.stderr);
    let both = ann.run(&["handoff", SESSION, "--to", BEN, "--to-team-id", team])?;
    assert_eq!(both.code, 2, "{}", both.stderr);
    Ok(())
}

#[test]
fn a_fingerprint_is_compared() -> Result<()> {
    let root = TempDir::new()?;
    let (story, cy, team) = begin(&root)?;
    let fingerprint = id(&story.ann.json(&["team", "show", &team])?, "fingerprint")?;
    let met = story.ben.json(&["team", "show", "Parsers"])?;
    assert_eq!((met["fingerprint"].as_str(), &met["trusted"]), (Some(fingerprint.as_str()), &false.into()));
    assert!(met["warnings"].to_string().contains("First contact with the team Parsers"), "{met}");
    assert!(story.ben.json(&["team", "show", "Parsers"])?["warnings"].is_null(), "first contact comes once");
    assert_eq!(story.ben.json(&["team", "trust", &team, &fingerprint.to_lowercase()])?["trusted"], true);
    assert_eq!(story.ben.json(&["team", "show", &team])?["trusted"], true);
    let wrong = cy.run(&["team", "trust", &team, &fingerprint.chars().rev().collect::<String>()])?;
    assert_eq!(wrong.code, 9, "{}{}", wrong.stdout, wrong.stderr);
    Ok(())
}

/// What stands in answers becomes a lie of the same length.
#[derive(Clone, Default)]
struct Swap(Arc<Mutex<Option<(String, String)>>>);

impl Swap {
    fn set(&self, swap: Option<(&str, &str)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            swap.map(|(truth, lie)| (truth.to_owned(), lie.to_owned()));
    }

    fn apply(&self, answer: &mut [u8]) {
        let swap = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((truth, lie)) = swap.as_ref() else { return };
        let found = answer.windows(truth.len()).position(|window| window == truth.as_bytes());
        if let Some(place) = found.and_then(|at| answer.get_mut(at..at + lie.len())) {
            place.copy_from_slice(lie.as_bytes());
        }
    }
}

/// The last roster that was answered.
fn last_roster(relay: &Recorder) -> Result<String> {
    let answered = String::from_utf8_lossy(&relay.bytes().1).into_owned();
    let (_, rest) = answered.rsplit_once("\"roster\":\"").context("no roster was answered")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}

#[test]
fn an_older_roster_than_was_seen_is_refused() -> Result<()> {
    let root = TempDir::new()?;
    let (story, _, team) = begin(&root)?;
    let swap = Swap::default();
    let told = swap.clone();
    let relay = Recorder::tampering(story.server.url(), move |answer| told.apply(answer))?;
    let dee = Person::new(&root.path().join("dee"))?;
    let link = id(&story.ann.json(&["invite", "dee@example.com", "--vouch"])?, "link")?;
    dee.json(&["join", &link.replace(story.server.url(), relay.url())])?;
    dee.record(&fixture("claude-code", "2.1.197"))?;
    story.ann.json(&["team", "add", &team, "dee@example.com"])?;
    dee.json(&["team", "show", &team])?;
    let old = last_roster(&relay)?;
    story.ann.json(&["team", "rename", &team, "Lexers"])?;
    dee.json(&["team", "show", &team])?;
    let new = last_roster(&relay)?;
    assert!(old != new && old.len() == new.len());
    swap.set(Some((&new, &old)));
    for arguments in [&["team", "show", &team][..], &["handoff", SESSION, "--to-team-id", &team]] {
        let refused = dee.run(arguments)?;
        assert_eq!(refused.code, 9, "{arguments:?}: {}{}", refused.stdout, refused.stderr);
        assert!(refused.stderr.contains("older roster"), "{}", refused.stderr);
    }
    swap.set(None);
    dee.json(&["handoff", SESSION, "--to-team-id", &team])?;
    let sent: Value = dee.json(&["handoffs", "sent"])?;
    assert_eq!(sent["handoffs"].as_array().map(Vec::len), Some(1), "what was refused was not sent");
    Ok(())
}
