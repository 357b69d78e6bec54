//! `segue-fuzz TARGET [--seconds N] [--seed S]`: one run, or one input again with `--input FILE`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;
use segue_fuzz::run::{Budget, Failure, findings_dir, run, try_input};
use segue_fuzz::targets::{ALL, Target};

/// Throws damaged and hostile bytes at a parser.
#[derive(Parser)]
struct Args {
    /// lv, signed, manifest, segment, claude-code, active-view, coming-back, pairing or pairing-code.
    target: String,
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where to start; a run with the same seed tries the same inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tries this file only.
    #[arg(long, conflicts_with_all = ["seconds", "seed"])]
    input: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn main() -> Result<()> {
    let args = Args::parse();
    let target: &'static dyn Target =
        *ALL.iter().find(|target| target.name() == args.target).context("no such target; see --help")?;
    if let Some(path) = args.input {
        let input = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let (outcome, held) = try_input(target, &input).map_err(anyhow::Error::msg)?;
        println!("{outcome}, {held} bytes held");
        return Ok(());
    }
    println!("{} with seed {} for {} seconds", target.name(), args.seed, args.seconds);
    // What a case says when it panics is in the report.
    std::panic::set_hook(Box::new(|_| {}));
    match run(target, args.seed, Budget::Seconds(args.seconds)) {
        Ok(summary) => {
            println!(
                "{} cases, {} outcomes, at most {} bytes held by one",
                summary.cases, summary.outcomes, summary.memory_peak
            );
            Ok(())
        }
        Err(failure) => stop(&failure, target, args.seed),
    }
}

fn stop(failure: &Failure, target: &dyn Target, seed: u64) -> Result<()> {
    bail!("{}", failure.report(target.name(), seed, &findings_dir()))
}
