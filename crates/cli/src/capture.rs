//! A session on its way out: the files of a bundle, where they lie on this machine, and the card that describes them.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use segue_bundle::{Compression, FileMode, SourceFile};
use segue_domain::limits::BUNDLE_FILES_MAX;
use segue_formats::{Env, Found, Header, SkipReason, Skipped, Tool};
use segue_signed::{Card, card::CARD_TEXT_MAX};
use tempfile::TempDir;

use crate::{
    error::{CliError, Exit, Result},
    home::Home,
    library::{Library, Record},
    output::Output,
    repository,
    untrusted::Untrusted,
};

/// The neutral header's path in a bundle.
pub const HEADER_PATH: &str = "session.json";
/// The readable conversation's path in a bundle.
pub const VIEW_PATH: &str = "view.jsonl";

/// The files of a session at one moment.
pub struct Capture {
    /// What the session says about itself.
    pub header: Header,
    /// The sealed preview's plain JSON, when there is one.
    pub preview: Option<Vec<u8>>,
    git_remote: Option<String>,
    files: Vec<LocalFile>,
    // Holds the files that were made for this capture.
    _made: Option<TempDir>,
}

struct LocalFile {
    path: String,
    source: PathBuf,
    len: u64,
}

impl Capture {
    /// Captures a session from its tool. Growth from here on is not part of it.
    pub fn from_tool(home: &Home, tools: &Env, found: &Found, output: &Output) -> Result<Self> {
        let made = home.temporary()?;
        let view_path = made.path().join(VIEW_PATH);
        let failed = |error: io::Error| CliError::file("write", &view_path, &error);
        let mut view = BufWriter::new(File::create(&view_path).map_err(failed)?);
        let captured = segue_formats::format_for(found.tool)
            .capture(tools, found, &mut view)
            .map_err(|error| CliError::new(Exit::Error, "capture", format!("the session cannot be read: {error}")))?;
        view.flush().map_err(failed)?;
        if captured.torn.total > 0 {
            output.warn(format!(
                "Warning: {} damaged records in this session; they travel as they are and are left out when it is resumed.",
                captured.torn.total
            ));
        }
        for skipped in &captured.skipped {
            output.warn(left_out(skipped));
        }
        let header_path = made.path().join(HEADER_PATH);
        crate::home::write_json(&header_path, &captured.header)?;
        let mut files = vec![LocalFile::whole(HEADER_PATH, header_path)?, LocalFile::whole(VIEW_PATH, view_path)?];
        files.extend(captured.files.into_iter().map(|file| LocalFile {
            path: file.bundle_path,
            source: file.source,
            len: file.len,
        }));
        Ok(Self {
            git_remote: found.cwd.as_deref().and_then(repository::remote),
            preview: Some(captured.summary.to_json_bounded().into_bytes()),
            header: captured.header,
            files,
            _made: Some(made),
        })
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
            files,
            _made: None,
        })
    }

    /// The files, to be read once each.
    pub fn sources(&self) -> Vec<SourceFile<'_>> {
        let source = |file: &LocalFile| SourceFile {
            path: file.path.clone(),
            mode: FileMode::Plain,
            compression: if file.path == VIEW_PATH { Compression::Gzip } else { Compression::Zstd },
            len: file.len,
            trusted: 0,
            open: {
                let path = file.source.clone();
                Box::new(move |start| {
                    let mut file = File::open(path)?;
                    file.seek(SeekFrom::Start(start))?;
                    Ok(Box::new(file))
                })
            },
        };
        self.files.iter().map(source).collect()
    }

    /// Plain size of all files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.len).sum()
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

impl LocalFile {
    fn whole(path: &str, source: PathBuf) -> Result<Self> {
        let metadata = fs::metadata(&source).map_err(|error| CliError::file("read", &source, &error))?;
        Ok(Self { path: path.to_owned(), source, len: metadata.len() })
    }
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
                files.push(LocalFile::whole(&relative, path)?);
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
