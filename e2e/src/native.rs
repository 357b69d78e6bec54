//! Sessions of Claude Code that a test writes and lets grow: text that does not compress, a spilled output and a task.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Result;
use data_encoding::BASE64;
use serde_json::json;

use crate::{
    fault::Random,
    person::{Person, claude_project},
};

/// Bytes of text in a message.
const MESSAGE_BYTES: usize = 16 * 1024;

/// A spilled output, below the session's own folder.
const SPILLED: &str = "tool-results/output1.txt";
/// A task, below the session's folder of tasks.
const TASK: &str = "1.json";

/// A session in one person's tool.
pub struct Native {
    id: String,
    transcript: PathBuf,
    tasks: PathBuf,
    last: Option<String>,
}

impl Native {
    /// Begins a session in a person's project directory, with about so many bytes of text.
    pub fn begin(person: &Person, random: &mut Random, bytes: usize) -> Result<Self> {
        let id = uuid(random);
        let project = claude_project(&person.home(), &person.work());
        let (own, tasks) = (project.join(&id), person.home().join(".claude/tasks").join(&id));
        for folder in [&own.join("tool-results"), &tasks] {
            fs::create_dir_all(folder)?;
        }
        fs::write(own.join(SPILLED), text(random, 200))?;
        fs::write(tasks.join(TASK), json!({"id": "1", "subject": text(random, 20)}).to_string())?;
        let mut native = Self { transcript: own.with_extension("jsonl"), tasks, id, last: None };
        native.grow(person, random, bytes)?;
        Ok(native)
    }

    /// The tool's id of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The bytes of its transcript.
    pub fn transcript(&self) -> Result<Vec<u8>> {
        Ok(fs::read(&self.transcript)?)
    }

    /// Appends messages, as the tool does, with about so many bytes of text.
    pub fn grow(&mut self, person: &Person, random: &mut Random, bytes: usize) -> Result<()> {
        let mut file = File::options().create(true).append(true).open(&self.transcript)?;
        let mut left = bytes.max(1);
        while left > 0 {
            let len = left.min(MESSAGE_BYTES);
            left -= len;
            let (id, text) = (uuid(random), text(random, len));
            let user = self.last.is_none();
            let message = if user {
                json!({"role": "user", "content": text})
            } else {
                json!({"id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
                    "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
                    "usage": {"input_tokens": 1, "output_tokens": 1}})
            };
            let line = json!({"parentUuid": self.last, "isSidechain": false, "type": if user { "user" } else { "assistant" },
                "message": message, "uuid": id, "timestamp": "2026-11-20T13:29:04.696Z", "userType": "external",
                "cwd": person.work(), "sessionId": self.id, "version": "2.1.197", "gitBranch": "main"});
            file.write_all(format!("{line}\n").as_bytes())?;
            self.last = Some(id);
        }
        Ok(())
    }

    /// Whether another person's tool has the same at `transcript`: that, the spilled output and the task, byte for byte.
    pub fn is_at(&self, person: &Person, transcript: &Path) -> Result<bool> {
        let (mine, theirs) = (self.transcript.with_extension(""), transcript.with_extension(""));
        let id = theirs.file_name().unwrap_or_default();
        let pairs = [
            (self.transcript.clone(), transcript.to_owned()),
            (mine.join(SPILLED), theirs.join(SPILLED)),
            (self.tasks.join(TASK), person.home().join(".claude/tasks").join(id).join(TASK)),
        ];
        for (mine, theirs) in pairs {
            if fs::read(&mine)? != fs::read(&theirs).unwrap_or_default() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn text(random: &mut Random, len: usize) -> String {
    let bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| random.number().to_le_bytes()).collect();
    let mut text = BASE64.encode(&bytes);
    text.truncate(len);
    text
}

fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.number(), random.number());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
