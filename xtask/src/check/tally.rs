//! Counts the passed tests from the closing lines of nextest and of cargo test.

/// How many tests a closing line says passed; `None` for any other line.
pub(super) fn passed(line: &str) -> Option<u64> {
    let line = line.trim();
    if !line.starts_with("Summary [") && !line.starts_with("test result:") {
        return None;
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| word.trim_end_matches([',', ';']) == "passed")?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_read() {
        assert_eq!(passed("     Summary [   0.004s] 1 test run: 1 passed, 0 skipped\n"), Some(1));
        assert_eq!(passed("     Summary [  63.1s] 120 tests run: 118 passed (2 slow), 2 failed, 4 skipped"), Some(118));
        assert_eq!(passed("test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out"), Some(7));
    }

    #[test]
    fn other_lines_are_not() {
        assert_eq!(passed("        PASS [   0.004s] segue-xtask a_test_that_passed"), None);
        assert_eq!(passed("everything passed"), None);
    }
}
