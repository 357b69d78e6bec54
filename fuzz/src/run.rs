//! One run: inputs are made, tried and watched until the budget is spent or a case fails.

use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use data_encoding::HEXLOWER;
use peak_alloc::PeakAlloc;

use crate::mutate::mutate;
use crate::random::Random;
use crate::targets::Target;

/// Counts what the whole program holds, so one run at a time. What zstd's own C code holds is not in it.
#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

/// A case that takes longer is a hang, in seconds: a hundred times what the slowest honest case takes without
/// optimisation.
pub const HANG_SECONDS: u64 = 10;
/// Inputs that are kept because their outcome was new.
const KEPT_MAX: usize = 2_000;
/// Most bytes of a failing input that a report prints.
const HEX_BYTES_MAX: usize = 512;

/// When a run ends.
#[derive(Debug, Clone, Copy)]
pub enum Budget {
    /// After so many cases.
    Cases(u64),
    /// After so many seconds.
    Seconds(u64),
}

/// What a run did.
#[derive(Debug)]
pub struct Summary {
    /// Inputs tried.
    pub cases: u64,
    /// Different outcomes: accepted, and each way of being refused.
    pub outcomes: usize,
    /// The most that one case held at once, in bytes.
    pub memory_peak: u64,
}

/// A case that failed.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub why: String,
    /// The input that does it.
    pub input: Vec<u8>,
    /// Its number in the run, from 0.
    pub case: u64,
}

impl Failure {
    /// Writes the input into `folder` and says everything that is needed to see it again.
    pub fn report(&self, target: &str, seed: u64, folder: &Path) -> String {
        let digest = segue_signed::sha256(&self.input);
        let path = folder.join(format!("{target}-{}", HEXLOWER.encode(&digest[..8])));
        let saved = fs::create_dir_all(folder).and_then(|()| fs::write(&path, &self.input));
        let place = saved.map_or_else(|error| format!("not saved: {error}"), |()| path.display().to_string());
        let start = &self.input[..self.input.len().min(HEX_BYTES_MAX)];
        format!(
            "{target} failed: {}\nseed {seed}, case {}, {} bytes, {place}\nhex of the first {}: {}",
            self.why,
            self.case,
            self.input.len(),
            start.len(),
            HEXLOWER.encode(start)
        )
    }
}

/// Where failing inputs are written: outside of the checkout, so that a run leaves it clean.
pub fn findings_dir() -> PathBuf {
    std::env::temp_dir().join("segue-fuzz")
}

/// Tries one input: the outcome and the most bytes that it held at once.
///
/// # Errors
/// The panic, or that it held more than the target's bound.
pub fn try_input(target: &dyn Target, input: &[u8]) -> Result<(String, u64), String> {
    let before = PEAK.current_usage();
    PEAK.reset_peak_usage();
    let outcome = catch_unwind(AssertUnwindSafe(|| target.run(input)));
    let held = PEAK.peak_usage().saturating_sub(before) as u64;
    let outcome = outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        format!("panicked: {}", text.unwrap_or("without a text"))
    })?;
    let bound = target.memory_max(input.len());
    if held > bound {
        return Err(format!("held {} bytes for an input of {}; the bound is {bound}", held, input.len()));
    }
    Ok((outcome, held))
}

/// Tries the corpus as it is, and then what becomes of it, until the budget is spent.
pub fn run(target: &'static dyn Target, seed: u64, budget: Budget) -> Result<Summary, Failure> {
    let watch = Watch::start(target, seed, budget);
    let mut corpus = target.corpus();
    let mut known = HashSet::new();
    let mut summary = Summary { cases: 0, outcomes: 0, memory_peak: 0 };
    let honest = corpus.len() as u64;
    loop {
        let case = summary.cases;
        let spent = match budget {
            Budget::Cases(cases) => case >= cases,
            Budget::Seconds(_) => watch.is_over(),
        };
        if spent {
            return Ok(summary);
        }
        // Each case has a seed of its own, so that how one is drawn does not depend on those before but by the corpus.
        let mut random = Random::new(seed ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let index = if case < honest { usize::try_from(case).unwrap_or_default() } else { random.below(corpus.len()) };
        let mut input = corpus[index].clone();
        if case >= honest {
            mutate(&mut random, &mut input, &corpus, target.dictionary());
        }
        watch.enter(case, &input);
        let (outcome, held) = match try_input(target, &input) {
            Ok(tried) => tried,
            Err(why) => return Err(Failure { why, input, case }),
        };
        summary.cases += 1;
        summary.memory_peak = summary.memory_peak.max(held);
        if known.insert(outcome) {
            summary.outcomes += 1;
            if corpus.len() < KEPT_MAX && case >= honest {
                corpus.push(input);
            }
        }
    }
}

/// A second thread that ends the run in time, and the program when a case hangs.
struct Watch {
    case: Arc<AtomicU64>,
    input: Arc<Mutex<Vec<u8>>>,
    over: Arc<AtomicBool>,
    /// Dropped with the run, which ends the thread.
    _alive: mpsc::Sender<()>,
}

impl Watch {
    fn start(target: &'static dyn Target, seed: u64, budget: Budget) -> Self {
        let (alive, gone) = mpsc::channel::<()>();
        let watch =
            Self { case: Arc::new(AtomicU64::new(0)), input: Arc::default(), over: Arc::default(), _alive: alive };
        let (case, input, over) = (Arc::clone(&watch.case), Arc::clone(&watch.input), Arc::clone(&watch.over));
        thread::spawn(move || {
            let (mut seconds, mut since, mut last) = (0, 0, 0);
            // Ticks of a second count as the clock: a finding does not depend on how exact they are.
            while gone.recv_timeout(Duration::from_secs(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
                seconds += 1;
                if matches!(budget, Budget::Seconds(all) if seconds >= all) {
                    over.store(true, Ordering::Relaxed);
                }
                let now = case.load(Ordering::Relaxed);
                since = if now == last { since + 1 } else { 0 };
                last = now;
                if since > HANG_SECONDS {
                    give_up(target, seed, now, &input);
                }
            }
        });
        watch
    }

    fn enter(&self, case: u64, input: &[u8]) {
        let mut current = self.input.lock().expect("no case runs while it is held");
        current.clear();
        current.extend_from_slice(input);
        drop(current);
        self.case.store(case + 1, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// A case that hangs cannot be ended but with the program.
#[expect(clippy::print_stderr, reason = "the last words of a program that is about to abort")]
fn give_up(target: &'static dyn Target, seed: u64, case: u64, input: &Mutex<Vec<u8>>) -> ! {
    let input = input.lock().map(|input| input.clone()).unwrap_or_default();
    let why = format!("still runs after {HANG_SECONDS} seconds");
    eprintln!("{}", Failure { why, input, case: case.saturating_sub(1) }.report(target.name(), seed, &findings_dir()));
    std::process::abort()
}
