//! Rounds with a fault at a call: some that a seed picks, or all.

use anyhow::Result;
use segue_e2e::{
    fault::{Fault, Random, What},
    rig::Rig,
};
use tempfile::TempDir;

use super::round::{At, round};

/// Calls, and how often the command that makes one most often does.
pub(super) type Calls = [(&'static str, u32)];

/// Rounds on one server: with each session that is there a command opens more files.
const FRESH_AFTER: u32 = 16;

/// As many rounds as asked for, at calls that a seed picks.
pub(super) fn some(rounds: u32, at: At, calls: &Calls, whats: &[What]) -> Result<()> {
    let (root, mut random) = (TempDir::new()?, Random::seeded()?);
    let mut rig = Rig::begin(root.path())?;
    let mut met = 0;
    for _ in 0..rounds {
        let (call, max) = pick(&mut random, calls)?;
        let (nth, what) = (1 + u32::try_from(random.below(max.into()))?, pick(&mut random, whats)?);
        met += round(&mut rig, &mut random, at, Fault { call, nth, what })?;
    }
    println!("{at:?}: {met} faults in {rounds} rounds");
    assert!(met > 0, "nothing was tried");
    rig.check_later()
}

/// Every call, from the first to the last that any command makes.
pub(super) fn every(at: At, calls: &Calls, whats: &[What]) -> Result<()> {
    let mut random = Random::seeded()?;
    let mut all = 0;
    for (call, _) in calls {
        for what in whats {
            let (mut nth, mut last) = (1, false);
            while !last {
                let root = TempDir::new()?;
                let mut rig = Rig::begin(root.path())?;
                for _ in 0..FRESH_AFTER {
                    let met = round(&mut rig, &mut random, at, Fault { call, nth, what: *what })?;
                    all += met;
                    last = met == 0;
                    if last {
                        break;
                    }
                    nth += 1;
                }
                rig.check_later()?;
            }
            println!("{at:?} {what:?} {call}: {} calls", nth - 1);
        }
    }
    println!("{at:?}: {all} faults");
    assert!(all > 0, "nothing was tried");
    Ok(())
}

fn pick<T: Copy>(random: &mut Random, from: &[T]) -> Result<T> {
    Ok(from[usize::try_from(random.below(from.len() as u64))?])
}
