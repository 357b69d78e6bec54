//! The summary of a session (T20): what was done, in a few lines. It is sealed beside the session, so it must be small.

use serde::{Deserialize, Serialize};

use crate::clip::clip;
use crate::test_runs::{TestRun, find_test_run};

/// The longest JSON text of a summary, in bytes. The sealed preview holds 8 KiB.
pub const MAX_SUMMARY: usize = 7 * 1024;

const MAX_LISTED: usize = 30;
const MAX_FILE: usize = 160;
const MAX_COMMAND: usize = 120;
const MAX_ERROR: usize = 200;
const MAX_ERRORS: usize = 5;
const MAX_MESSAGE: usize = 400;
const MAX_MESSAGES: usize = 3;

/// What was done in a session. All text is untrusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Files that tools wrote, first written first.
    pub files_modified: Vec<String>,
    /// How many there are in all.
    pub files_modified_total: u64,
    /// Commands run, the last ones, oldest first.
    pub commands: Vec<String>,
    /// How many there are in all.
    pub commands_total: u64,
    /// Tests in all runs whose closing line was recognised.
    pub tests_run: u64,
    /// Of them, passed.
    pub tests_passed: u64,
    /// Of them, failed.
    pub tests_failed: u64,
    /// First lines of failed tool calls, the last ones, oldest first.
    pub errors: Vec<String>,
    /// How many there are in all.
    pub errors_total: u64,
    /// The last words of the model, oldest first.
    pub last_messages: Vec<String>,
}

impl Summary {
    /// Notes a file that a tool wrote.
    pub fn add_file(&mut self, path: &str) {
        let path = clip(path, MAX_FILE);
        if self.files_modified.iter().any(|known| known == path) {
            return;
        }
        self.files_modified_total += 1;
        if self.files_modified.len() < MAX_LISTED {
            self.files_modified.push(path.to_owned());
        }
    }

    /// Notes a command that was run.
    pub fn add_command(&mut self, command: &str) {
        self.commands_total += 1;
        push_last(&mut self.commands, clip(command, MAX_COMMAND), MAX_LISTED);
    }

    /// Notes the output of a command, for the tests in it.
    pub fn add_output(&mut self, output: &str) {
        if let Some(TestRun { passed, failed }) = find_test_run(output) {
            self.tests_passed = self.tests_passed.saturating_add(passed);
            self.tests_failed = self.tests_failed.saturating_add(failed);
            self.tests_run = self.tests_passed.saturating_add(self.tests_failed);
        }
    }

    /// Notes a failed tool call.
    pub fn add_error(&mut self, text: &str) {
        self.errors_total += 1;
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        // The first line is often just the exit code.
        let (first, second) = (lines.next().unwrap_or_default(), lines.next());
        let line = second.filter(|_| first.starts_with("Exit code")).unwrap_or(first);
        push_last(&mut self.errors, clip(line, MAX_ERROR), MAX_ERRORS);
    }

    /// Notes words of the model.
    pub fn add_message(&mut self, text: &str) {
        push_last(&mut self.last_messages, clip(text, MAX_MESSAGE), MAX_MESSAGES);
    }

    /// The summary as JSON, at most [`MAX_SUMMARY`] bytes: while it is longer, the longest list loses its least telling
    /// entry.
    pub fn to_json_bounded(&self) -> String {
        let mut small = self.clone();
        loop {
            let json = serde_json::json!(small).to_string();
            if json.len() <= MAX_SUMMARY || !small.shrink() {
                return json;
            }
        }
    }

    fn shrink(&mut self) -> bool {
        let size = |list: &[String]| list.iter().map(|text| serde_json::json!(text).to_string().len()).sum::<usize>();
        let mut lists = [
            (&mut self.files_modified, true),
            (&mut self.commands, false),
            (&mut self.errors, false),
            (&mut self.last_messages, false),
        ];
        // One entry of each fits, however its text is escaped.
        let longest = lists.iter_mut().filter(|(list, _)| list.len() > 1).max_by_key(|(list, _)| size(list));
        let Some((list, from_end)) = longest else { return false };
        let at = if *from_end { list.len() - 1 } else { 0 };
        list.remove(at);
        true
    }
}

fn push_last(list: &mut Vec<String>, text: &str, limit: usize) {
    if list.len() == limit {
        list.remove(0);
    }
    list.push(text.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_small_whatever_the_text() {
        let mut summary = Summary::default();
        for number in 0..100 {
            let text = format!("{number}{}", "\u{1}".repeat(1000));
            summary.add_file(&text);
            summary.add_command(&text);
            summary.add_error(&text);
            summary.add_message(&text);
        }
        let json = summary.to_json_bounded();
        assert!(json.len() <= MAX_SUMMARY && json.len() > MAX_SUMMARY / 2);
        let read: Summary = serde_json::from_str(&json).unwrap();
        assert_eq!((read.files_modified_total, read.commands_total, read.errors_total), (100, 100, 100));
        assert!(read.last_messages.last().unwrap().starts_with("99"));
    }

    #[test]
    fn the_error_is_the_line_that_tells() {
        let mut summary = Summary::default();
        summary.add_error("Exit code 2\nls: cannot access\n");
        summary.add_error("plain");
        assert_eq!(summary.errors, ["ls: cannot access", "plain"]);
    }

    #[test]
    fn a_file_is_counted_once() {
        let mut summary = Summary::default();
        summary.add_file("/a");
        summary.add_file("/a");
        assert_eq!((summary.files_modified, summary.files_modified_total), (vec!["/a".to_owned()], 1));
    }
}
