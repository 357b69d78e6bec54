//! Recognises how a test run ended, from the closing lines that test runners print.
//!
//! To add a runner: 1. write a function from one line to a [`TestRun`]; 2. name it in [`RUNNERS`]; 3. add a line that it
//! prints to the test below.

use memchr::memmem;

/// Results of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TestRun {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

type Runner = fn(&str) -> Option<TestRun>;

const RUNNERS: [Runner; 6] = [cargo, nextest, pytest, jest, vitest, go];

/// Output looked at, from its end, in bytes. Runners print their totals last.
const MAX_OUTPUT: usize = 64 * 1024;

/// One of these is in every closing line. Most outputs have none, which is seen much faster than that no line is one.
const WORDS: [&str; 4] = ["passed", "failed", "PASS: ", "FAIL: "];

/// The sum of all closing lines in `output` (a workspace has several), or `None` if there is none.
pub(crate) fn find_test_run(output: &str) -> Option<TestRun> {
    let start = output.ceil_char_boundary(output.len().saturating_sub(MAX_OUTPUT));
    let end = &output[start..];
    if !WORDS.iter().any(|word| memmem::find(end.as_bytes(), word.as_bytes()).is_some()) {
        return None;
    }
    let runs = end.lines().filter_map(|line| RUNNERS.iter().find_map(|runner| runner(line.trim())));
    runs.reduce(|sum, run| TestRun {
        passed: sum.passed.saturating_add(run.passed),
        failed: sum.failed.saturating_add(run.failed),
    })
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; …`
fn cargo(line: &str) -> Option<TestRun> {
    counts(line.strip_prefix("test result: ")?)
}

/// `Summary [   0.5s] 12 tests run: 11 passed, 1 failed, 0 skipped`
fn nextest(line: &str) -> Option<TestRun> {
    counts(line.strip_prefix("Summary [")?.split_once("run:")?.1)
}

/// `==== 2 failed, 10 passed in 0.12s ====`, also without the rule.
fn pytest(line: &str) -> Option<TestRun> {
    let (words, time) = line.trim_matches(['=', ' ']).rsplit_once(" in ")?;
    let seconds = time.split_once('s')?.0;
    seconds.parse::<f64>().ok()?;
    counts(words)
}

/// `Tests:       1 failed, 9 passed, 10 total`
fn jest(line: &str) -> Option<TestRun> {
    counts(line.strip_prefix("Tests:")?)
}

/// `Tests  1 failed | 9 passed (10)`
fn vitest(line: &str) -> Option<TestRun> {
    counts(line.strip_prefix("Tests  ")?)
}

/// `--- PASS: TestName (0.00s)`, once per test; without -v only failures are printed.
fn go(line: &str) -> Option<TestRun> {
    let word = line.strip_prefix("--- ")?;
    match word.split_once(": ")?.0 {
        "PASS" => Some(TestRun { passed: 1, failed: 0 }),
        "FAIL" => Some(TestRun { passed: 0, failed: 1 }),
        _ => None,
    }
}

/// Numbers before the words "passed" and "failed"; at least one of the two must be there.
fn counts(text: &str) -> Option<TestRun> {
    let mut run = TestRun::default();
    let (mut number, mut found) = (None, false);
    for word in text.split([' ', ',', ';', '|', '.']).filter(|word| !word.is_empty()) {
        match (word, number) {
            ("passed", Some(count)) => (run.passed, found) = (count, true),
            ("failed", Some(count)) => (run.failed, found) = (count, true),
            _ => {}
        }
        number = word.parse().ok();
    }
    found.then_some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_closing_lines_of_runners() {
        for (line, passed, failed) in [
            ("test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out", 3, 1),
            ("     Summary [   0.512s] 12 tests run: 11 passed, 1 failed, 2 skipped", 11, 1),
            ("========= 2 failed, 10 passed, 1 warning in 0.12s =========", 10, 2),
            ("10 passed in 1.20s", 10, 0),
            ("Tests:       1 failed, 9 passed, 10 total", 9, 1),
            ("      Tests  1 failed | 9 passed (10)", 9, 1),
            ("    --- FAIL: TestA/b (0.00s)", 0, 1),
        ] {
            assert_eq!(find_test_run(line), Some(TestRun { passed, failed }), "{line}");
        }
    }

    #[test]
    fn sums_the_runs_of_a_workspace() {
        let output = "test result: ok. 3 passed; 0 failed\nother\ntest result: ok. 4 passed; 1 failed\n";
        assert_eq!(find_test_run(output), Some(TestRun { passed: 7, failed: 1 }));
    }

    #[test]
    fn is_not_fooled_by_prose() {
        for line in ["we passed in 2 days", "3 passed", "Tests: all good", "--- a/file.rs"] {
            assert_eq!(find_test_run(line), None, "{line}");
        }
    }
}
