//! What happens in a session: somebody asks, the model reads, runs and edits, and says what it did.

use serde_json::{Value, json};

use super::material::{Material, changed};
use super::random::Random;
use super::record::Chain;
use super::text;

/// Files that are worked on at a time.
const OPEN_FILES: usize = 8;
/// How many of them are done with by the next turn.
const CLOSED_A_TURN: usize = 6;
/// Most calls of tools before the model answers.
const CALLS_MAX: usize = 14;
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE62: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A session that goes on for as long as turns are asked of it.
pub(super) struct Session<'a> {
    random: &'a mut Random,
    material: Material,
    chain: Chain,
    files: Vec<(String, String)>,
}

/// The call that the model makes, and what becomes of it.
struct Call {
    name: &'static str,
    input: Value,
    /// What the model is told.
    told: String,
    /// What the tool keeps for itself.
    kept: Value,
}

impl<'a> Session<'a> {
    pub(super) fn new(random: &'a mut Random, material: Material, chain: Chain) -> Self {
        Self { random, material, chain, files: Vec::new() }
    }

    /// The lines of one turn. It makes no further calls once it is longer than `enough` bytes.
    pub(super) fn turn(&mut self, enough: u64) -> Vec<String> {
        self.open_files();
        let prompt_id = self.random.uuid();
        let prompt = text::prose(self.random, 1, 4);
        let own = json!({ "promptId": prompt_id, "permissionMode": "default" });
        let mut lines = vec![self.chain.line(self.random, "user", &json!({ "role": "user", "content": prompt }), own)];
        for _ in 0..self.random.within(2, CALLS_MAX) {
            if lines.iter().map(|line| line.len() as u64).sum::<u64>() >= enough {
                break;
            }
            self.step(&prompt_id, &mut lines);
        }
        lines.push(self.answer());
        lines
    }

    /// The line with which the model ends its turn.
    pub(super) fn answer(&mut self) -> String {
        let answer = json!({ "type": "text", "text": text::prose(self.random, 2, 9) });
        self.assistant(&answer, "end_turn")
    }

    /// The model says what it will do, does it, and sees what came of it.
    fn step(&mut self, prompt_id: &str, lines: &mut Vec<String>) {
        if self.random.percent(35) {
            let length = self.random.within(300, 900);
            let signature = self.random.symbols(BASE64, length);
            let thought = text::prose(self.random, 2, 8);
            let block = json!({ "type": "thinking", "thinking": thought, "signature": signature });
            lines.push(self.assistant(&block, "tool_use"));
        }
        if self.random.percent(60) {
            let block = json!({ "type": "text", "text": text::prose(self.random, 1, 3) });
            lines.push(self.assistant(&block, "tool_use"));
        }
        let call = match self.random.below(100) {
            0..45 => self.read(),
            45..65 => self.edit(),
            _ => self.bash(),
        };
        let id = format!("toolu_01{}", self.random.symbols(BASE62, 22));
        let block = json!({ "type": "tool_use", "id": id, "name": call.name, "input": call.input });
        lines.push(self.assistant(&block, "tool_use"));
        let result = json!({ "tool_use_id": id, "type": "tool_result", "content": call.told, "is_error": false });
        let own = json!({
            "promptId": prompt_id, "toolUseResult": call.kept, "sourceToolAssistantUUID": self.chain.last(),
        });
        lines.push(self.chain.line(self.random, "user", &json!({ "role": "user", "content": [result] }), own));
    }

    fn assistant(&mut self, block: &Value, stop_reason: &str) -> String {
        let cached = self.random.within(10_000, 180_000);
        let message = json!({
            "id": format!("msg_01{}", self.random.symbols(BASE62, 22)), "type": "message", "role": "assistant",
            "model": "claude-sonnet-4-5", "content": [block], "stop_reason": stop_reason, "stop_sequence": null,
            "usage": {
                "input_tokens": self.random.within(3, 900), "cache_creation_input_tokens": self.random.below(9_000),
                "cache_read_input_tokens": cached, "output_tokens": self.random.within(5, 2_500),
                "service_tier": "standard",
            },
        });
        let own = json!({ "requestId": format!("req_011{}", self.random.symbols(BASE62, 21)) });
        self.chain.line(self.random, "assistant", &message, own)
    }

    /// Some files are put away and others opened, as the work goes on.
    fn open_files(&mut self) {
        for _ in 0..CLOSED_A_TURN.min(self.files.len()) {
            let closed = self.random.below(self.files.len());
            self.files.swap_remove(closed);
        }
        while self.files.len() < OPEN_FILES {
            self.files.push(self.material.file(self.random));
        }
    }

    fn read(&mut self) -> Call {
        let (name, text) = &self.files[self.random.below(OPEN_FILES)];
        let (path, total) = (self.chain.path(name), text.lines().count());
        let start = if self.random.percent(60) { 0 } else { self.random.below(total / 2 + 1) };
        let count = if start == 0 { total } else { self.random.within(20, 200) };
        let part: Vec<&str> = text.lines().skip(start).take(count).collect();
        let numbered = part.iter().enumerate().map(|(at, line)| format!("{}\t{line}", start + at + 1));
        let told = numbered.collect::<Vec<_>>().join("\n");
        let kept = json!({ "type": "text", "file": {
            "filePath": path, "content": part.join("\n"), "numLines": part.len(), "startLine": start + 1,
            "totalLines": total,
        } });
        Call { name: "Read", input: json!({ "file_path": path }), told, kept }
    }

    fn edit(&mut self) -> Call {
        let chosen = self.random.below(OPEN_FILES);
        let (name, before) = self.files[chosen].clone();
        let path = self.chain.path(&name);
        let start = self.random.below(before.lines().count().max(1));
        let count = self.random.within(2, 14);
        let old: Vec<&str> = before.lines().skip(start).take(count).collect();
        let new = format!("{}\n{}", changed(&old.join("\n"), self.random.next()), text::source(self.random, 200));
        let head: Vec<&str> = before.lines().take(start).collect();
        let tail: Vec<&str> = before.lines().skip(start + count).collect();
        self.files[chosen].1 = [head.join("\n"), new.clone(), tail.join("\n")].join("\n");
        let lines: Vec<_> =
            old.iter().map(|line| format!("-{line}")).chain(new.lines().map(|line| format!("+{line}"))).collect();
        let hunks = json!([{
            "oldStart": start + 1, "oldLines": old.len(), "newStart": start + 1, "newLines": new.lines().count(),
            "lines": lines,
        }]);
        let old = old.join("\n");
        let kept = json!({
            "filePath": path, "oldString": old, "newString": new, "originalFile": before, "structuredPatch": hunks,
            "userModified": false, "replaceAll": false,
        });
        let told = format!("The file {path} has been updated successfully.");
        let input = json!({ "replace_all": false, "file_path": path, "old_string": old, "new_string": new });
        Call { name: "Edit", input, told, kept }
    }

    fn bash(&mut self) -> Call {
        let (name, text) = &self.files[self.random.below(OPEN_FILES)];
        let (command, stdout) = text::terminal(self.random, name, text);
        let input = json!({ "command": command, "description": text::words(self.random, 4) });
        let kept = json!({ "stdout": stdout, "stderr": "", "interrupted": false, "isImage": false });
        Call { name: "Bash", input, told: stdout, kept }
    }
}
