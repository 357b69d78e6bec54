//! A network that is cut once, somewhere in a transfer of a mebibyte.

use std::{fs, ops::Range, thread};

use anyhow::{Result, ensure};
use segue_e2e::{
    fault::Random,
    native::Native,
    relay::{Cut, Way},
    rig::Rig,
    story::{BEN, id},
};
use tempfile::TempDir;

/// Text that is a little more than a mebibyte when it is sealed: base64 compresses to three quarters.
const TEXT_BYTES: usize = 1_440_000;
/// What it takes at most when nothing is cut, everything else that is said on the way included.
const SEALED_BYTES: u64 = 1100 * KIB;
const KIB: u64 = 1024;
/// Pushes on one server in the long tests, before a fresh one keeps the disk small.
const FRESH_AFTER: u64 = 64;

#[derive(Debug, Default)]
struct Tally {
    cuts: u32,
    /// Most bytes that one transfer took.
    most: u64,
}

/// A rig whose people hand over one session after the other.
struct Line {
    rig: Rig,
    random: Random,
    tally: Tally,
    _root: TempDir,
}

impl Line {
    fn begin(random: Random) -> Result<Self> {
        let root = TempDir::new()?;
        Ok(Self { rig: Rig::begin(root.path())?, random, tally: Tally::default(), _root: root })
    }

    /// Runs a command whose connection is cut after so many bytes. It goes on by itself.
    fn cut(&mut self, way: Way, bytes: u64, words: &[&str]) -> Result<String> {
        let reset = self.random.below(2) == 0;
        self.rig.relay.cut_after(way, bytes, if reset { Cut::Reset } else { Cut::Fin });
        let person = if way == Way::Up { &self.rig.ann } else { &self.rig.ben };
        let all: Vec<_> = words.iter().copied().chain(["--json"]).collect();
        let ran = person.run(&all)?;
        let told = || format!("{words:?}, cut after {bytes} B ({way:?}, reset: {reset}): {} {}", ran.code, ran.stderr);
        ensure!(ran.code == 0, "{}", told());
        self.tally.cuts += u32::from(!self.rig.relay.go_on());
        let passed = self.rig.relay.passed(way);
        self.tally.most = self.tally.most.max(passed);
        // What a reset connection had not delivered yet is lost with it; a connection that ends loses nothing.
        let max = if reset { 2 * SEALED_BYTES } else { SEALED_BYTES + 16 * KIB };
        ensure!(passed < max, "{passed} bytes went over the line: {}", told());
        id(&serde_json::from_str(&ran.stdout)?, "session_id")
    }

    fn push(&mut self, bytes: u64, look: bool) -> Result<()> {
        let native = Native::begin(&self.rig.ann, &mut self.random, TEXT_BYTES)?;
        self.cut(Way::Up, bytes, &["push", native.id()])?;
        if look {
            let handed = self.rig.ann.json(&["handoff", native.id(), "--to", BEN])?;
            let session = id(&self.rig.ben.json(&["pull-handoff", &id(&handed, "handoff_id")?])?, "session_id")?;
            self.same(&native, &session)?;
            self.rig.check()?;
        }
        Ok(())
    }

    fn pull(&mut self, native: &Native, handoff: &str, bytes: u64) -> Result<()> {
        let session = self.cut(Way::Down, bytes, &["pull-handoff", handoff])?;
        self.same(native, &session)?;
        Ok(fs::remove_dir_all(self.rig.ben.segue_home().join("sessions").join(session))?)
    }

    fn hand_over(&mut self) -> Result<(Native, String)> {
        let native = Native::begin(&self.rig.ann, &mut self.random, TEXT_BYTES)?;
        let handed = self.rig.ann.json(&["handoff", native.id(), "--to", BEN])?;
        Ok((native, id(&handed, "handoff_id")?))
    }

    fn same(&self, native: &Native, session: &str) -> Result<()> {
        let pulled = self.rig.ben.segue_home().join("sessions").join(session).join("content/native/session.jsonl");
        ensure!(fs::read(pulled)? == native.transcript()?, "other bytes arrived");
        Ok(())
    }

    fn end(self, what: &str) -> Result<Tally> {
        println!("{what}: {:?}", self.tally);
        self.rig.check_later()?;
        Ok(self.tally)
    }
}

#[test]
fn a_push_that_is_cut_goes_on() -> Result<()> {
    let mut line = Line::begin(Random::seeded()?)?;
    for max in [8, 1050, 1050, 1050, 1050, 1050] {
        let bytes = line.random.below(max * KIB);
        line.push(bytes, true)?;
    }
    assert!(line.end("push")?.cuts >= 5);
    Ok(())
}

#[test]
fn a_pull_that_is_cut_goes_on() -> Result<()> {
    let mut line = Line::begin(Random::seeded()?)?;
    let (native, handoff) = line.hand_over()?;
    for max in [8, 1050].repeat(7) {
        let bytes = line.random.below(max * KIB);
        line.pull(&native, &handoff, bytes)?;
    }
    assert!(line.end("pull")?.cuts >= 12);
    Ok(())
}

/// Both halves at once, each on a line of its own.
fn halves(all: Range<u64>, work: impl Fn(Random, Range<u64>) -> Result<()> + Sync) -> Result<()> {
    let mut random = Random::seeded()?;
    let (first, second) = (Random::new(random.number()), Random::new(random.number()));
    let middle = u64::midpoint(all.start, all.end);
    thread::scope(|scope| {
        let half = scope.spawn(|| work(first, all.start..middle));
        work(second, middle..all.end).and(half.join().expect("no panic"))
    })
}

fn pushes(all: Range<u64>) -> Result<()> {
    halves(all, |mut random, all| {
        for start in all.clone().step_by(usize::try_from(FRESH_AFTER)?) {
            let mut line = Line::begin(Random::new(random.number()))?;
            for kib in start..(start + FRESH_AFTER).min(all.end) {
                line.push(kib * KIB, kib % 16 == 0)?;
            }
            line.end("push")?;
        }
        Ok(())
    })
}

#[test]
#[ignore = "long: cuts at 525 places"]
fn a_push_that_is_cut_at_any_kib_of_its_first_half_goes_on() -> Result<()> {
    pushes(0..525)
}

#[test]
#[ignore = "long: cuts at 525 places"]
fn a_push_that_is_cut_at_any_kib_of_its_second_half_goes_on() -> Result<()> {
    pushes(525..1050)
}

#[test]
#[ignore = "long: cuts at 1050 places"]
fn a_pull_that_is_cut_at_any_kib_goes_on() -> Result<()> {
    halves(0..1050, |random, all| {
        let mut line = Line::begin(random)?;
        let (native, handoff) = line.hand_over()?;
        for kib in all {
            line.pull(&native, &handoff, kib * KIB)?;
        }
        line.end("pull").map(drop)
    })
}
