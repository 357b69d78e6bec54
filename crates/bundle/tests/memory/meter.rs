//! How much a piece of work holds at once.

use std::sync::{Mutex, PoisonError};

use peak_alloc::PeakAlloc;

#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

static ALONE: Mutex<()> = Mutex::new(());

pub(crate) const SEGMENT: usize = 4 * 1024 * 1024;

/// Does one thing while no other test of this program runs: its result, and the most bytes that it held.
pub(crate) fn measure<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = PEAK.current_usage();
    PEAK.reset_peak_usage();
    let result = make();
    (result, PEAK.peak_usage().saturating_sub(before))
}

#[test]
fn what_is_held_is_counted() {
    let (_, held) = measure(|| vec![1_u8; SEGMENT]);
    assert!((SEGMENT..SEGMENT + SEGMENT / 4).contains(&held), "{held}");
}
