//! Programs that are killed at a call, and those that take their place.

use anyhow::Result;
use segue_e2e::{
    fault::{Fault, Random, What},
    rig::Rig,
};
use tempfile::TempDir;

use super::round::{At, round};

/// Calls of a client between which something changes, and how often its longest command makes each.
const CLIENT: [(&str, u32); 8] = [
    ("fsync", 12),
    ("rename", 6),
    ("renameat2", 4),
    ("unlink", 4),
    ("unlinkat", 4),
    ("mkdir", 10),
    ("writev", 6),
    ("openat", 60),
];
/// The same of a server that serves one command.
const SERVER: [(&str, u32); 6] =
    [("fsync", 4), ("fdatasync", 8), ("rename", 2), ("pwrite64", 40), ("writev", 8), ("openat", 30)];
/// Rounds of a sample.
const SAMPLE: u32 = 8;

fn sample(at: At, calls: &[(&'static str, u32)]) -> Result<()> {
    let (root, mut random) = (TempDir::new()?, Random::seeded()?);
    let mut rig = Rig::begin(root.path())?;
    let mut met = 0;
    for _ in 0..SAMPLE {
        let (call, max) = calls[usize::try_from(random.below(calls.len() as u64))?];
        let nth = 1 + u32::try_from(random.below(max.into()))?;
        met += round(&mut rig, &mut random, at, Fault { call, nth, what: What::Kill })?;
    }
    println!("{met} kills");
    assert!(met > 0);
    rig.check_later()
}

fn every(at: At, calls: &[(&'static str, u32)]) -> Result<()> {
    let mut random = Random::seeded()?;
    let mut all = 0;
    for (call, _) in calls {
        let root = TempDir::new()?;
        let mut rig = Rig::begin(root.path())?;
        for nth in 1.. {
            let met = round(&mut rig, &mut random, at, Fault { call, nth, what: What::Kill })?;
            all += met;
            if met == 0 {
                println!("{at:?} {call}: {} calls", nth - 1);
                break;
            }
        }
        rig.check_later()?;
    }
    println!("{at:?}: {all} kills");
    Ok(())
}

#[test]
fn a_killed_client_loses_nothing() -> Result<()> {
    sample(At::Client, &CLIENT)
}

#[test]
fn a_killed_server_loses_nothing() -> Result<()> {
    sample(At::Server, &SERVER)
}

#[test]
#[ignore = "long: a client is killed at every call"]
fn a_client_killed_at_every_call_loses_nothing() -> Result<()> {
    every(At::Client, &CLIENT)
}

#[test]
#[ignore = "long: a server is killed at every call"]
fn a_server_killed_at_every_call_loses_nothing() -> Result<()> {
    every(At::Server, &SERVER)
}
