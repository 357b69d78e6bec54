//! Damage of every kind, done to a recorded session.

use proptest::prelude::*;

use super::*;

const RECORDED: &[u8] = include_bytes!(
    "../../fixtures/claude-code/2.1.50/home/coder/.claude/projects/-home-coder-emms-sdk/aef0dec8-0b7d-40f6-929a-ae53b3d44ba2.jsonl"
);
const ID: &str = "aef0dec8-0b7d-40f6-929a-ae53b3d44ba2";

fn repair(bytes: &[u8]) -> (Vec<u8>, TornReport) {
    let edits = Edits { old_id: ID, new_id: ID, spilled: &[], spill_dir: "" };
    let mut out = Vec::new();
    let written = write_transcript(bytes, &mut out, &edits).unwrap();
    (out, written.torn)
}

fn lines() -> Vec<&'static [u8]> {
    RECORDED.split_inclusive(|byte| *byte == b'\n').collect()
}

#[test]
fn an_intact_file_stays_as_it_is() {
    let (out, torn) = repair(RECORDED);
    assert!(out == RECORDED && torn.is_intact());
    assert_eq!(torn.kept, lines().len() as u64);
}

#[test]
fn cut_anywhere_it_keeps_every_whole_line() {
    let mut start = 0;
    for line in lines() {
        for cut in start + 1..start + line.len() {
            let (out, torn) = repair(&RECORDED[..cut]);
            let whole = cut == start + line.len() - 1;
            let expected = if whole { &RECORDED[..=cut] } else { &RECORDED[..start] };
            assert!(out == expected, "cut at {cut}");
            assert_eq!((torn.total, torn.repaired), if whole { (0, 1) } else { (1, 0) }, "cut at {cut}");
        }
        start += line.len();
    }
}

#[test]
fn a_cut_line_does_not_take_the_next_with_it() {
    let (first, second) = (lines()[2], lines()[3]);
    for cut in 1..first.len() - 1 {
        let (out, torn) = repair(&[&first[..cut], second].concat());
        assert!(out == second, "cut at {cut}");
        assert_eq!((torn.kept, torn.total), (1, 1), "cut at {cut}");
    }
}

#[test]
fn marks_and_blank_lines_are_no_damage() {
    let text = String::from_utf8(RECORDED.to_vec()).unwrap();
    for bytes in [text.replace('\n', "\r\n"), format!("\u{feff}{text}"), text.replace('\n', "\n\n \n")] {
        let (out, torn) = repair(bytes.as_bytes());
        assert!(out == bytes.as_bytes() && torn.is_intact());
    }
}

#[test]
fn a_line_that_is_not_unicode_is_left_out() {
    let mut bytes = RECORDED.to_vec();
    let at = bytes.windows(8).position(|part| part == b"text\":\"I").unwrap() + 7;
    bytes[at] = 0xff;
    let (out, torn) = repair(&bytes);
    let reasons: Vec<_> = torn.quarantined.iter().map(|place| (place.line, place.reason)).collect();
    assert_eq!(reasons, [(4, Damage::InvalidUtf8)]);
    assert_eq!(out.len(), RECORDED.len() - lines()[3].len());
}

proptest! {
    #[test]
    fn joined_records_part_again(joined in proptest::collection::btree_set(0..15_usize, 1..15)) {
        let mut bytes = Vec::new();
        for (at, line) in lines().iter().enumerate() {
            bytes.extend_from_slice(if joined.contains(&at) { &line[..line.len() - 1] } else { line });
        }
        let (out, torn) = repair(&bytes);
        prop_assert!(out == RECORDED);
        prop_assert!(torn.total == 0 && torn.repaired > 0);
    }

    #[test]
    fn nuls_between_records_go(places in proptest::collection::vec((0..16_usize, 1..5000_usize), 1..6)) {
        let mut bytes = Vec::new();
        for (at, line) in lines().iter().enumerate() {
            for (_, count) in places.iter().filter(|(place, _)| *place == at) {
                bytes.extend(std::iter::repeat_n(0, *count));
            }
            bytes.extend_from_slice(line);
        }
        let (out, torn) = repair(&bytes);
        prop_assert!(out == RECORDED);
        prop_assert!(torn.quarantined.iter().all(|place| place.reason == Damage::NulBytes) && torn.total > 0);
    }

    #[test]
    fn nuls_over_records_cost_only_those(start in 0..8000_usize, count in 1..3000_usize) {
        let mut bytes = RECORDED.to_vec();
        let end = (start + count).min(bytes.len());
        bytes[start..end].fill(0);
        let (out, _) = repair(&bytes);
        let mut expected = Vec::new();
        let mut at = 0;
        for line in lines() {
            let json = at..at + line.len() - 1;
            if json.end <= start || json.start >= end {
                expected.extend_from_slice(line);
            }
            at += line.len();
        }
        prop_assert!(out == expected);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(prop_oneof![Just(b'{'), Just(b'"'), Just(b'}'), Just(b'\n'), Just(0), any::<u8>()], 0..500)) {
        let (out, torn) = repair(&bytes);
        let (again, second) = repair(&out);
        prop_assert!(again == out && second.is_intact());
        prop_assert_eq!(torn.kept, second.kept);
    }
}
