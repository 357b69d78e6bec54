//! `segue-bench device`: a chat to another device, from the last symbol of the code to the session where its tool finds it, beside
//! a file that goes by `wormhole-rs`, in paired rounds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use segue_e2e::{person::Person, showing::Showing, story::id};
use tempfile::TempDir;

use crate::generate;
use crate::measure::{run as run_program, timed, typing};
use crate::peers::{Compress, Wormhole};
use crate::proxy::Line;
use crate::report::{Spread, load, machine, paired, table};
use crate::stage::{Stage, Way, native_id};

/// The ways, in the order of the table.
const WAYS: [&str; 3] = ["segue, a device of the account", "segue, a guest that is let in at once", "wormhole-rs"];

/// How often `wormhole-rs` may be tried in a round.
const TRIES_MAX: u64 = 6;

/// How much to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Rounds for each size; every way once a round
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Sizes in MB
    #[arg(long, value_delimiter = ',', default_value = "1,10")]
    mb: Vec<u64>,
    /// Megabits a second of the line to the server or relay, in each direction; without it all is on this machine
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    mbit: Option<u32>,
    /// How long that line takes in each direction, in ms
    #[arg(long, default_value_t = 10, requires = "mbit", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    delay_ms: u32,
}

/// Everybody, with everything that is done once already done.
struct Scene {
    stage: Stage,
    wormhole: Wormhole,
    root: PathBuf,
    machines: u64,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = TempDir::new()?;
    let way = options.mbit.map_or(Way::Direct, |mbit| Way::Line(Line { mbit, delay_ms: options.delay_ms }));
    let mut scene = Scene {
        stage: Stage::begin(&root.path().join("segue"), true, way)?,
        wormhole: Wormhole::begin(&root.path().join("wormhole"), way, Compress::Not)?,
        root: root.path().to_owned(),
        machines: 0,
    };
    println!("{}\n", machine());
    if let Way::Line(Line { mbit, delay_ms }) = way {
        println!("Each device to the server or relay: {mbit} Mbit/s and {delay_ms} ms, in each direction.\n");
    }
    let mut round = 0;
    for &mb in &options.mb {
        let (before, mut figures) = (load(), [Vec::new(), Vec::new(), Vec::new()]);
        for turn in 0..options.rounds {
            for step in 0..WAYS.len() {
                round += 1;
                // Another one goes first each time, so that none always finds the disk as another left it.
                let way = (step + usize::try_from(turn)?) % WAYS.len();
                let wall = scene.move_one(way, mb, round).with_context(|| WAYS[way])?;
                figures[way].push(wall.as_secs_f64() * 1000.0);
            }
        }
        println!("#### {mb} MB, {} rounds, load average {before} before and {} after\n", options.rounds, load());
        println!("{}", rows(&figures));
    }
    Ok(())
}

impl Scene {
    /// Moves a session that was never seen before; how long the other device takes from the last symbol on.
    fn move_one(&mut self, way: usize, mb: u64, round: u64) -> Result<Duration> {
        let ann = &self.stage.ann;
        let session = generate::create(&ann.home().join(".claude"), &ann.work(), mb * generate::MB, round)?;
        run_program(Command::new("sync").arg("-f").arg(&session))?;
        let (received, wall) = match way {
            0 | 1 => self.by_code(&session, way == 0)?,
            _ => self.by_wormhole(&session, round)?,
        };
        ensure!(fs::read(&session)? == fs::read(&received)?, "{} is not what was sent", received.display());
        fs::remove_file(session)?;
        Ok(wall)
    }

    fn by_code(&mut self, session: &Path, own: bool) -> Result<(PathBuf, Duration)> {
        self.machines += 1;
        let there = Person::new(&self.root.join(format!("machine-{}", self.machines)))?;
        if own {
            fs::create_dir_all(there.segue_home())?;
            fs::copy(self.stage.ann.segue_home().join("account.json"), there.segue_home().join("account.json"))?;
        }
        let there = there.with("SSL_CERT_FILE", self.root.join("segue/cert.pem"));
        let mut showing = Showing::start(&self.stage.ann, &[native_id(session)?])?;
        let code = showing.code()?;
        let source = showing.let_anybody_in();
        let there = there.with("SEGUE_DEVICE_CODE", code);
        let words = ["--json", "--yes", "device", "claim", "--project", ".", "--print", "--server"];
        let url = self.stage.url()?;
        let words: Vec<&str> = words.into_iter().chain([url.as_str()]).collect();
        typing();
        let (ran, wall) = timed(|| there.run(&words))?;
        ensure!(ran.code == 0, "{}{}", ran.stdout, ran.stderr);
        let source = source.join().map_err(|_| anyhow::anyhow!("reading the source panicked"))??;
        ensure!(source.code == 0, "{}{}", source.stdout, source.stderr);
        let last = ran.events()?.pop().context("nothing was said")?;
        Ok((id(&last, "native_path")?.into(), wall))
    }
}

impl Scene {
    /// It now and then resets its own connection: that is said aloud and tried again, as a person would.
    fn by_wormhole(&self, session: &Path, round: u64) -> Result<(PathBuf, Duration)> {
        for again in 1..TRIES_MAX {
            match self.wormhole.receive(session, round + again * 1_000_000) {
                Err(error) => eprintln!("wormhole-rs failed and is tried again ({again}): {error:#}"),
                received => return received,
            }
        }
        self.wormhole.receive(session, round)
    }
}

fn rows(figures: &[Vec<f64>; 3]) -> String {
    let wormhole = &figures[2];
    let rows: Vec<Vec<String>> = WAYS
        .iter()
        .zip(figures)
        .map(|(way, figures)| vec![(*way).to_owned(), Spread::of(figures).text(0), paired(figures, wormhole).text(2)])
        .collect();
    format!("Each cell: min / median / max.\n\n{}", table(&["way", "wall, ms", "wall ÷ wormhole-rs's, paired"], &rows))
}
