//! What both sides do to a handoff, with the real command line (SPEC T9–T14, T20).

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    thread,
};

use anyhow::Result;
use segue_e2e::{
    person::{Person, fixture},
    story::{Story, invite},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::recorder::Recorder;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";

fn begin(root: &TempDir) -> Result<Story> {
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    Ok(story)
}

fn kinds(events: &Value) -> Vec<&str> {
    events["events"].as_array().into_iter().flatten().filter_map(|event| event["kind"].as_str()).collect()
}

#[test]
fn what_was_taken_back_cannot_be_claimed_and_both_read_why() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let handoff = story.hand_over(SESSION, &[])?;
    let revoked = story.ann.json(&["handoffs", "revoke", &handoff, "--reason", "stale"])?;
    assert_eq!(revoked["status"], "revoked");
    let refused = story.ben.run(&["pull-handoff", &handoff])?;
    assert_eq!((refused.code, refused.stderr.contains("revoked")), (10, true), "{}", refused.stderr);
    let seen = story.ben.run(&["handoffs", "get", &handoff])?;
    assert!(seen.stdout.contains("revoked") && seen.stdout.contains("reason    stale"), "{}", seen.stdout);
    assert_eq!(story.ann.run(&["handoffs", "revoke", &handoff, "--reason", "again"])?.code, 10);
    assert_eq!(story.ann.run(&["handoffs", "revoke", &handoff])?.code, 2, "a reason is required");
    assert_eq!(story.ann.run(&["handoffs", "revoke", &handoff, "--reason", " "])?.code, 2);
    Ok(())
}

#[test]
fn a_refusal_reaches_the_sender() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let handoff = story.hand_over(SESSION, &[])?;
    assert_eq!(story.ann.run(&["handoffs", "decline", &handoff])?.code, 4, "one's own is not there to decline");
    let declined = story.ben.json(&["handoffs", "decline", &handoff, "--reason", "wrong queue\u{1b}[2J"])?;
    assert_eq!(declined["status"], "declined");
    let seen = story.ann.run(&["handoffs", "get", &handoff])?;
    assert!(seen.stdout.contains("wrong queue\\u{1b}[2J"), "{}", seen.stdout);
    Ok(())
}

#[test]
fn both_sides_talk_and_the_log_says_so() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let handoff = story.hand_over(SESSION, &[])?;
    story.ben.json(&["handoffs", "comment", &handoff, "--body", "which branch?"])?;
    story.ann.json(&["handoffs", "comment", &handoff, "--body", "main\nreally"])?;
    let talk = story.ben.run(&["handoffs", "comments", &handoff])?;
    assert!(talk.stdout.contains("  which branch?") && talk.stdout.contains("  main\n  really"), "{}", talk.stdout);
    story.pull(&handoff)?;
    for person in [&story.ann, &story.ben] {
        let events = person.json(&["handoffs", "events", &handoff])?;
        assert_eq!(kinds(&events), ["created", "commented", "commented", "viewed", "claimed"]);
        assert_eq!(events["verified"], true);
    }
    Ok(())
}

#[test]
fn both_read_the_summary_before_the_claim_and_the_sender_meets_nobody_new() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let handoff = story.hand_over(SESSION, &[])?;
    let (anns, bens) =
        (story.ann.run(&["handoffs", "summary", &handoff])?, story.ben.json(&["handoffs", "summary", &handoff])?);
    assert_eq!((anns.code, anns.stderr.as_str()), (0, ""));
    assert!(bens["summary"]["commands"].as_array().is_some_and(|commands| !commands.is_empty()), "{bens}");
    Ok(())
}

/// SPEC T11: a server that rewrites what it said is caught by whoever looked before.
#[test]
fn a_log_that_is_rewritten_is_noticed() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let handoff = story.hand_over(SESSION, &[])?;
    story.ben.json(&["handoffs", "comment", &handoff, "--body", "which branch?"])?;
    assert_eq!(story.ann.run(&["handoffs", "get", &handoff])?.code, 0);
    // The same server, through a relay that tells of another first event, hashes and all.
    let lie = Recorder::tampering(story.server.url(), |answer| {
        let forged = forge(answer);
        if let Some(forged) = forged.filter(|forged| forged.len() == answer.len()) {
            answer.copy_from_slice(&forged);
        }
    })?;
    let account = story.ann.segue_home().join("account.json");
    let mut file: Value = serde_json::from_slice(&fs::read(&account)?)?;
    file["server"] = json!(lie.url());
    fs::write(&account, serde_json::to_vec(&file)?)?;
    for command in ["get", "events"] {
        let refused = story.ann.run(&["handoffs", command, &handoff])?;
        assert_eq!((refused.code, refused.stderr.contains("rewritten")), (9, true), "{command}: {}", refused.stderr);
    }
    Ok(())
}

/// The same answer with another hash in it, where it has one of a log.
fn forge(answer: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(answer).ok()?;
    let place = text.rfind("\"hash\":\"")? + "\"hash\":\"".len();
    let mut forged = answer.to_vec();
    let symbol = forged.get_mut(place)?;
    *symbol = if *symbol == b'A' { b'B' } else { b'A' };
    Some(forged)
}

#[test]
fn a_stranger_learns_nothing_from_any_of_it() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let handoff = story.hand_over(SESSION, &[])?;
    let cy = Person::new(&root.path().join("cy"))?;
    invite(&story.ann, &cy, "cy@example.com")?;
    let nobody = "hnd_00000000000000000000000000";
    for arguments in [
        vec!["get"],
        vec!["summary"],
        vec!["comments"],
        vec!["events"],
        vec!["revoke", "--reason", "x"],
        vec!["decline"],
        vec!["comment", "--body", "x"],
    ] {
        let said = |which: &str| {
            let (command, rest) = arguments.split_first().expect("a command");
            let ran = cy.run(&[&["handoffs", command, which], rest].concat())?;
            anyhow::Ok((ran.code, ran.stdout, ran.stderr.replace(which, "ID")))
        };
        let (known, unknown) = (said(&handoff)?, said(nobody)?);
        assert_eq!((known.0, &known), (4, &unknown), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn a_machine_that_cannot_take_it_in_claims_nothing() -> Result<()> {
    let root = TempDir::new()?;
    let story = begin(&root)?;
    let handoff = story.hand_over(SESSION, &[])?;
    let sessions = story.ben.segue_home().join("sessions");
    fs::write(&sessions, "in the way")?;
    let refused = story.ben.run(&["pull-handoff", &handoff])?;
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert_eq!(story.ann.json(&["handoffs", "get", &handoff])?["status"], "pending");
    fs::remove_file(sessions)?;
    story.ben.json(&["pull-handoff", &handoff])?;
    Ok(())
}

#[test]
fn a_proxy_whose_server_is_away_is_asked_again() -> Result<()> {
    let (listener, root) = (TcpListener::bind("127.0.0.1:0")?, TempDir::new()?);
    let server = format!("http://{}", listener.local_addr()?);
    let away = thread::spawn(move || {
        for stream in listener.incoming().take(3) {
            let mut stream = BufReader::new(stream?);
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                stream.read_line(&mut line)?;
            }
            let answer = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
            stream.get_mut().write_all(answer.as_bytes())?;
        }
        anyhow::Ok(())
    });
    let program = Person::new(&root.path().join("ci"))?;
    let refused = program.with("SEGUE_TOKEN", "x").with("SEGUE_SERVER", &server).run(&["handoffs", "inbox"])?;
    assert!(refused.code == 6 && refused.stderr.contains("down or begins anew"), "{}", refused.stderr);
    // It came three times.
    away.join().expect("the proxy does not panic")
}
