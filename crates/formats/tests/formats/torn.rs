//! Every recorded transcript, torn in every way that was seen: each record that is whole is kept, and the report counts right.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::scene::Scene;
use segue_formats::{Captured, ClaudeCode, Damage, Format as _, Found, Tool};

/// Every recorded transcript, subagents' too.
fn transcripts() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    list(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"), &mut found);
    found.sort();
    found.iter().map(|path| fs::read(path).unwrap()).filter(|bytes| !bytes.is_empty()).collect()
}

fn list(dir: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            list(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "jsonl") && !path.ends_with("history.jsonl") {
            found.push(path);
        }
    }
}

/// One transcript on disk that is changed and taken again and again.
struct Torn {
    scene: Scene,
    path: PathBuf,
}

impl Torn {
    fn new() -> Self {
        let scene = Scene::empty();
        let path = scene.project("-x").join("60fd7404-3e8f-43d7-a6d0-56fe9768814d.jsonl");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        Self { scene, path }
    }

    fn take(&self, bytes: &[u8]) -> (Captured, Vec<u8>) {
        fs::write(&self.path, bytes).unwrap();
        self.take_again(bytes.len())
    }

    fn cut(&self, len: usize) -> (Captured, Vec<u8>) {
        File::options().write(true).open(&self.path).unwrap().set_len(len as u64).unwrap();
        self.take_again(len)
    }

    fn take_again(&self, len: usize) -> (Captured, Vec<u8>) {
        let found = Found {
            tool: Tool::ClaudeCode,
            native_id: String::new(),
            path: self.path.clone(),
            cwd: None,
            title: None,
            updated_at_ms: 0,
            len: len as u64,
        };
        let mut view = Vec::new();
        let captured = ClaudeCode.capture(&self.scene.env(), &found, Some(&mut view)).unwrap();
        (captured, view)
    }
}

/// Cuts every transcript at every `step`-th byte, and around each line end.
fn cut_all(step: usize) {
    let torn = Torn::new();
    for bytes in transcripts() {
        let ends: Vec<usize> =
            bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        let mut whole: Vec<(usize, Vec<u8>)> = vec![(0, Vec::new())];
        whole.extend(ends.iter().map(|end| (*end, torn.take(&bytes[..*end]).1)));
        torn.take(&bytes);
        for len in (0..bytes.len()).rev() {
            let near = ends.iter().any(|end| end.abs_diff(len) <= 2);
            if len % step != 0 && !near {
                continue;
            }
            let (captured, view) = torn.cut(len);
            // A line that lacks nothing but its line feed is whole.
            let unended = ends.contains(&(len + 1));
            let lines = ends.iter().filter(|end| **end <= len).count() + usize::from(unended);
            let report = &captured.torn;
            assert_eq!(report.kept, lines as u64, "cut at {len}");
            let cut = whole.iter().all(|(end, _)| *end != len) && !unended;
            assert_eq!((report.total, report.repaired), (u64::from(cut), u64::from(unended)), "cut at {len}");
            assert!(view == whole[lines].1, "cut at {len}: another conversation than that of its whole lines");
        }
    }
}

#[test]
fn cut_anywhere_every_whole_line_is_kept() {
    cut_all(499);
}

#[test]
#[ignore = "long: every byte of every recorded transcript"]
fn cut_at_every_byte_every_whole_line_is_kept() {
    cut_all(1);
}

#[test]
fn runs_of_nul_between_lines_cost_nothing() {
    let torn = Torn::new();
    for bytes in transcripts() {
        let (intact, view) = torn.take(&bytes);
        for run in [1, 511, 4096] {
            let mut holes = Vec::new();
            for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
                if at % 3 == 0 {
                    holes.resize(holes.len() + run, 0);
                }
                holes.extend_from_slice(line);
            }
            let lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
            let (captured, with_holes) = torn.take(&holes);
            assert_eq!((captured.torn.kept, captured.torn.total), (intact.torn.kept, lines.div_ceil(3) as u64));
            assert!(captured.torn.quarantined.iter().all(|place| place.reason == Damage::NulBytes));
            assert!(with_holes == view, "another conversation behind holes of {run}");
        }
    }
}

/// Two processes that append at once: one line stands in the middle of another.
fn interleave_all(step: usize) {
    let torn = Torn::new();
    for bytes in transcripts() {
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        for (at, pair) in lines.windows(2).enumerate() {
            for cut in (1..pair[0].len() - 2).step_by(step) {
                let (start, end) = pair[0].split_at(cut);
                let mixed = [&lines[..at].concat(), start, pair[1], end, &lines[at + 2..].concat()].concat();
                let (captured, _) = torn.take(&mixed);
                assert_eq!(captured.torn.kept, lines.len() as u64 - 1, "line {at} cut at {cut}");
                assert!(captured.torn.total >= 1, "line {at} cut at {cut}");
            }
        }
    }
}

#[test]
fn a_line_in_the_middle_of_another_costs_that_one_only() {
    interleave_all(997);
}

#[test]
#[ignore = "long: some thousand places of every recorded transcript"]
fn a_line_in_the_middle_of_another_at_any_place_costs_that_one_only() {
    interleave_all(7);
}
