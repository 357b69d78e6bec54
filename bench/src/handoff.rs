//! `segue-bench handoff`: one session file from one person's disk to another's, by every way, in paired rounds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use tempfile::TempDir;

use crate::generate;
use crate::measure::{processor, run as run_program, timed};
use crate::peers::{self, Peer, Sender};
use crate::proxy::Bytes;
use crate::report::{Spread, load, machine, paired, table};
use crate::stage::Way;

/// How often one way may be tried in a round.
const TRIES_MAX: u64 = 2;

/// How much to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Rounds for each size; every way once a round
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Sizes in MB
    #[arg(long, value_delimiter = ',', default_value = "1,10,100")]
    mb: Vec<u64>,
}

/// What was measured of one way.
#[derive(Default)]
struct Figures {
    wall_ms: Vec<f64>,
    processor_s: Vec<f64>,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = TempDir::new()?;
    let (direct, sender) = peers::all(&root.path().join("direct"), Way::Direct)?;
    let (counted, counted_sender) = peers::all(&root.path().join("counted"), Way::Counted)?;
    println!("{}\n", machine());
    let mut round = 0;
    for &mb in &options.mb {
        let before = load();
        let mut figures: Vec<Figures> = direct.iter().map(|_| Figures::default()).collect();
        for turn in 0..options.rounds {
            round += 1;
            one_round(&direct, &sender, mb, round, turn, &mut figures)?;
        }
        round += 1;
        let bytes = count(&counted, &counted_sender, mb, round)?;
        println!("### {mb} MB, {} rounds, load average {before} before and {} after\n", options.rounds, load());
        println!("{}", rows(&direct, &figures, &bytes));
    }
    Ok(())
}

/// Every way once, with the same session, which none of them has seen before.
fn one_round(
    peers: &[Box<dyn Peer>],
    sender: &Sender,
    mb: u64,
    round: u64,
    turn: u64,
    figures: &mut [Figures],
) -> Result<()> {
    let session = generate::create(&sender.claude_dir, &sender.work, mb * generate::MB, round)?;
    for step in 0..peers.len() {
        // Another one goes first each time, so that none always finds the disk as another left it.
        let chosen = (step + usize::try_from(turn)?) % peers.len();
        let peer = &peers[chosen];
        // What the one before wrote is not left for this one to wait for.
        run_program(Command::new("sync").arg("-f").arg(&session))?;
        let before = processor(&peer.servers())?;
        // Our own may not fail once.
        let tries = if chosen == 0 { 1 } else { TRIES_MAX };
        let (received, wall) = hand_over(peer.as_ref(), &session, round, tries).with_context(|| peer.name())?;
        let used = processor(&peer.servers())? - before;
        same(&session, &received).with_context(|| peer.name())?;
        peer.tidy()?;
        figures[chosen].wall_ms.push(wall.as_secs_f64() * 1000.0);
        figures[chosen].processor_s.push(used);
    }
    fs::remove_file(session)?;
    Ok(())
}

/// One that fails is said aloud and tried again, as a person would; the time is that of the try that did not.
fn hand_over(peer: &dyn Peer, session: &Path, round: u64, tries: u64) -> Result<(PathBuf, Duration)> {
    for again in 1..tries {
        match timed(|| peer.hand_over(session, round)) {
            Err(error) => eprintln!("{} failed and is tried again ({again}): {error:#}", peer.name()),
            answer => return answer,
        }
        peer.tidy()?;
    }
    timed(|| peer.hand_over(session, round + u64::from(u32::MAX)))
}

/// The bytes on the wire, in a round of its own that nobody times.
fn count(peers: &[Box<dyn Peer>], sender: &Sender, mb: u64, round: u64) -> Result<Vec<Bytes>> {
    let session = generate::create(&sender.claude_dir, &sender.work, mb * generate::MB, round)?;
    let mut all = Vec::new();
    for peer in peers {
        peer.take();
        let received = peer.hand_over(&session, round).with_context(|| peer.name())?;
        same(&session, &received).with_context(|| peer.name())?;
        peer.tidy()?;
        all.push(peer.take().context("a counted way has a proxy")?);
    }
    fs::remove_file(session)?;
    Ok(all)
}

/// Compares byte for byte, then removes what was received.
fn same(sent: &Path, received: &Path) -> Result<()> {
    let (one, other) = (fs::read(sent)?, fs::read(received).with_context(|| format!("{}", received.display()))?);
    ensure!(one == other, "{} is not what was sent", received.display());
    fs::remove_file(received)?;
    Ok(())
}

fn rows(peers: &[Box<dyn Peer>], figures: &[Figures], bytes: &[Bytes]) -> String {
    let own = &figures[0];
    let rows: Vec<Vec<String>> = peers
        .iter()
        .zip(figures)
        .zip(bytes)
        .map(|((peer, figures), bytes)| {
            vec![
                peer.name().to_owned(),
                Spread::of(&figures.wall_ms).text(0),
                paired(&figures.wall_ms, &own.wall_ms).text(2),
                Spread::of(&figures.processor_s).text(2),
                bytes.up.to_string(),
                bytes.down.to_string(),
            ]
        })
        .collect();
    let head = ["way", "wall, ms", "wall ÷ segue's, paired", "user + sys, s", "bytes up", "bytes down"];
    format!("Each cell: min / median / max.\n\n{}", table(&head, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_changed_is_an_error() {
        let root = TempDir::new().unwrap();
        let (sent, received) = (root.path().join("sent"), root.path().join("received"));
        fs::write(&sent, "abc").unwrap();
        fs::write(&received, "abd").unwrap();
        assert!(same(&sent, &received).is_err());
        fs::write(&received, "abc").unwrap();
        same(&sent, &received).unwrap();
        assert!(same(&sent, &received).is_err(), "it was removed, so that no later round can find it");
    }
}
