//! `segue-bench start`: how long commands take that talk to nobody, beside `git --version`, one after the other.

use std::process::Command;

use anyhow::Result;
use clap::Args;
use segue_e2e::person::Person;
use tempfile::TempDir;

use crate::generate::{self, MB};
use crate::measure::{run as run_program, timed};
use crate::report::{Spread, machine, paired, table};

/// How many sessions `segue list` lists.
const SESSIONS: u64 = 20;

/// How much to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// How often each command is run
    #[arg(long, default_value_t = 200)]
    runs: usize,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    let root = TempDir::new()?;
    let person = Person::new(root.path())?;
    for seed in 0..SESSIONS {
        generate::create(&person.home().join(".claude"), &person.work(), MB, seed)?;
    }
    let mut git = Command::new("git");
    git.arg("--version");
    let mut commands = [
        ("git --version", git, Vec::new()),
        ("segue --version", person.command(&["--version"])?, Vec::new()),
        ("segue list", person.command(&["list"])?, Vec::new()),
    ];
    for run in 0..=options.runs {
        let first = run % commands.len();
        for step in 0..commands.len() {
            let (_, command, figures) = &mut commands[(first + step) % 3];
            let (_, wall) = timed(|| run_program(command))?;
            // The first run reads the programs from the disk.
            if run > 0 {
                figures.push(wall.as_secs_f64() * 1000.0);
            }
        }
    }
    println!("{}\n\n{} runs each; min / median / max.\n", machine(), options.runs);
    let git = &commands[0].2;
    let rows: Vec<Vec<String>> = commands
        .iter()
        .map(|(name, _, figures)| vec![(*name).to_owned(), Spread::of(figures).text(2), paired(figures, git).text(2)])
        .collect();
    println!("{}", table(&["command", "wall, ms", "wall ÷ git's, paired"], &rows));
    Ok(())
}
