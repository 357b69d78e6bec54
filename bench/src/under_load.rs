//! `segue-bench under-load`: how long short requests take while a push is being processed, and while nothing is.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Result;
use clap::Args;
use tempfile::TempDir;

use crate::generate::{self, MB};
use crate::http::{Connection, get};
use crate::measure::{now, timed};
use crate::report::{machine, mean, per_mille, table};
use crate::stage::{Stage, Way, native_id, port_of, token};

/// What stands in the inbox that is read.
const HANDOFFS: u64 = 20;

/// How much to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Pushes for each kind of request; after each, as long a time without one
    #[arg(long, default_value_t = 15)]
    rounds: u64,
    /// Size of what is pushed, in MB
    #[arg(long, default_value_t = 12)]
    mb: u64,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = TempDir::new()?;
    let stage = Stage::begin(root.path(), false, Way::Direct)?;
    let (claude, work) = (stage.ann.home().join(".claude"), stage.ann.work());
    for seed in 0..HANDOFFS {
        let session = generate::create(&claude, &work, 100_000, seed)?;
        stage.ann.json(&["handoff", native_id(&session)?, "--to", segue_e2e::story::BEN])?;
    }
    let token = token(&stage.ben)?;
    let requests =
        [("GET /livez", get("/livez", None)), ("inbox read", get("/api/v1/handoffs?box=inbox", Some(&token)))];
    let port = port_of(stage.server.url())?;
    let mut rows = Vec::new();
    let mut seed = 1000;
    for (name, request) in &requests {
        let (mut busy, mut quiet, mut pushes_ms) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            seed += 1;
            let session = generate::create(&claude, &work, options.mb * MB, seed)?;
            let push = || stage.ann.json(&["push", native_id(&session)?]).map(drop);
            let (during, length) = timed(|| while_doing(port, request, push))?;
            busy.extend(during);
            pushes_ms.push(length.as_secs_f64() * 1000.0);
            let mut connection = Connection::open(port)?;
            let end = now() + length;
            while now() < end {
                quiet.push(ask(&mut connection, request)?);
            }
            fs::remove_file(session)?;
        }
        let mean = mean(&pushes_ms);
        for (when, figures) in
            [(format!("during a push ({mean:.0} ms on average)"), busy), ("without".to_owned(), quiet)]
        {
            let at = |part| format!("{:.2}", per_mille(&figures, part));
            rows.push(vec![(*name).to_owned(), when, figures.len().to_string(), at(500), at(990), at(1000)]);
        }
    }
    println!("{}\n\nPushes of {} MB, requests one after the other on one connection.\n", machine(), options.mb);
    println!("{}", table(&["request", "when", "requests", "p50, ms", "p99, ms", "max, ms"], &rows));
    Ok(())
}

/// Asks again and again while this is done, on a connection that stays; how long each answer took, in ms.
fn while_doing(port: u16, request: &[u8], work: impl FnOnce() -> Result<()>) -> Result<Vec<f64>> {
    let mut connection = Connection::open(port)?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut figures = Vec::new();
            while !done.load(Ordering::SeqCst) {
                figures.push(ask(&mut connection, request)?);
            }
            anyhow::Ok(figures)
        });
        let worked = work();
        done.store(true, Ordering::SeqCst);
        let figures = asking.join().map_err(|_| anyhow::anyhow!("the asking thread panicked"))?;
        worked.and(figures)
    })
}

/// How long until the whole answer is there, in ms.
fn ask(connection: &mut Connection, request: &[u8]) -> Result<f64> {
    let (_, wall) = timed(|| connection.exchange(request))?;
    Ok(wall.as_secs_f64() * 1000.0)
}
