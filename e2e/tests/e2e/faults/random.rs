//! A session that grows and is pushed, while programs are killed at moments that a seed picks.

use std::{
    fs,
    io::Read as _,
    process::{Child, Output},
};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    fault::Random,
    native::Native,
    person::{Person, Ran},
    relay::{Relay, Way},
    rig::Rig,
    story::{BEN, id},
};
use serde_json::Value;
use tempfile::TempDir;

/// Most text that a push adds: packs are uploaded from a third of it on.
const GROWTH_BYTES_MAX: u64 = 1024 * 1024;

/// Pushes, and sends the client a signal once so many bytes have gone one way.
fn push_and_signal(person: &Person, relay: &Relay, words: &[&str], at: (Way, u64), name: &'static str) -> Result<Ran> {
    person.run_with(words, |mut child: Child| {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (mut out, mut err) = (child.stdout.take().context("piped")?, child.stderr.take().context("piped")?);
        // Both are short; an output that is at its end is a process that is, or nearly so.
        let read = || out.read_to_end(&mut stdout).and_then(|_| err.read_to_end(&mut stderr));
        relay.signal_after(at.0, at.1, (name, child.id()), read)?;
        Ok(Output { status: child.wait()?, stdout, stderr })
    })
}

/// Pushes until all is there; how many programs were killed, and how many pushes were acknowledged all the same.
fn pushes(rounds: u32) -> Result<()> {
    let (root, mut random) = (TempDir::new()?, Random::seeded()?);
    let mut rig = Rig::begin(root.path())?;
    let mut native = Native::begin(&rig.ann, &mut random, 1000)?;
    let (mut killed, mut acknowledged, mut last) = (0, 0, 0);
    for round in 0..rounds {
        let growth = 1 + random.below(GROWTH_BYTES_MAX);
        native.grow(&rig.ann, &mut random, usize::try_from(growth)?)?;
        let at = if random.below(4) > 0 { (Way::Up, random.below(growth)) } else { (Way::Down, random.below(2000)) };
        let (server_dies, client_dies) =
            [(true, false), (false, true), (true, true)][usize::try_from(random.below(3))?];
        let words = ["push", native.id(), "--json"];
        let relay = rig.relay.clone();
        let ran = match (server_dies, client_dies) {
            (true, false) => rig.with_kill_after(at.0, at.1, |ann, _| ann.run(&words))??,
            (_, both) => {
                let ran = push_and_signal(&rig.ann, &relay, &words, at, "KILL")?;
                if both {
                    rig.restart()?;
                }
                ran
            }
        };
        ensure!(matches!(ran.code, 0 | 6 | 137), "round {round}: {} {}", ran.code, ran.stderr);
        killed += u32::from(ran.code != 0);
        if ran.code == 0 {
            acknowledged += 1;
            last = seq_that_stays(&mut rig, &serde_json::from_str(&ran.stdout)?, last)?;
        }
        rig.check()?;
    }
    println!("{acknowledged} pushes were acknowledged, {killed} were not");
    let handed = rig.ann.json(&["handoff", native.id(), "--to", BEN])?;
    let session = id(&rig.ben.json(&["pull-handoff", &id(&handed, "handoff_id")?])?, "session_id")?;
    let pulled = rig.ben.segue_home().join("sessions").join(session).join("content/native/session.jsonl");
    ensure!(fs::read(pulled)? == native.transcript()?, "other bytes arrived");
    rig.check_later()
}

/// What was acknowledged is there when the server is killed right behind it: nothing is new for a second push.
fn seq_that_stays(rig: &mut Rig, pushed: &Value, last: u64) -> Result<u64> {
    rig.restart()?;
    let again = rig.ann.json(&["push", &id(pushed, "session_id")?])?;
    ensure!(again["unchanged"] == true && again["seq"] == pushed["seq"], "{pushed} was lost: {again}");
    let seq = pushed["seq"].as_u64().context("a push has a seq")?;
    ensure!(seq > last, "the session went back: {pushed}");
    Ok(seq)
}

#[test]
fn a_growing_session_survives_kills() -> Result<()> {
    pushes(10)
}

#[test]
#[ignore = "long: hundreds of kills"]
fn a_growing_session_survives_hundreds_of_kills() -> Result<()> {
    (0..10).try_for_each(|_| pushes(40))
}

/// Ctrl-C leaves what the next command takes away.
#[test]
fn an_interrupted_push_leaves_nothing_behind() -> Result<()> {
    let (root, mut random) = (TempDir::new()?, Random::seeded()?);
    let rig = Rig::begin(root.path())?;
    let native = Native::begin(&rig.ann, &mut random, 1_000_000)?;
    let tmp = rig.ann.segue_home().join("tmp");
    let folders =
        || -> Result<usize> { Ok(fs::read_dir(&tmp)?.flatten().filter(|entry| entry.path().is_dir()).count()) };
    let ran = push_and_signal(&rig.ann, &rig.relay, &["push", native.id()], (Way::Up, 300_000), "INT")?;
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(folders()? > 0, "an interrupted command removes nothing; what else would be tried here?");
    rig.ann.json(&["push", native.id()])?;
    assert_eq!(folders()?, 0);
    Ok(())
}
