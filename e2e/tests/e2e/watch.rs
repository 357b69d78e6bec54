//! `segue handoffs watch`: everything once and in its order, over cuts and kills (research R15, I11).

use std::{
    io::{BufRead as _, BufReader, Read as _},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    fault::signal,
    person::{Person, fixture},
    relay::{Cut, Relay, Way},
    rig::Rig,
    story::{BEN, Story, id},
};
use serde_json::Value;
use tempfile::TempDir;

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";
/// When a test gives up.
const PATIENCE: Duration = Duration::from_mins(2);

/// A watch that runs.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn start(person: &Person, more: &[&str]) -> Result<Self> {
        let mut command = person.command(&[&["handoffs", "watch"], more].concat())?;
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdout = BufReader::new(child.stdout.take().context("stdout was asked for")?);
        let (told, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        Ok(Self { child, lines })
    }

    fn line(&self) -> Result<String> {
        self.lines.recv_timeout(PATIENCE).context("nothing is said")
    }

    fn json(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.line()?)?)
    }

    /// Ends it as Ctrl-C does; how it ended, and what it said beside its answers.
    fn interrupt(mut self) -> Result<(Option<i32>, String)> {
        signal("INT", self.child.id())?;
        let status = self.child.wait()?;
        let mut said = String::new();
        self.child.stderr.take().context("stderr was asked for")?.read_to_string(&mut said)?;
        Ok((status.signal(), said))
    }
}

#[test]
fn everything_is_heard_once_over_cuts_and_a_killed_server() -> Result<()> {
    let root = TempDir::new()?;
    let mut rig = Rig::begin(root.path())?;
    rig.ann.record(&fixture("claude-code", "2.1.197"))?;
    let made = rig.ben.json(&["token", "create", "watch", "--scope", "handoffs:read"])?;
    let token = id(&made, "token")?;
    // The watch has a way of its own, so that nothing else is cut.
    let relay = Relay::start()?;
    relay.lead_to(rig.server()?.url())?;
    let program = Person::new(&root.path().join("ci"))?;
    let program = program.with("SEGUE_TOKEN", token).with("SEGUE_SERVER", relay.url());
    let watch = Watch::start(&program, &["--json"])?;
    let begin = watch.json()?;
    assert_eq!((&begin["kind"], &begin["seq"]), (&"begin".into(), &0.into()), "{begin}");

    let handoff = id(&rig.ann.json(&["handoff", SESSION, "--to", BEN])?, "handoff_id")?;
    let created = watch.json()?;
    assert_eq!((&created["kind"], &created["seq"]), (&"created".into(), &1.into()), "{created}");
    assert_eq!(created["handoff"]["sender"]["email"], "ann@example.com", "{created}");
    let comments: u64 = 14;
    for number in 0..comments {
        let cut = if number % 2 == 0 { Cut::Reset } else { Cut::Fin };
        // Inside the event, which is the first that comes.
        relay.cut_after(Way::Down, 1 + 13 * number, cut);
        rig.ann.json(&["handoffs", "comment", &handoff, "--body", "more"])?;
        if number == comments / 2 {
            rig.restart()?;
            relay.lead_to(rig.server()?.url())?;
        }
        let news = watch.json()?;
        assert_eq!((&news["kind"], &news["seq"]), (&"commented".into(), &(2 + number).into()), "{news}");
        assert!(!relay.go_on(), "nothing was cut");
    }
    rig.ann.json(&["handoffs", "revoke", &handoff, "--reason", "done"])?;
    let last = watch.json()?;
    assert_eq!((&last["kind"], &last["seq"]), (&"revoked".into(), &(2 + comments).into()), "{last}");
    let streams = rig.server()?.log()?.matches("\"/api/v1/news\"").count();
    ensure!(streams > 10, "the stream was cut {streams} times only");
    assert_eq!(watch.interrupt()?.0, Some(2), "a shell says 130");
    rig.ben.json(&["token", "revoke", &id(&made, "token_id")?])?;
    assert_eq!(program.run(&["handoffs", "watch"])?.code, 3);

    // Who comes back with a number hears what came since.
    let later = Watch::start(&rig.ben, &["--json", "--after", &comments.to_string()])?;
    let seqs: Vec<_> = (0..3).map(|_| Ok(later.json()?["seq"].clone())).collect::<Result<_>>()?;
    assert_eq!(seqs, [comments, comments + 1, comments + 2].map(Value::from));
    later.interrupt()?;
    rig.check()
}

#[test]
fn a_watch_says_what_happens_and_looks_at_nothing() -> Result<()> {
    let root = TempDir::new()?;
    let story = Story::begin(root.path())?;
    story.ann.record(&fixture("claude-code", "2.1.197"))?;
    let watch = Watch::start(&story.ben, &["--after", "0"])?;
    let handoff = story.hand_over(SESSION, &[])?;
    let line = watch.line()?;
    assert!(
        line.starts_with("1  ") && line.contains(&handoff) && line.contains("Ann <ann@example.com> hands you "),
        "{line}"
    );
    story.ann.json(&["handoffs", "comment", &handoff, "--body", "look at the parser"])?;
    let line = watch.line()?;
    assert!(line.starts_with("2  ") && line.contains("A comment on ") && !line.contains("parser"), "{line}");
    let events = story.ann.json(&["handoffs", "events", &handoff])?;
    assert!(!events.to_string().contains("viewed"), "to watch is not to look: {events}");
    story.pull(&handoff)?;
    while !watch.line()?.contains("claimed") {}
    let (ended_by, said) = watch.interrupt()?;
    assert_eq!(ended_by, Some(2));
    assert!(said.contains("Waiting for news after number 0"), "{said}");
    // Without a server there is nothing to wait for: said at once.
    drop(story.server);
    let ran = story.ben.run(&["handoffs", "watch"])?;
    assert!(ran.code == 6 && ran.stderr.contains("cannot be reached"), "{ran:?}");
    Ok(())
}
