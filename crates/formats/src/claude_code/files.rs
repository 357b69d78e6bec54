//! The files that belong to a session, and their places in a bundle.
//!
//! | in the configuration folder | in the bundle, below `native/` |
//! |---|---|
//! | `projects/ENC/ID.jsonl` | `session.jsonl` |
//! | `projects/ENC/ID/tool-results/FILE` | `tool-results/FILE` |
//! | `projects/ENC/ID/subagents/agent-AGENT.jsonl`, `.meta.json` | `subagents/…` |
//! | `projects/ENC/agent-AGENT.jsonl` (until 2.0) | `agents/agent-AGENT.jsonl` |
//! | `tasks/ID/N.json` | `tasks/N.json` |
//! | `todos/ID-agent-AGENT.json` (until 2.1) | `todos/ID-agent-AGENT.json` |
//!
//! Nothing else is taken: `file-history` and `history.jsonl` are not needed to resume, `.claude.json` holds trust.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::discover::read_dir;
use super::layout::{config_dir, is_agent_meta, is_agent_transcript, is_safe_name, is_task, todo_agent};
use super::scan::scan;
use crate::{CapturedFile, DiscoverError, Env, SkipReason, Skipped};

/// The transcript's place in a bundle.
pub(super) const SESSION: &str = "session.jsonl";

/// The longest transcript taken or installed, in bytes (4 GiB).
pub(crate) const MAX_TRANSCRIPT: u64 = 4 * 1024 * 1024 * 1024;
/// The most files taken beside the transcript. A session of a week had 300.
pub(crate) const MAX_FILES: usize = 4096;
/// The longest of them, in bytes (256 MiB).
pub(super) const MAX_FILE: u64 = 256 * 1024 * 1024;
/// The most skipped files listed.
const MAX_SKIPPED: usize = 100;
/// How much of an old subagent's file is read to learn whose it is.
const PEEK: u64 = 64 * 1024;

/// A folder of a bundle below `native/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folder {
    ToolResults,
    Subagents,
    /// Subagents beside their session.
    Agents,
    Tasks,
    Todos,
}

impl Folder {
    pub(super) const ALL: [Self; 5] = [Self::ToolResults, Self::Subagents, Self::Agents, Self::Tasks, Self::Todos];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ToolResults => "tool-results",
            Self::Subagents => "subagents",
            Self::Agents => "agents",
            Self::Tasks => "tasks",
            Self::Todos => "todos",
        }
    }

    /// Whether a file of that name belongs here.
    pub(super) fn accepts(self, name: &str, session: &str) -> bool {
        match self {
            Self::ToolResults => is_safe_name(name),
            Self::Subagents => is_agent_transcript(name) || is_agent_meta(name),
            Self::Agents => is_agent_transcript(name),
            Self::Tasks => is_task(name),
            Self::Todos => todo_agent(name, session).is_some(),
        }
    }

    /// Whether the folder holds nothing but files of this session, so that a file that does not fit is worth a word.
    fn is_own(self) -> bool {
        matches!(self, Self::ToolResults | Self::Subagents)
    }

    fn source(self, env: &Env, transcript: &Path, session: &str) -> PathBuf {
        let project = transcript.parent().unwrap_or(transcript);
        match self {
            Self::ToolResults | Self::Subagents => project.join(session).join(self.name()),
            Self::Agents => project.to_owned(),
            Self::Tasks => config_dir(env).join("tasks").join(session),
            Self::Todos => config_dir(env).join("todos"),
        }
    }
}

/// Files beside a transcript, and those left out.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) files: Vec<CapturedFile>,
    pub(super) skipped: Vec<Skipped>,
}

/// Lists the files that belong to a session, in bundle order. Links and special files are not followed.
pub(super) fn list_beside(env: &Env, transcript: &Path, session: &str) -> Result<Beside, DiscoverError> {
    let mut beside = Beside::default();
    for folder in Folder::ALL {
        for path in read_dir_unlinked(&folder.source(env, transcript, session))? {
            beside.consider(folder, &path, session);
        }
    }
    Ok(beside)
}

/// Entries of a folder that is really there; a link to a folder counts as none.
pub(super) fn read_dir_unlinked(folder: &Path) -> Result<Vec<PathBuf>, DiscoverError> {
    let real = fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir());
    if real { read_dir(folder) } else { Ok(Vec::new()) }
}

impl Beside {
    fn consider(&mut self, folder: Folder, path: &Path, session: &str) {
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| folder.accepts(name, session));
        let Some(name) = name else {
            if folder.is_own() {
                self.skip(path, SkipReason::Name);
            }
            return;
        };
        let Some(meta) = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file) else {
            return self.skip(path, SkipReason::NotAFile);
        };
        if folder == Folder::Agents && !belongs_to(path, session) {
            return;
        }
        if meta.len() > MAX_FILE {
            return self.skip(path, SkipReason::TooLong);
        }
        if self.files.len() >= MAX_FILES {
            return self.skip(path, SkipReason::TooMany);
        }
        let bundle_path = format!("native/{}/{name}", folder.name());
        self.files.push(CapturedFile { bundle_path, source: path.to_owned(), len: meta.len() });
    }

    fn skip(&mut self, path: &Path, reason: SkipReason) {
        if self.skipped.len() < MAX_SKIPPED {
            self.skipped.push(Skipped { path: path.to_owned(), reason });
        }
    }
}

/// Whether an old subagent's file is of this session, as its first lines say; all sessions of a project lie together.
fn belongs_to(path: &Path, session: &str) -> bool {
    let Ok(file) = File::open(path) else { return false };
    scan(BufReader::new(file.take(PEEK)), "").is_ok_and(|scan| scan.side_of.as_deref() == Some(session))
}
