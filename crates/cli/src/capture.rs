//! A session on its way out: the files of a bundle, where they lie on this machine, and the card that describes them.

mod beside;
mod files;
mod progress;

use std::{fs, io, path::Path, thread};

use segue_bundle::SourceFile;
use segue_domain::limits::BUNDLE_FILES_MAX;
use segue_formats::{Captured, CapturedFile, Env, Found, Header, SkipReason, Skipped, Tool, ViewSink};
use segue_signed::{Card, card::CARD_TEXT_MAX};

pub use self::{beside::Capturing, progress::Progress};
use self::{files::LocalFile, progress::Stamp};
use crate::{
    error::{CliError, Exit, Result},
    library::{Library, Record},
    repository,
    untrusted::Untrusted,
};

/// The neutral header's path in a bundle.
pub const HEADER_PATH: &str = "session.json";

/// The files of a session at one moment.
pub struct Capture {
    /// What the session says about itself.
    pub header: Header,
    /// The sealed preview's plain JSON, when there is one.
    pub preview: Option<Vec<u8>>,
    /// What a person is to be told about it.
    pub warnings: Vec<String>,
    git_remote: Option<String>,
    // The transcript first, if it comes from its tool.
    files: Vec<LocalFile>,
    // How its tool's files looked then.
    looks: Vec<(CapturedFile, Option<Stamp>)>,
    progress: Option<Progress>,
}

impl Capture {
    /// Captures a session from its tool, as it was found, and writes its view. Growth from there on is not part of it.
    pub fn from_tool(tools: &Env, found: &Found, view: Option<&mut dyn ViewSink>) -> Result<Self> {
        thread::scope(|scope| {
            let remote = scope.spawn(|| found.cwd.as_deref().and_then(repository::remote));
            let captured =
                segue_formats::format_for(found.tool).capture(tools, found, view).map_err(CliError::session)?;
            Self::of(captured, None, remote.join().expect("asking git does not panic"))
        })
    }

    /// Captures what was appended since the last push (SPEC F1). `None` when the session did more than grow.
    fn from_growth(tools: &Env, found: &Found, known: &Progress) -> Result<Option<Self>> {
        let format = segue_formats::format_for(found.tool);
        let captured = format.capture_more(tools, found, &known.checkpoint, None).map_err(CliError::session)?;
        let remote = || found.cwd.as_deref().and_then(repository::remote);
        captured.map(|captured| Self::of(captured, Some(known), remote())).transpose()
    }

    /// Whether the session, found once more, is as it was captured, as far as can be seen without reading it all.
    pub fn is_current(&self, tools: &Env, found: &Found) -> bool {
        let Some(progress) = &self.progress else { return false };
        let format = segue_formats::format_for(found.tool);
        let now = format.capture_more(tools, found, &progress.checkpoint, None);
        now.is_ok_and(|now| now.is_some_and(|now| looks(&now) == self.looks))
    }

    fn of(captured: Captured, known: Option<&Progress>, git_remote: Option<String>) -> Result<Self> {
        if captured.header.counts.lines == 0 {
            return Err(CliError::new(Exit::Error, "capture", "the session holds no record that its tool could read")
                .hint("Look at it with its tool first."));
        }
        let (progress, looks) = (Progress::of(&captured), looks(&captured));
        let mut warnings: Vec<String> = captured.skipped.iter().map(left_out).collect();
        if captured.torn.total > 0 {
            warnings.push(format!(
                "Warning: {} damaged records in this session; they travel as they are and are left out when it is resumed.",
                captured.torn.total
            ));
        }
        let trusted = |file: &CapturedFile| known.map_or(0, |known| known.trusted(file));
        let mut files: Vec<_> =
            captured.files.into_iter().map(|file| LocalFile::native(trusted(&file), file)).collect();
        files.push(LocalFile::made(HEADER_PATH, crate::home::json(&captured.header)?));
        Ok(Self {
            preview: Some(captured.summary.to_json_bounded().into_bytes()),
            header: captured.header,
            warnings,
            git_remote,
            files,
            looks,
            progress,
        })
    }

    /// What the next push may go on from, once this one is done.
    pub fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }

    /// Captures a pulled session that was not resumed here: the files as they came. `card` is the one they came with.
    pub fn from_content(library: &Library, record: &Record, card: Option<&Card>) -> Result<Self> {
        let root = library.content(record.session_id()?);
        let mut files = Vec::new();
        collect(&root, &root, &mut files)?;
        Ok(Self {
            header: record.header.clone(),
            preview: record.summary.as_ref().map(|summary| summary.to_string().into_bytes()),
            git_remote: card.map(|card| card.git_remote.clone()).filter(|remote| !remote.is_empty()),
            warnings: Vec::new(),
            files,
            looks: Vec::new(),
            progress: None,
        })
    }

    /// The files but the first `skipped`, to be read once each. With `prefixes`, what was appended is compressed with what
    /// stands before it; with `trusting`, what the last push sent is not read again.
    fn sources<'a>(&self, skipped: usize, prefixes: bool, trusting: bool) -> Vec<SourceFile<'a>> {
        self.files[skipped..].iter().map(|file| file.source(prefixes, trusting)).collect()
    }

    /// Plain size of all files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(LocalFile::len).sum()
    }

    /// What the server may know: nothing when `private`.
    pub fn card(&self, private: bool) -> Card {
        if private {
            return Card::default();
        }
        let header = &self.header;
        let remote = self.git_remote.clone().unwrap_or_default();
        let repository = remote.rsplit(['/', ':']).next().unwrap_or_default().trim_end_matches(".git").to_owned();
        let untitled = || match repository.as_str() {
            "" => format!("{} session", name(header.tool)),
            repository => format!("{} session in {repository}", name(header.tool)),
        };
        let branch = header.git_branch.clone().filter(|branch| branch != "HEAD").unwrap_or_default();
        Card {
            tool: header.tool.as_str().to_owned(),
            model: cut(header.model.clone().unwrap_or_default()),
            title: cut(header.title.clone().unwrap_or_else(untitled)),
            git_remote: cut(remote),
            git_branch: cut(branch),
            user_messages: count(header.counts.user_messages),
            assistant_messages: count(header.counts.assistant_messages),
            tool_calls: count(header.counts.tool_calls),
            bytes: self.bytes(),
            updated_at: header.updated_at.and_then(|at| u64::try_from(at).ok()).unwrap_or_default(),
        }
    }
}

fn looks(captured: &Captured) -> Vec<(CapturedFile, Option<Stamp>)> {
    captured.files.iter().map(|file| (file.clone(), Stamp::of(file))).collect()
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<LocalFile>) -> Result<()> {
    let failed = |error: io::Error| CliError::file("read", folder, &error);
    let mut entries: Vec<_> = fs::read_dir(folder).map_err(failed)?.collect::<io::Result<_>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let relative = path.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned);
        match relative {
            _ if kind.is_dir() => collect(root, &path, files)?,
            Some(relative) if kind.is_file() && files.len() < BUNDLE_FILES_MAX => {
                files.push(LocalFile::whole(relative, path)?);
            }
            _ => return Err(CliError::verification(format!("{} does not belong there", path.display()))),
        }
    }
    Ok(())
}

/// Says which file is not part of a session, and why.
pub fn left_out(skipped: &Skipped) -> String {
    let why = match skipped.reason {
        SkipReason::Name => "its name is not one that the tool gives",
        SkipReason::NotAFile => "it is a link, a folder or a device",
        SkipReason::TooLong => "it is too long",
        SkipReason::TooMany => "there are too many",
        SkipReason::Exists => "another file is in its place",
        SkipReason::Torn => "parts of it are damaged; the rest is there",
    };
    let path = skipped.path.display().to_string();
    format!("Warning: {} was left out: {why}.", Untrusted(&path))
}

/// A tool's name as its makers write it.
fn name(tool: Tool) -> &'static str {
    match tool {
        Tool::ClaudeCode => "Claude Code",
    }
}

fn count(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Cuts text to what a card takes, at a character.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(CARD_TEXT_MAX));
    text
}
