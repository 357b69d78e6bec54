//! Taking a session back together with what its tool wrote on another device.
//!
//! There the transcript began as an install of the one here, so both are the same once an install here is made of each: the
//! session's id, the places of spilled output and permission modes are then the same on both. What the other one has behind
//! that is what is new, and is appended here as it is after those changes. That the result is the chat that came back is seen
//! in a draft before anything is touched.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use memchr::memrchr;
use tempfile::NamedTempFile;

use super::append::ends_line;
use super::capture::{open, read_whole};
use super::edit::Edits;
use super::files::{Folder, MAX_FILE, read_dir_unlinked};
use super::install::{Done, Received, Site, note_torn, put_or_skip, take_turn};
use super::layout::{is_agent_transcript, is_session_id, session_of};
use super::place::{Placed, draft_file, make_dirs};
use super::since::Since;
use super::transcript::write_transcript;
use crate::active_view::HeadHasher;
use crate::session::Header;
use crate::{AppendError, Appended, CaptureError, Env, Found, Handed, InstallError, Rejoined, Tool};

/// Bytes that are appended at once, cut behind a line: whoever writes in the same moment then writes between lines.
const PIECE: usize = 1024 * 1024;

/// Appends to the session as it is now on the disk.
pub(super) fn rejoin(
    env: &Env,
    found: &Found,
    handed: &Handed,
    native_dir: &Path,
    header: &Header,
) -> Result<Rejoined, AppendError> {
    let id = session_of(&found.path).ok_or(CaptureError::NotASession)?;
    if header.tool != Tool::ClaudeCode {
        return Err(InstallError::OtherTool.into());
    }
    if !is_session_id(&header.native_id) {
        return Err(InstallError::BadId.into());
    }
    let _turn = take_turn(env)?;
    let project = found.path.parent().ok_or(CaptureError::NotASession)?;
    let site = Site { env, project, old_id: &header.native_id, id };
    let received = Received::list(native_dir, &header.native_id)?;
    let names = spilled(&site, &received)?;
    let spill_dir = site.spill_dir();
    let theirs = Edits { old_id: &header.native_id, new_id: id, spilled: &names, spill_dir: &spill_dir };
    let (incoming, written) = site.write_draft(&received.transcript, &theirs).map_err(AppendError::Write)?;
    let (here, meta) = open(&found.path)?;
    let here = Here { file: here, inode: meta.ino(), len: meta.len(), handed: handed.len };
    let ours = Edits { old_id: id, ..theirs };
    let (start, own_modes) = here.start_of_news(incoming.as_file(), &ours)?;
    let news = here.missing(handed, incoming.as_file(), start)?;
    let head = match &news {
        None => head_of(&here.file)?,
        Some(news) => here.head_with(project, &incoming, *news)?,
    };

    let mut done = Done::without(&received.skipped);
    let mut placed = Placed::default();
    put_beside(&site, &received, &theirs, &mut placed, &mut done).map_err(AppendError::Write)?;
    let len = match news {
        None => here.len,
        Some(news) => here.append(&found.path, incoming.as_file(), news)?,
    };
    let messages = if news.is_some() { head.count().saturating_sub(handed.count) } else { 0 };
    Ok(Rejoined {
        appended: Appended { messages: usize::try_from(messages).unwrap_or(usize::MAX), head, len },
        reset_permission_modes: written.reset_modes.saturating_sub(own_modes),
        files: placed.keep(),
        skipped: done.skipped,
    })
}

/// The names of spilled outputs that came back, and of those that are here.
fn spilled(site: &Site<'_>, received: &Received) -> Result<Vec<String>, AppendError> {
    let here = read_dir_unlinked(&site.own_dir().join(Folder::ToolResults.name())).map_err(CaptureError::Files)?;
    let here = here.iter().filter_map(|path| path.file_name()?.to_str());
    let all: BTreeSet<&str> = here.chain(received.in_folder(Folder::ToolResults).map(|(name, _)| name)).collect();
    Ok(all.into_iter().map(str::to_owned).collect())
}

/// The transcript that is here.
struct Here {
    file: File,
    inode: u64,
    len: u64,
    /// Its length when it was handed over.
    handed: u64,
}

impl Here {
    /// Where `incoming` has what is new: behind what was handed over, which must be the same in both. Says as well how many
    /// permission modes were reset in that.
    fn start_of_news(&self, incoming: &File, ours: &Edits<'_>) -> Result<(u64, u64), AppendError> {
        if self.len < self.handed {
            return Err(AppendError::Changed);
        }
        if !ends_line(&self.file, self.handed) {
            return Err(AppendError::Torn);
        }
        let mut compare = Compare { with: incoming, at: 0, same: true };
        let start = BufReader::new(Span { file: &self.file, at: 0, end: self.handed });
        let written = write_transcript(start, &mut compare, ours).map_err(CaptureError::Read)?;
        if compare.same { Ok((compare.at, written.reset_modes)) } else { Err(AppendError::Changed) }
    }

    /// From where to where `incoming` has what is not here yet; `None` if all of it is. What the tool wrote here since the
    /// hand-over may be anything but messages.
    fn missing(&self, handed: &Handed, incoming: &File, start: u64) -> Result<Option<(u64, u64)>, AppendError> {
        let end = incoming.metadata().map_err(AppendError::Write)?.len();
        let (news, grown) = (end - start, self.len - self.handed);
        let both = news.min(grown);
        if self.is_same(self.handed, incoming, start, both)? {
            // A write that was cut short goes on where it stopped.
            return Ok((grown < news).then_some((start + grown, end)));
        }
        if both == news && self.is_same(self.len - news, incoming, start, news)? {
            return Ok(None);
        }
        if !ends_line(&self.file, self.len) {
            return Err(AppendError::Torn);
        }
        let mut since = Since::new(handed.count);
        read_whole(&mut again(&self.file)?, self.len, "", &mut Some(&mut since))?;
        since.of(handed, &[]).map(|_| Some((start, end)))
    }

    fn is_same(&self, at: u64, incoming: &File, start: u64, len: u64) -> Result<bool, AppendError> {
        let mut compare = Compare { with: incoming, at: start, same: true };
        let copied = io::copy(&mut Span { file: &self.file, at, end: at + len }, &mut compare);
        copied.map_err(CaptureError::Read)?;
        Ok(compare.same)
    }

    /// The head of the view with what is new, seen in a draft; the draft must have as many messages as what came back.
    fn head_with(&self, project: &Path, incoming: &NamedTempFile, news: (u64, u64)) -> Result<HeadHasher, AppendError> {
        let mut draft = draft_file(project).map_err(AppendError::Write)?;
        let mut old = Span { file: &self.file, at: 0, end: self.len };
        let mut new = Span { file: incoming.as_file(), at: news.0, end: news.1 };
        let copied = io::copy(&mut old, &mut draft).and_then(|_| io::copy(&mut new, &mut draft));
        copied.map_err(AppendError::Write)?;
        let head = head_of(draft.as_file())?;
        if head.count() == head_of(incoming.as_file())?.count() { Ok(head) } else { Err(AppendError::Changed) }
    }

    /// Writes what is new to the end of the transcript, if that is still as it was, and on to the disk. What cannot be written
    /// whole is taken away again. Gives the length then.
    fn append(&self, path: &Path, incoming: &File, (start, end): (u64, u64)) -> Result<u64, AppendError> {
        let whole = self.len + (end - start);
        let mut file = File::options().append(true).open(path).map_err(AppendError::Write)?;
        let now = file.metadata().map_err(AppendError::Write)?;
        if (now.ino(), now.len()) != (self.inode, self.len) {
            return Err(AppendError::Busy);
        }
        if let Err(error) = copy_lines(incoming, start, end, &mut file).and_then(|()| file.sync_all()) {
            // Only what was written here is cut off again.
            if file.metadata().is_ok_and(|meta| meta.len() <= whole) {
                file.set_len(self.len).map_err(AppendError::Write)?;
            }
            return Err(AppendError::Write(error));
        }
        let now = file.metadata().map_err(AppendError::Write)?.len();
        if now == whole { Ok(whole) } else { Err(AppendError::Raced) }
    }
}

/// Copies whole lines at once, as many as fit.
fn copy_lines(from: &File, start: u64, end: u64, to: &mut File) -> io::Result<()> {
    let (mut at, mut piece) = (start, Vec::new());
    while at < end {
        piece.clear();
        Span { file: from, at, end }.take(PIECE as u64).read_to_end(&mut piece)?;
        let lines = memrchr(b'\n', &piece).map_or(piece.len(), |feed| feed + 1);
        if lines == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(&piece[..lines])?;
        at += lines as u64;
    }
    Ok(())
}

/// Brings what lies beside the transcript; nothing that exists is overwritten.
fn put_beside(
    site: &Site<'_>,
    received: &Received,
    edits: &Edits<'_>,
    placed: &mut Placed,
    done: &mut Done,
) -> io::Result<()> {
    for (folder, target) in [
        (Folder::ToolResults, site.own_dir().join(Folder::ToolResults.name())),
        (Folder::Subagents, site.own_dir().join(Folder::Subagents.name())),
        (Folder::Tasks, site.tasks()),
    ] {
        for (name, path) in received.in_folder(folder) {
            make_dirs(&target)?;
            let draft = if folder == Folder::Subagents && is_agent_transcript(name) {
                let (draft, written) = site.write_draft(path, edits)?;
                note_torn(&written, path, done);
                draft
            } else {
                let mut draft = draft_file(site.project)?;
                io::copy(&mut File::open(path)?.take(MAX_FILE), draft.as_file_mut())?;
                draft
            };
            put_or_skip(draft, &target.join(name), path, placed, done)?;
        }
    }
    site.put_single_files(received, edits, placed, done)
}

/// The head of the view of a transcript.
fn head_of(transcript: &File) -> Result<HeadHasher, AppendError> {
    let mut since = Since::new(u64::MAX);
    let len = transcript.metadata().map_err(CaptureError::Read)?.len();
    read_whole(&mut again(transcript)?, len, "", &mut Some(&mut since))?;
    Ok(since.head())
}

/// The same file, to be read from its start.
fn again(file: &File) -> Result<File, AppendError> {
    let mut file = file.try_clone().map_err(CaptureError::Read)?;
    file.seek(SeekFrom::Start(0)).map_err(CaptureError::Read)?;
    Ok(file)
}

/// A part of a file.
struct Span<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Span<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.end - self.at).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.file.read_at(&mut buffer[..room], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Compares what is written with a file.
struct Compare<'a> {
    with: &'a File,
    at: u64,
    same: bool,
}

impl io::Write for Compare<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut there = vec![0; bytes.len()];
        self.same = self.same && self.with.read_exact_at(&mut there, self.at).is_ok() && there == bytes;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
