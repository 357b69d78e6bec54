//! A run of each target with a fixed seed. `segue-fuzz TARGET` runs longer and with other seeds.

use std::sync::{Mutex, MutexGuard, PoisonError};

use segue_fuzz::corpus::regressions;
use segue_fuzz::run::{Budget, findings_dir, run, try_input};
use segue_fuzz::targets::{ALL, Target};

const LONG_SECONDS: u64 = 600;

fn target(name: &str) -> &'static dyn Target {
    *ALL.iter().find(|target| target.name() == name).expect("a target of that name")
}

/// Memory is counted for the whole program, so one run at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fuzz(name: &str, seed: u64, budget: Budget) {
    let _alone = alone();
    let summary = run(target(name), seed, budget)
        .unwrap_or_else(|failure| panic!("{}", failure.report(name, seed, &findings_dir())));
    println!("{name}: {summary:?}");
    assert!(summary.outcomes > 5, "{name}: nearly every case ends alike, so nothing is tried: {summary:?}");
}

macro_rules! runs {
    ($($module:ident $name:literal $cases:literal)*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn short() {
                fuzz($name, 1, Budget::Cases($cases));
            }

            #[test]
            #[ignore = "long: ten minutes a target"]
            fn long() {
                fuzz($name, 2, Budget::Seconds(LONG_SECONDS));
            }
        }
    )*};
}

runs! {
    lv "lv" 5000
    signed "signed" 3000
    manifest "manifest" 2000
    segment "segment" 2000
    claude_code "claude-code" 1000
    active_view "active-view" 3000
    coming_back "coming-back" 5000
    pairing "pairing" 5000
    pairing_code "pairing-code" 20000
}

#[test]
fn what_failed_once_holds_now() {
    let _alone = alone();
    for target in ALL {
        for (path, input) in regressions(target.name()) {
            if let Err(why) = try_input(*target, &input) {
                panic!("{}: {why}", path.display());
            }
        }
    }
}

#[test]
fn a_run_is_the_same_again() {
    let _alone = alone();
    let one = run(target("lv"), 7, Budget::Cases(500)).expect("lv holds");
    let other = run(target("lv"), 7, Budget::Cases(500)).expect("lv holds");
    assert_eq!((one.cases, one.outcomes), (other.cases, other.outcomes));
}
