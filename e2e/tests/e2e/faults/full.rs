//! Real disks that are full, somewhere in a command.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    fault::Random,
    native::Native,
    person::{Person, Ran},
    rig::Rig,
    showing::Showing,
    small_disk::SmallDisk,
    story::{BEN, id},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::device::{enter, entered};

/// Room for a few sessions.
const DISK_BYTES: u64 = 24 * 1024 * 1024;
/// A session that does not fit beside what fills the disk.
const TEXT_BYTES: usize = 700_000;
/// Most room that a full disk has left: more than a session needs.
const ROOM_BYTES_MAX: u64 = 1_000_000;

/// Runs a command while the disk has so much room, and again with all of it. Whether the room was too little, of which the
/// command then says as much.
fn squeezed(disk: &SmallDisk, room: u64, said: &str, run: impl Fn() -> Result<Ran>) -> Result<(Value, bool)> {
    disk.fill(room)?;
    let ran = run()?;
    let told = || format!("with room for {room}: {} {}{}", ran.code, ran.stdout, ran.stderr);
    ensure!(matches!(ran.code, 0 | 1 | 6) && !ran.stderr.contains("panicked"), "{}", told());
    disk.empty()?;
    if ran.code == 0 {
        return Ok((serde_json::from_str(&ran.stdout)?, false));
    }
    let error: Value = serde_json::from_str(&ran.stderr).with_context(told)?;
    ensure!(error["error"]["message"].as_str().is_some_and(|message| message.contains(said)), "{}", told());
    let again = run()?;
    ensure!(again.code == 0, "again: {}{}; {}", again.stdout, again.stderr, told());
    Ok((serde_json::from_str(&again.stdout)?, true))
}

/// Rooms that a seed picks: small ones more often, as most steps need little.
fn rooms(random: &mut Random, count: u32) -> Vec<u64> {
    let mut room = || {
        let max = ROOM_BYTES_MAX >> random.below(9);
        random.below(max)
    };
    (0..count).map(|_| room()).collect()
}

fn pulled(ben: &Path, session: &str) -> Result<Vec<u8>> {
    Ok(fs::read(ben.join("segue/sessions").join(session).join("content/native/session.jsonl"))?)
}

/// Ann's, then Ben's disk is full while a session goes from one to the other.
fn clients(ways: u32) -> Result<()> {
    let (root, mut random) = (TempDir::new()?, Random::seeded()?);
    let rig = Rig::begin(root.path())?;
    let (hers, his) = (rig.ann.segue_home(), rig.ben.home().parent().context("a home lies in a folder")?.to_owned());
    let (hers, his_disk) = (SmallDisk::over(&hers, DISK_BYTES)?, SmallDisk::over(&his, DISK_BYTES)?);
    let ann = rig.ann.under(hers.wrapper(&rig.ann.work()));
    let ben = rig.ben.under(his_disk.wrapper(&rig.ben.work()));
    let (mut full, mut tried) = (0, 0);
    let mut step = |disk: &SmallDisk, room: u64, person: &Person, words: &[&str]| -> Result<Value> {
        let words: Vec<_> = words.iter().copied().chain(["--json"]).collect();
        let (answer, was_full) =
            squeezed(disk, room, "No space left", || person.run(&words)).with_context(|| format!("{words:?}"))?;
        tried += 1;
        full += u32::from(was_full);
        Ok(answer)
    };
    for _ in 0..ways {
        let rooms = rooms(&mut random, 4);
        let native = Native::begin(&rig.ann, &mut random, TEXT_BYTES)?;
        let pushed = step(&hers, rooms[0], &ann, &["push", native.id()])?;
        let handed = step(&hers, rooms[1], &ann, &["handoff", native.id(), "--to", BEN])?;
        ensure!(id(&pushed, "session_id")? == id(&handed, "session_id")?, "two sessions: {pushed} {handed}");
        let handoff = id(&handed, "handoff_id")?;
        let session = id(&step(&his_disk, rooms[2], &ben, &["pull-handoff", &handoff])?, "session_id")?;
        ensure!(pulled(&his_disk.file(&his), &session)? == native.transcript()?, "other bytes arrived");
        let resumed = step(&his_disk, rooms[3], &ben, &["resume", &session, "--project", ".", "--print"])?;
        let restored = his_disk.file(id(&resumed, "native_path")?.as_ref());
        ensure!(fs::read(restored)? == native.transcript()?, "other bytes were restored");
        ensure!(id(&resumed, "native_id")? == native.id(), "another id than the sender's: {resumed}");
        ben.json(&["delete", &session, "--yes"])?;
        fs::remove_dir_all(his_disk.file(&rig.ben.home().join(".claude")))?;
    }
    println!("{full} of {tried} commands met a full disk");
    assert!(full > 0, "nothing was tried");
    rig.check_later()
}

/// The server's disk is full while it is pushed to and pulled from.
fn server(ways: u32) -> Result<()> {
    let (root, mut random) = (TempDir::new()?, Random::seeded()?);
    let mut rig = Rig::begin(root.path())?;
    rig.stop();
    let disk = SmallDisk::over(rig.data(), DISK_BYTES * 2)?;
    rig.restart_under(disk.wrapper(root.path()))?;
    let mut full = 0;
    for _ in 0..ways {
        let native = Native::begin(&rig.ann, &mut random, TEXT_BYTES)?;
        let push = || rig.ann.run(&["push", native.id(), "--json"]);
        let mut rooms = rooms(&mut random, 3).into_iter();
        let mut next = || rooms.next().unwrap_or_default();
        let (_, was_full) = squeezed(&disk, next(), "disk is full", push)?;
        let hand_over = || rig.ann.run(&["handoff", native.id(), "--to", BEN, "--json"]);
        let (handed, also) = squeezed(&disk, next(), "disk is full", hand_over)?;
        let handoff = id(&handed, "handoff_id")?;
        let pull = || rig.ben.run(&["pull-handoff", &handoff, "--json"]);
        let (answer, last) = squeezed(&disk, next(), "disk is full", pull)?;
        full += [was_full, also, last].map(u32::from).iter().sum::<u32>();
        let ben = rig.ben.home();
        let session = id(&answer, "session_id")?;
        ensure!(pulled(ben.parent().unwrap_or(&ben), &session)? == native.transcript()?, "other bytes arrived");
        rig.check()?;
    }
    println!("{full} of {} commands met a full disk", ways * 3);
    assert!(full > 0, "nothing was tried");
    rig.restart()?;
    rig.check()
}

/// What is sealed while a code is shown takes no room any more when there is too little; who is let in then does not wait for it.
#[test]
fn a_chat_that_finds_no_room_leaves_it_to_others() -> Result<()> {
    let (root, mut random) = (TempDir::new()?, Random::seeded()?);
    let rig = Rig::begin(root.path())?;
    let disk = SmallDisk::over(&rig.ann.segue_home(), 9_000_000)?;
    let ann = rig.ann.under(disk.wrapper(&rig.ann.work()));
    let large = Native::begin(&rig.ann, &mut random, 16_000_000)?;
    let small = Native::begin(&rig.ann, &mut random, 1_000)?;
    let mut showing = Showing::start(&ann, &[large.id()])?;
    let code = showing.code()?;
    let (temporary, mut begun) = (disk.file(&rig.ann.segue_home().join("tmp")), false);
    for tries in 0.. {
        ensure!(tries < 500, "what fills the disk stays there");
        ann.run(&["list"])?;
        let folders = fs::read_dir(&temporary).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
        match (begun, folders.count()) {
            (true, 0) => break,
            (_, folders) => begun |= folders > 0,
        }
    }
    ann.json(&["push", small.id()])?;
    let guest = Person::new(&root.path().join("guest"))?;
    let claim = enter(&guest, &code, &["--yes", "--server", rig.relay.url()]);
    showing.approve()?;
    let ended = showing.end()?;
    assert!(ended.code == 1 && ended.stderr.contains("The chat stays here"), "{}{}", ended.code, ended.stderr);
    let ended = entered(claim)?;
    assert!(ended.code == 10 && ended.stderr.contains("taken_back"), "{}{}", ended.code, ended.stderr);
    assert_eq!(ann.run(&["resume", large.id(), "--print"])?.code, 0);
    Ok(())
}

#[test]
fn a_full_disk_of_a_client_costs_one_command() -> Result<()> {
    clients(4)
}

#[test]
fn a_full_disk_of_a_server_costs_one_command() -> Result<()> {
    server(6)
}

#[test]
#[ignore = "long: hundreds of full disks"]
fn a_full_disk_of_a_client_costs_one_command_whatever_room_it_has() -> Result<()> {
    (0..10).try_for_each(|_| clients(10))
}

#[test]
#[ignore = "long: hundreds of full disks"]
fn a_full_disk_of_a_server_costs_one_command_whatever_room_it_has() -> Result<()> {
    (0..10).try_for_each(|_| server(20))
}
