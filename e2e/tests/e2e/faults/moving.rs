//! A chat on its way to another device: whoever is killed, and wherever the network or the server fails, one device has all of it,
//! both learn what became of it, and a fresh code works at once (SPEC D9).

use std::fs;

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    fault::{Fault, What},
    person::{Person, Ran, fixture},
    relay::{Cut, Way},
    rig::Rig,
    showing::Showing,
    story::id,
    wrong_clock::WrongClock,
};
use serde_json::json;
use tempfile::TempDir;

use crate::device::{SESSION, enter, entered};

/// Codes that are shown on one server at most: half of what it gives in an hour, as a step may take two.
const FRESH_AFTER: u32 = 90;

/// Ann, whose chat is moved to one fresh machine after the other.
struct Line {
    rig: Rig,
    root: TempDir,
    own: bool,
    machines: u32,
}

impl Line {
    fn begin(own: bool) -> Result<Self> {
        let root = TempDir::new()?;
        let rig = Rig::begin(root.path())?;
        rig.ann.record(&fixture("claude-code", "2.1.197"))?;
        Ok(Self { rig, root, own, machines: 0 })
    }

    /// A server gives so many codes an hour.
    fn begin_anew(&mut self, nth: u32) -> Result<()> {
        if nth.is_multiple_of(FRESH_AFTER) {
            *self = Self::begin(self.own)?;
        }
        Ok(())
    }

    fn ann(&self) -> &Person {
        &self.rig.ann
    }

    /// A machine of Ann's account, or one that nobody knows.
    fn machine(&mut self) -> Result<Person> {
        self.machines += 1;
        let machine = Person::new(&self.root.path().join(format!("machine-{}", self.machines)))?;
        if self.own {
            fs::create_dir_all(machine.segue_home())?;
            fs::copy(self.ann().segue_home().join("account.json"), machine.segue_home().join("account.json"))?;
        }
        Ok(machine.with("SEGUE_SERVER", self.rig.relay.url()))
    }

    /// Moves the chat as if nothing had happened, and takes it back.
    fn works(&mut self) -> Result<()> {
        let machine = self.machine()?;
        moves(self.ann(), &machine)?;
        self.have_back()
    }

    /// The chat is Ann's, whatever became of it.
    fn have_back(&self) -> Result<()> {
        let status = self.ann().json(&["device", "status"])?;
        if status["moved"] != json!([]) {
            self.ann().json(&["device", "take-back", SESSION])?;
        }
        let here = self.ann().run(&["resume", SESSION, "--print"])?;
        ensure!(here.code == 0, "the chat is lost: {}", here.stderr);
        Ok(())
    }
}

/// One command shows a code, another enters it, and both say that it went well.
fn moves(ann: &Person, machine: &Person) -> Result<()> {
    let mut showing = Showing::start(ann, &[SESSION])?;
    let code = showing.code()?;
    let source = showing.let_anybody_in();
    let there = entered(enter(machine, &code, &["--yes"]))?;
    ensure!(there.code == 0, "there: {}: {}{}", there.code, there.stdout, there.stderr);
    let source = source.join().expect("it does not panic")?;
    ensure!(source.code == 0, "here: {}: {}{}", source.code, source.stdout, source.stderr);
    has_it_once(machine)
}

/// The tool of a machine has the chat once, whole.
fn has_it_once(machine: &Person) -> Result<()> {
    let mut found = Vec::new();
    for project in fs::read_dir(machine.home().join(".claude/projects"))? {
        for file in fs::read_dir(project?.path())? {
            let path = file?.path();
            found.extend(path.extension().is_some_and(|end| end == "jsonl").then_some(path));
        }
    }
    ensure!(found.len() == 1, "{found:?}");
    ensure!(fs::read_to_string(&found[0])?.contains("second turn please"));
    ensure!(!is_under_way(machine)?, "something is left behind");
    Ok(())
}

/// Whether a machine knows a chat that it was taking in.
fn is_under_way(machine: &Person) -> Result<bool> {
    let Ok(folder) = fs::read_dir(machine.segue_home().join("claiming")) else { return Ok(false) };
    let names = folder.map(|file| Ok(file?.file_name().to_string_lossy().into_owned())).collect::<Result<Vec<_>>>()?;
    Ok(names.iter().any(|name| name.starts_with("par_")))
}

fn is_honest(ran: &Ran) -> bool {
    [4, 5, 9, 10, 137].contains(&ran.code) && !ran.stderr.contains("panicked")
}

/// Who enters the code is killed at each of its calls in turn, and enters it again. How often it was killed.
fn destination_is_killed(own: bool, call: &'static str) -> Result<u32> {
    let (mut line, logs) = (Line::begin(own)?, TempDir::new()?);
    let log = logs.path().join("strace.log");
    for nth in 1.. {
        line.begin_anew(nth)?;
        let machine = line.machine()?;
        let mut showing = Showing::start(line.ann(), &[SESSION])?;
        let code = showing.code()?;
        let (process, source) = (showing.process(), showing.let_anybody_in());
        let fault = Fault { call, nth, what: What::Kill };
        let killed = entered(enter(&machine.under(fault.wrapper(&log)), &code, &["--yes"]))?;
        let met = Fault::was_met(&log)?;
        ensure!(met || killed.code == 0, "{}{}", killed.stdout, killed.stderr);
        if met && is_under_way(&machine)? {
            let again = entered(enter(&machine, &code, &["--yes"]))?;
            ensure!(again.code == 0, "{call} {nth}, own: {own}: {}{}", again.stdout, again.stderr);
            has_it_once(&machine)?;
        }
        // Killed before it had agreed, it never comes: the source's person ends it.
        drop(segue_e2e::fault::signal("INT", process));
        source.join().expect("it does not panic")?;
        line.have_back()?;
        if !met {
            line.works()?;
            return Ok(nth - 1);
        }
    }
    Ok(0)
}

/// Who shows the code is killed at each of its calls in turn. How often it was killed.
fn source_is_killed(own: bool, call: &'static str) -> Result<u32> {
    let (mut line, logs) = (Line::begin(own)?, TempDir::new()?);
    let log = logs.path().join("strace.log");
    for nth in 1.. {
        line.begin_anew(nth)?;
        let machine = line.machine()?;
        let fault = Fault { call, nth, what: What::Kill };
        let mut showing = Showing::start(&line.ann().under(fault.wrapper(&log)), &[SESSION])?;
        if let Ok(code) = showing.code() {
            let claim = enter(&machine, &code, &["--yes"]);
            let source = showing.let_anybody_in().join().expect("it does not panic")?;
            if Fault::was_met(&log)? {
                line.have_back()?;
            }
            let there = entered(claim)?;
            ensure!(there.code == 0 || is_honest(&there), "{call} {nth}: {}: {}", there.code, there.stderr);
            if there.code == 0 {
                has_it_once(&machine)?;
            }
            ensure!(Fault::was_met(&log)? || (source.code, there.code) == (0, 0), "{}{}", source.stderr, there.stderr);
        } else {
            ensure!(showing.end()?.code == 137);
        }
        line.have_back()?;
        if !Fault::was_met(&log)? {
            line.works()?;
            return Ok(nth - 1);
        }
    }
    Ok(0)
}

#[test]
fn killed_while_it_enters_a_code_a_device_goes_on_with_it() -> Result<()> {
    ensure!(destination_is_killed(true, "rename")? > 2);
    Ok(())
}

#[test]
fn killed_while_it_shows_a_code_a_device_has_its_chat_and_the_other_one_is_told() -> Result<()> {
    ensure!(source_is_killed(true, "fsync")? > 2);
    Ok(())
}

#[test]
#[ignore = "long: both sides killed at every call"]
fn killed_at_every_call_either_side_leaves_the_chat_with_one_of_them() -> Result<()> {
    for (call, kinds) in [
        ("fsync", &[false, true][..]),
        ("rename", &[false, true]),
        ("unlink", &[false, true]),
        ("write", &[false, true]),
        ("writev", &[false, true]),
        ("openat", &[false]),
    ] {
        for &own in kinds {
            let (there, here) = (destination_is_killed(own, call)?, source_is_killed(own, call)?);
            println!("{call}, own: {own}: the destination was killed {there} times, the source {here} times");
        }
    }
    Ok(())
}

/// Meets a fault after so many bytes of what goes each way, at so many places; nobody does more than ever.
fn survives(places: u64, meet: impl Fn(&mut Line, &Person, Way, u64) -> Result<()>) -> Result<()> {
    let mut line = Line::begin(false)?;
    for way in [Way::Up, Way::Down] {
        line.rig.relay.cut_after(way, u64::MAX, Cut::Fin);
        line.works()?;
        let all = line.rig.relay.passed(way);
        for place in 0..places {
            let (machine, bytes) = (line.machine()?, 1 + all * place / places);
            meet(&mut line, &machine, way, bytes).with_context(|| format!("after {bytes} of {all} bytes ({way:?})"))?;
            line.have_back()?;
        }
    }
    line.rig.check()
}

fn cut(line: &mut Line, machine: &Person, way: Way, bytes: u64) -> Result<()> {
    line.rig.relay.cut_after(way, bytes, Cut::Reset);
    moves(line.ann(), machine)
}

fn kill_server(line: &mut Line, machine: &Person, way: Way, bytes: u64) -> Result<()> {
    line.rig.with_kill_after(way, bytes, |ann, _| moves(ann, machine))?
}

#[test]
fn a_network_that_is_cut_anywhere_only_makes_it_later() -> Result<()> {
    survives(4, cut)
}

#[test]
#[ignore = "long: cut at 90 places each way"]
fn a_network_that_is_cut_at_any_of_many_places_only_makes_it_later() -> Result<()> {
    survives(90, cut)
}

#[test]
fn a_server_that_is_killed_anywhere_only_makes_it_later() -> Result<()> {
    survives(3, kill_server)
}

#[test]
#[ignore = "long: killed at 90 places each way"]
fn a_server_that_is_killed_at_any_of_many_places_only_makes_it_later() -> Result<()> {
    survives(90, kill_server)
}

#[test]
#[ignore = "long: twenty codes"]
fn a_code_is_revoked_and_a_fresh_one_works_twenty_times() -> Result<()> {
    let mut line = Line::begin(false)?;
    for _ in 0..20 {
        let mut showing = Showing::start(line.ann(), &[SESSION])?;
        let issued = showing.until("issued")?;
        let (pairing, code) = (id(&issued, "pairing_id")?, id(&issued, "code")?);
        line.ann().json(&["device", "revoke", &pairing])?;
        let ended = showing.end()?;
        ensure!(ended.code == 10 && ended.stderr.contains("was revoked"), "{}", ended.stderr);
        let machine = line.machine()?;
        ensure!(entered(enter(&machine, &code, &["--yes"]))?.code == 4);
        line.works()?;
    }
    Ok(())
}

/// Ten minutes, twice as long as a code lives.
const WRONG_BY: i64 = 600;

#[test]
fn a_chat_moves_between_machines_whose_clocks_are_ten_minutes_wrong() -> Result<()> {
    let mut line = Line::begin(false)?;
    for (here, there) in [(WRONG_BY, -WRONG_BY), (-WRONG_BY, WRONG_BY)] {
        let clocks = ["here", "there"].map(|name| line.root.path().join(name));
        let (ann, _) = WrongClock::of(line.ann().clone(), &clocks[0], here)?;
        let (machine, _) = WrongClock::of(line.machine()?, &clocks[1], there)?;
        moves(&ann, &machine)?;
        line.have_back()?;
    }
    Ok(())
}

/// The source's clock is set while its code is shown. By either clock it ends, and nothing is released after that.
#[test]
fn a_clock_that_is_set_while_a_code_is_shown_ends_it_early_or_leaves_it_to_the_server() -> Result<()> {
    let mut line = Line::begin(false)?;
    for step in [WRONG_BY, -WRONG_BY] {
        let (ann, clock) = WrongClock::of(line.ann().clone(), &line.root.path().join("clock"), 0)?;
        let machine = line.machine()?;
        let mut showing = Showing::start(&ann, &[SESSION])?;
        let code = showing.code()?;
        clock.set(step)?;
        let claim = enter(&machine, &code, &["--yes"]);
        let source = showing.let_anybody_in().join().expect("it does not panic")?;
        let there = entered(claim)?;
        if step > 0 {
            ensure!(source.code == 10 && source.stderr.contains("the code expired"), "{}", source.stderr);
            ensure!(is_honest(&there) && !there.stdout.contains("arrived"), "{}", there.stderr);
        } else {
            ensure!((source.code, there.code) == (0, 0), "{}{}", source.stderr, there.stderr);
        }
        line.have_back()?;
    }
    line.works()
}

/// What a process that was killed had shown is ended by the next command.
#[test]
fn a_code_ends_with_the_process_that_shows_it() -> Result<()> {
    let mut line = Line::begin(false)?;
    let machine = line.machine()?;
    let mut showing = Showing::start(line.ann(), &[SESSION])?;
    let code = showing.code()?;
    let claim = enter(&machine, &code, &["--yes"]);
    showing.until("approval")?;
    showing.kill()?;
    line.ann().json(&["device", "status"])?;
    let told = entered(claim)?;
    ensure!(told.code == 10 && told.stderr.contains("its code with it"), "{}: {}", told.code, told.stderr);
    line.works()
}
