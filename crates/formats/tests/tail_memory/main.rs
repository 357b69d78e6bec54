//! The end of a view, taken while it is written, holds no more the longer the view is. A program of its own with one test,
//! as memory is counted for the whole of it.

use peak_alloc::PeakAlloc;
use segue_formats::active_view::{ROOM_MAX, TAIL_MAX, TailSink};
use segue_formats::view::{MAX_VIEW_LINE, Message, Part, Role, write_message};

#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

fn written(messages: usize, parts: &[Part]) -> usize {
    let message = Message { v: 1, id: "a".into(), at: 0, role: Role::User, parts: parts.to_vec() };
    let before = PEAK.current_usage();
    PEAK.reset_peak_usage();
    let mut sink = TailSink::default();
    for _ in 0..messages {
        write_message(message.clone(), &mut sink).expect("a sink takes any message");
    }
    assert_eq!(sink.head().count(), messages as u64);
    PEAK.peak_usage().saturating_sub(before)
}

#[test]
fn a_long_view_holds_what_a_short_one_does() {
    let text = [Part::text("x".repeat(32 * 1024))];
    let (short, long) = (written(TAIL_MAX + 1, &text), written(300, &text));
    assert!(long < short + 64 * 1024, "{short} bytes held for {} messages, {long} for 300", TAIL_MAX + 1);
    // The longest lines there are: one at a time, and of each what a tail could show.
    let longest = written(40, &[Part::text("\u{1}".repeat(128 * 1024))]);
    assert!(longest < 8 * MAX_VIEW_LINE + 2 * TAIL_MAX * ROOM_MAX, "{longest} bytes held for the longest lines");
}
