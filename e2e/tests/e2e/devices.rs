//! Devices that come and go: recovery, removal with new keys, and what the other devices are told (SPEC A1, A3, A5).

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
    thread,
};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    fault::{Fault, What},
    person::{Person, Ran, fixture},
    server::{Options, Server},
    showing::Showing,
    story::{ANN, BEN, id, invite, join_as_owner},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::device::{enter, entered, event};

const SESSION: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";

/// A server, its owner Ann with her recovery code, and Ben.
struct World {
    root: TempDir,
    server: Server,
    ann: Person,
    ben: Person,
    code: String,
}

impl World {
    fn begin() -> Result<Self> {
        let root = TempDir::new()?;
        let server = Server::start(&root.path().join("server"), &Options::default())?;
        let (ann, ben) = (Person::new(&root.path().join("ann"))?, Person::new(&root.path().join("ben"))?);
        let code = id(&join_as_owner(&server, &ann)?, "recovery_code")?;
        invite(&ann, &ben, BEN)?;
        Ok(Self { root, server, ann, ben, code })
    }

    /// Another machine of Ann's, not yet a device.
    fn machine(&self, name: &str) -> Result<Person> {
        Person::new(&self.root.path().join(name))
    }

    /// Makes it one.
    fn recover(&self, machine: &Person, code: &str, name: &str) -> Result<Value> {
        let machine = machine.clone().with("SEGUE_RECOVERY_CODE", code);
        machine.json(&["recover", self.server.url(), ANN, "--device", name])
    }
}

/// The names of the devices that are listed, this one first.
fn names(person: &Person) -> Result<Vec<String>> {
    let listed = person.json(&["devices"])?;
    let devices = listed["devices"].as_array().context("no devices")?;
    let name = |device: &Value| device["name"].as_str().unwrap_or_default().to_owned();
    let (this, others): (Vec<_>, Vec<_>) = devices.iter().partition(|device| device["this"] == true);
    Ok(this.into_iter().chain(others).map(name).collect())
}

fn refused(ran: &Ran, code: i32, says: &str) -> Result<()> {
    ensure!(ran.code == code && ran.stderr.contains(says), "{}: {}{}", ran.code, ran.stdout, ran.stderr);
    Ok(())
}

#[test]
fn a_machine_becomes_a_device_with_the_recovery_code() -> Result<()> {
    let world = World::begin()?;
    let phone = world.machine("phone")?;
    // The code is never an argument, and a wrong one says no more than an unknown address.
    let wrong = "0000-0000-0000-0000-0000-0000-0000-0000";
    let said = [ANN, "nobody@example.com"].map(|email| {
        let phone = phone.clone().with("SEGUE_RECOVERY_CODE", wrong);
        phone.run(&["recover", world.server.url(), email])
    });
    let [known, unknown] = said;
    let (known, unknown) = (known?, unknown?);
    refused(&known, 9, "recovery code")?;
    assert_eq!((known.code, &known.stderr), (unknown.code, &unknown.stderr));
    refused(&phone.run(&["recover", world.server.url(), ANN])?, 2, "SEGUE_RECOVERY_CODE")?;
    let recovered = world.recover(&phone, &world.code.to_lowercase(), "phone")?;
    assert_eq!(recovered["other_devices"].as_array().map(Vec::len), Some(1), "{recovered}");
    assert_eq!(names(&phone)?.len(), 2);
    refused(&world.recover_again(&phone)?, 5, "already signed in")?;
    // The laptop is told once, and does not do what it did twice.
    let first = world.ann.run(&["whoami"])?;
    assert!(
        first.code == 0 && first.stderr.contains("phone") && first.stderr.contains("recovery code"),
        "{}",
        first.stderr
    );
    assert!(!world.ann.run(&["whoami"])?.stderr.contains("phone"), "told twice");
    assert!(!phone.run(&["whoami"])?.stderr.contains("phone"), "told of itself");
    assert_eq!(recovered["user_id"], world.ann.json(&["whoami"])?["user_id"]);
    // What is handed to Ann opens there, and what she hands over from there is hers.
    world.ben.record(&fixture("claude-code", "2.1.197"))?;
    let handoff = id(&world.ben.json(&["handoff", SESSION, "--to", ANN])?, "handoff_id")?;
    phone.json(&["pull-handoff", &handoff])?;
    // Another code; the one before is worth nothing.
    let code = id(&phone.json(&["recover", "--new-code"])?, "recovery_code")?;
    let desktop = world.machine("desktop")?;
    let old = desktop.clone().with("SEGUE_RECOVERY_CODE", &world.code).run(&["recover", world.server.url(), ANN])?;
    refused(&old, 9, "recovery code")?;
    assert_eq!(world.recover(&desktop, &code, "desktop")?["other_devices"].as_array().map(Vec::len), Some(2));
    let told = world.ann.run(&["devices"])?;
    assert!(told.stderr.contains("new recovery code") && told.stderr.contains("desktop"), "{}", told.stderr);
    Ok(())
}

impl World {
    fn recover_again(&self, machine: &Person) -> Result<Ran> {
        machine.clone().with("SEGUE_RECOVERY_CODE", &self.code).run(&["recover", self.server.url(), ANN])
    }
}

#[test]
fn a_removed_device_gets_nothing_new_and_the_others_go_on() -> Result<()> {
    let world = World::begin()?;
    let (phone, desktop) = (world.machine("phone")?, world.machine("desktop")?);
    world.recover(&phone, &world.code, "phone")?;
    world.recover(&desktop, &world.code, "desktop")?;
    world.ben.record(&fixture("claude-code", "2.1.197"))?;
    let waiting = id(&world.ben.json(&["handoff", SESSION, "--to", ANN])?, "handoff_id")?;
    let claimed = id(&world.ben.json(&["handoff", SESSION, "--to", ANN])?, "handoff_id")?;
    phone.json(&["pull-handoff", &claimed])?;
    let before = world.ann.json(&["whoami"])?;
    refused(&world.ann.run(&["devices", "remove", "phone"])?, 2, "--yes")?;
    refused(&world.ann.run(&["devices", "remove", "tablet", "--yes"])?, 4, "segue devices")?;
    let removed = world.ann.json(&["devices", "remove", "phone", "--yes"])?;
    let code = id(&removed, "recovery_code")?;
    assert_ne!(code, world.code);
    refused(&phone.run(&["whoami"])?, 3, "removed")?;
    // The desktop takes the new root with its next command, and says so once.
    desktop.record(&fixture("claude-code", "2.1.197"))?;
    let caught_up = desktop.run(&["push", SESSION])?;
    assert!(caught_up.code == 0 && caught_up.stderr.contains("removed phone"), "{}", caught_up.stderr);
    assert!(!desktop.run(&["whoami"])?.stderr.contains("phone"));
    let after = world.ann.json(&["whoami"])?;
    assert_ne!(after["fingerprint"], before["fingerprint"]);
    assert_eq!(desktop.json(&["whoami"])?["fingerprint"], after["fingerprint"]);
    assert_eq!(names(&desktop)?.len(), 2);
    assert_eq!(world.ann.json(&["devices", "--all"])?["devices"].as_array().map(Vec::len), Some(3));
    // What was sealed for the old keys opens with the keyring: what waited, and what was claimed on the removed device.
    desktop.json(&["pull-handoff", &waiting])?;
    world.ann.json(&["pull-handoff", &claimed])?;
    // The old code is worth nothing; the new one also brings the old roots.
    let tablet = world.machine("tablet")?;
    refused(
        &tablet.clone().with("SEGUE_RECOVERY_CODE", &world.code).run(&["recover", world.server.url(), ANN])?,
        9,
        "newest",
    )?;
    world.recover(&tablet, &code, "tablet")?;
    tablet.json(&["pull-handoff", &claimed])?;
    Ok(())
}

#[test]
fn one_signs_out_and_the_last_one_stays() -> Result<()> {
    let world = World::begin()?;
    let this = names(&world.ann)?.remove(0);
    refused(&world.ann.run(&["devices", "remove", &this, "--yes"])?, 2, "only device")?;
    let phone = world.machine("phone")?;
    world.recover(&phone, &world.code, "phone")?;
    let left = phone.json(&["devices", "remove", "phone", "--yes"])?;
    assert_eq!(left["signed_out"], true, "{left}");
    refused(&phone.run(&["whoami"])?, 3, "nobody is signed in")?;
    let told = world.ann.run(&["devices"])?;
    assert!(told.stderr.contains("signed out"), "{}", told.stderr);
    // And may come again.
    world.recover(&phone, &id(&left, "recovery_code")?, "phone")?;
    assert_eq!(names(&phone)?, ["phone".to_owned(), this]);
    Ok(())
}

#[test]
fn the_same_machine_is_removed_and_comes_back_twenty_times() -> Result<()> {
    let world = World::begin()?;
    let phone = world.machine("phone")?;
    let mut code = world.code.clone();
    for round in 1..=20 {
        let with_code = phone.clone().with("SEGUE_RECOVERY_CODE", &code);
        // After the first time it knows where it was.
        let arguments: &[&str] = if round == 1 { &["recover", world.server.url(), ANN] } else { &["recover"] };
        with_code.json(&[arguments, &["--device", "phone"]].concat()).with_context(|| format!("round {round}"))?;
        assert_eq!(names(&phone)?[0], "phone", "{round}");
        code = id(&world.ann.json(&["devices", "remove", "phone", "--yes"])?, "recovery_code")?;
        refused(&phone.run(&["whoami"])?, 3, "segue recover")?;
    }
    let elsewhere = phone.clone().with("SEGUE_RECOVERY_CODE", &code).run(&["recover", world.server.url(), BEN])?;
    refused(&elsewhere, 5, "SEGUE_HOME")?;
    assert_eq!(world.ann.json(&["devices", "--all"])?["devices"].as_array().map(Vec::len), Some(21));
    Ok(())
}

#[test]
fn two_devices_remove_each_other_and_one_is_first() -> Result<()> {
    let world = World::begin()?;
    let (phone, desktop) = (world.machine("phone")?, world.machine("desktop")?);
    world.recover(&phone, &world.code, "phone")?;
    world.recover(&desktop, &world.code, "desktop")?;
    names(&phone)?;
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(|| phone.run(&["devices", "remove", "desktop", "--yes", "--json"]));
        let other = scope.spawn(|| desktop.run(&["devices", "remove", "phone", "--yes", "--json"]));
        (one.join().expect("no panic"), other.join().expect("no panic"))
    });
    let (one, other) = (one?, other?);
    assert_eq!([one.code, other.code].iter().filter(|code| **code == 0).count(), 1, "{one:?} {other:?}");
    let winner = if one.code == 0 { &phone } else { &desktop };
    assert_eq!(names(winner)?.len(), 2);
    assert_eq!(names(&world.ann)?.len(), 2);
    Ok(())
}

/// A command that must follow what happened on another device begins anew, and finds what was piped in.
#[test]
fn what_was_piped_in_is_there_though_the_account_changed_meanwhile() -> Result<()> {
    let world = World::begin()?;
    world.ann.record(&fixture("claude-code", "2.1.197"))?;
    let (phone, desktop) = (world.machine("phone")?, world.machine("desktop")?);
    world.recover(&phone, &world.code, "phone")?;
    world.recover(&desktop, &world.code, "desktop")?;
    desktop.json(&["devices", "remove", "phone", "--yes"])?;
    let mut showing = Showing::start(&world.ann, &[SESSION, "--draft", "-"])?;
    showing.type_line("what I was about to say")?;
    showing.say_no_more();
    let there = enter(&desktop, &showing.code()?, &[]);
    showing.until("ready")?;
    let there = entered(there)?;
    ensure!(there.code == 0, "{}{}", there.stdout, there.stderr);
    let draft = id(&event(&there, "ready")?, "draft_file")?;
    assert_eq!(fs::read_to_string(draft)?, "what I was about to say\n");
    Ok(())
}

/// What a client does that lasts: files come to their places and go, and the server is told and answers.
const LASTING: [&str; 4] = ["rename", "unlink", "sendto", "recvfrom"];

#[test]
fn a_removal_and_a_recovery_that_are_killed_anywhere_are_repeated() -> Result<()> {
    let world = World::begin()?;
    let mut code = world.code.clone();
    let mut met = 0;
    for call in LASTING {
        for nth in 1.. {
            let fault = Fault { call, nth, what: What::Kill };
            let (next, at_recovery) = recovered_and_removed(&world, &code, &fault)?;
            code = next.0;
            met += u32::from(at_recovery) + u32::from(next.1);
            if !at_recovery && !next.1 {
                break;
            }
        }
    }
    ensure!(met >= 12, "only {met} kills met a command");
    world.recover(&world.machine("last")?, &code, "last")?;
    Ok(())
}

/// A machine recovers and is removed again, each command once killed and repeated. The new code, and whether each kill came.
fn recovered_and_removed(world: &World, code: &str, fault: &Fault) -> Result<((String, bool), bool)> {
    let phone = world.machine(&format!("phone {} {}", fault.call, fault.nth))?.with("SEGUE_RECOVERY_CODE", code);
    let arguments = ["recover", world.server.url(), ANN, "--device", "phone", "--json"];
    let (_, at_recovery) = killed(&phone, &arguments, fault)?;
    let again = phone.run(&arguments)?;
    ensure!(again.code == 0 || again.stderr.contains("already signed in"), "{fault:?}: {again:?}");
    assert_eq!(names(&phone)?[0], "phone");
    let listed = names(&world.ann)?;
    assert_eq!(listed.iter().filter(|name| *name == "phone").count(), 1, "{fault:?}: a half device: {listed:?}");

    let arguments = ["devices", "remove", "phone", "--yes", "--json"];
    let (first, at_removal) = killed(&world.ann, &arguments, fault)?;
    let again = world.ann.run(&arguments)?;
    assert_eq!(names(&world.ann)?.len(), 1, "{fault:?}: {again:?}");
    // Whichever of the two showed it: on standard output, or as news of what was completed.
    let shown = [&first, &again.stdout, &again.stderr].into_iter().find_map(|said| shown_code(said));
    Ok((
        (shown.with_context(|| format!("{fault:?}: the new code was never shown: {again:?}"))?, at_removal),
        at_recovery,
    ))
}

/// Runs a command that meets a kill; what it said on both outputs, and whether it came.
fn killed(person: &Person, arguments: &[&str], fault: &Fault) -> Result<(String, bool)> {
    let log = person.work().join("strace");
    let ran = person.under(fault.wrapper(&log)).run(arguments)?;
    let met = Fault::was_met(&log)?;
    fs::remove_file(log)?;
    Ok((ran.stdout + &ran.stderr, met))
}

/// The recovery code in what a command said.
fn shown_code(said: &str) -> Option<String> {
    let word =
        |text: &&str| text.len() == 39 && text.split('-').count() == 8 && text.split('-').all(|group| group.len() == 4);
    let mut words = said.split(|symbol: char| !symbol.is_ascii_alphanumeric() && symbol != '-');
    words.find(word).map(str::to_owned)
}

#[test]
fn peers_are_blocked_by_new_keys_until_fingerprints_were_compared() -> Result<()> {
    let world = World::begin()?;
    world.ann.record(&fixture("claude-code", "2.1.197"))?;
    world.ben.record(&fixture("claude-code", "2.1.197"))?;
    world.ben.json(&["handoff", SESSION, "--to", ANN])?;
    let waiting = id(&world.ann.json(&["handoff", SESSION, "--to", BEN])?, "handoff_id")?;
    let phone = world.machine("phone")?;
    world.recover(&phone, &world.code, "phone")?;
    phone.record(&fixture("claude-code", "2.1.197"))?;
    let from_phone = id(&phone.json(&["handoff", SESSION, "--to", BEN])?, "handoff_id")?;
    let code = id(&world.ann.json(&["devices", "remove", "phone", "--yes"])?, "recovery_code")?;
    // Neither to her nor from her, before Ben has compared.
    for arguments in [&["handoff", SESSION, "--to", ANN][..], &["pull-handoff", &waiting]] {
        let blocked = world.ben.run(arguments)?;
        refused(&blocked, 9, "removed a device, and the key that you know signed the new one")?;
        assert!(blocked.stderr.contains("segue verify ann@example.com"), "{}", blocked.stderr);
    }
    let contacts = world.ben.json(&["contacts"])?;
    let [ann] = contacts["contacts"].as_array().context("no contacts")?.as_slice() else { panic!("{contacts}") };
    assert!(
        ann["changed"]["signed_by_known"] == true && ann["verified_at"].is_null() && ann["first_seen"].is_i64(),
        "{ann}"
    );
    let fingerprint = id(&world.ann.json(&["whoami"])?, "fingerprint")?;
    assert_eq!(ann["changed"]["fingerprint"], fingerprint.as_str());
    refused(&world.ben.run(&["verify", ANN])?, 2, "FINGERPRINT")?;
    // Whatever it is, with another first symbol it is another one.
    let another = format!("{}{}", if fingerprint.starts_with('0') { '1' } else { '0' }, &fingerprint[1..]);
    refused(&world.ben.run(&["verify", ANN, &another])?, 9, "another one than you were told")?;
    refused(&world.ben.run(&["handoff", SESSION, "--to", ANN])?, 9, "segue verify")?;
    let verified = world.ben.json(&["verify", ANN, &fingerprint.to_lowercase()])?;
    assert_eq!(
        (&verified["changed"], &verified["fingerprint"]),
        (&true.into(), &fingerprint.as_str().into()),
        "{verified}"
    );
    assert_eq!(verified["own_fingerprint"], world.ben.json(&["whoami"])?["fingerprint"]);
    let contacts = world.ben.json(&["contacts"])?;
    assert!(
        contacts["contacts"][0]["verified_at"].is_i64() && contacts["contacts"][0]["changed"].is_null(),
        "{contacts}"
    );
    // What the device that stays had given is claimed; what the removed one had given is not.
    world.ben.json(&["pull-handoff", &waiting])?;
    refused(&world.ben.run(&["pull-handoff", &from_phone])?, 9, "removed that device")?;
    let onward = id(&world.ben.json(&["handoff", SESSION, "--to", ANN])?, "handoff_id")?;
    world.ann.json(&["pull-handoff", &onward])?;
    // Twice more: the key that Ben knows has not signed the newest one, and that is said otherwise.
    let mut code = code;
    for _ in 0..2 {
        let phone = world.machine("again")?;
        world.recover(&phone, &code, "again")?;
        code = id(&world.ann.json(&["devices", "remove", "again", "--yes"])?, "recovery_code")?;
    }
    refused(
        &world.ben.run(&["handoff", SESSION, "--to", ANN])?,
        9,
        "the key that you know has not signed the new one",
    )?;
    refused(&world.ben.run(&["verify", BEN, "--yes"])?, 2, "that is you")?;
    refused(&world.ben.run(&["verify", "nobody@example.com", "--yes"])?, 4, "joined")?;
    world.ben.json(&["verify", ANN, "--yes"])?;
    world.ben.json(&["handoff", SESSION, "--to", ANN])?;
    // One hands to oneself across new keys without comparing anything.
    world.ann.json(&["handoff", SESSION, "--to", ANN])?;
    Ok(())
}

#[test]
fn a_watch_says_what_happens_to_devices() -> Result<()> {
    let world = World::begin()?;
    let mut watch = world.ann.command(&["handoffs", "watch", "--json"])?.stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(watch.stdout.take().context("stdout was asked for")?).lines();
    let mut next = || -> Result<Value> { Ok(serde_json::from_str(&lines.next().context("the watch ended")??)?) };
    assert_eq!(next()?["kind"], "begin");
    let phone = world.machine("phone")?;
    let recovered = world.recover(&phone, &world.code, "phone")?;
    let told = next()?;
    assert_eq!((&told["kind"], &told["device_id"]), (&"device_recovered".into(), &recovered["device_id"]), "{told}");
    phone.json(&["recover", "--new-code"])?;
    assert_eq!(next()?["kind"], "recovery_code_made");
    world.ann.json(&["devices", "remove", "phone", "--yes"])?;
    assert_eq!(next()?["kind"], "device_removed");
    watch.kill()?;
    watch.wait()?;
    Ok(())
}

/// What a person reads of a team, or why not.
fn team(person: &Person, more: &[&str]) -> Result<Ran> {
    person.run(&[&["team"], more].concat())
}

#[test]
fn a_team_takes_a_members_new_keys_with_one_command() -> Result<()> {
    let world = World::begin()?;
    let id_of = id(&world.ann.json(&["team", "create", "Parsers"])?, "team_id")?;
    world.ann.json(&["team", "add", "Parsers", BEN])?;
    world.ben.json(&["team", "show", "Parsers"])?;
    assert_eq!(world.ann.json(&["team", "mend", "Parsers"])?["changed"], false);
    // Ben removes a device: he is no member until Ann takes his new keys, and Ann must compare first.
    let code = bens_code(&world)?;
    let phone = world.machine("bens phone")?.with("SEGUE_RECOVERY_CODE", code);
    phone.json(&["recover", world.server.url(), BEN, "--device", "phone"])?;
    world.ben.json(&["devices", "remove", "phone", "--yes"])?;
    refused(&team(&world.ben, &["show", &id_of])?, 5, "you are no member of it")?;
    world.ben.record(&fixture("claude-code", "2.1.197"))?;
    refused(&world.ben.run(&["handoff", SESSION, "--to-team-id", &id_of])?, 5, "segue team mend")?;
    let shown = team(&world.ann, &["show", &id_of])?;
    assert!(shown.stdout.contains("has new keys") && shown.stdout.contains("segue team mend"), "{}", shown.stdout);
    refused(&team(&world.ann, &["mend", &id_of])?, 9, "segue verify ben@example.com")?;
    world.ann.json(&["verify", BEN, "--yes"])?;
    let mended = world.ann.json(&["team", "mend", &id_of])?;
    assert_eq!((&mended["version"], &mended["epoch"]), (&3.into(), &2.into()), "{mended}");
    assert_eq!(team(&world.ben, &["show", &id_of])?.code, 0);
    let handoff = id(&world.ben.json(&["handoff", SESSION, "--to-team-id", &id_of])?, "handoff_id")?;
    world.ann.json(&["pull-handoff", &handoff])?;
    Ok(())
}

/// A new code of Ben's: his first was shown where nobody looked.
fn bens_code(world: &World) -> Result<String> {
    id(&world.ben.json(&["recover", "--new-code"])?, "recovery_code")
}

#[test]
fn an_only_admin_mends_after_removing_a_device_that_had_signed() -> Result<()> {
    let world = World::begin()?;
    let phone = world.machine("phone")?;
    world.recover(&phone, &world.code, "phone")?;
    let id_of = id(&phone.json(&["team", "create", "Parsers"])?, "team_id")?;
    phone.json(&["team", "add", "Parsers", BEN])?;
    world.ben.json(&["team", "show", &id_of])?;
    world.ann.json(&["devices", "remove", "phone", "--yes"])?;
    // The laptop has never seen the team, and whoever has the phone could have signed it.
    for arguments in [&["show", &id_of][..], &["rename", &id_of, "Lexers"]] {
        refused(&team(&world.ann, arguments)?, 9, "segue team mend")?;
    }
    refused(&team(&world.ann, &["mend", &id_of])?, 2, BEN)?;
    let mended = world.ann.json(&["team", "mend", &id_of, "--yes"])?;
    assert_eq!((&mended["version"], &mended["epoch"]), (&3.into(), &2.into()), "{mended}");
    assert_eq!(team(&world.ann, &["show", &id_of])?.code, 0);
    refused(&team(&world.ben, &["show", &id_of])?, 9, "segue verify ann@example.com")?;
    world.ben.json(&["verify", ANN, "--yes"])?;
    let shown = world.ben.json(&["team", "show", &id_of])?;
    assert_eq!((&shown["version"], &shown["members"][0]["outdated"]), (&3.into(), &false.into()), "{shown}");
    world.ann.record(&fixture("claude-code", "2.1.197"))?;
    let handoff = id(&world.ann.json(&["handoff", SESSION, "--to-team-id", &id_of])?, "handoff_id")?;
    world.ben.json(&["pull-handoff", &handoff])?;
    Ok(())
}
