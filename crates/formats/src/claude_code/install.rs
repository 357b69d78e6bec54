//! Making a received session one that the tool resumes. What comes from a bundle is hostile: names are checked, sizes
//! bounded, nothing is run, and nothing that exists is overwritten.
//!
//! A call without result at the end is left as it is: Claude Code 2.1.197 does not run it on resume, and drops it from
//! what it sends (seen with a `Bash` call as the last line).

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::discover::read_dir;
use super::edit::Edits;
use super::files::{Folder, MAX_FILE, MAX_FILES, MAX_TRANSCRIPT, SESSION, read_dir_unlinked};
use super::killed;
use super::layout::{config_dir, encode_dir, is_agent_transcript, is_session_id, projects_dir, todo_agent};
use super::place::{Placed, copy_file, draft_dir, draft_file, is_same, make_dirs};
use super::transcript::{Written, write_transcript};
use crate::session::Header;
use crate::{DiscoverError, Env, InstallError, Installed, Naming, SkipReason, Skipped, Tool};

/// Installs under the id that `naming` says, if it is `wanted` when all is drafted.
pub(super) fn install(
    env: &Env,
    native_dir: &Path,
    header: &Header,
    cwd: &Path,
    naming: Naming<'_>,
    wanted: &dyn Fn() -> bool,
) -> Result<Installed, InstallError> {
    let own = header.native_id.as_str();
    let (ids, fresh_id): (&[&str], _) = match naming {
        Naming::OwnOr(fresh) => (&[own, fresh], fresh),
        Naming::Fresh(fresh) => (&[fresh], fresh),
    };
    if header.tool != Tool::ClaudeCode {
        return Err(InstallError::OtherTool);
    }
    if !is_session_id(&header.native_id) || !is_session_id(fresh_id) {
        return Err(InstallError::BadId);
    }
    let _turn = take_turn(env)?;
    install_under(env, native_dir, own, cwd, ids, wanted)
}

/// Waits until no other install is under way.
pub(super) fn take_turn(env: &Env) -> Result<killed::Turn, InstallError> {
    killed::take_turn(env).map_err(|source| InstallError::Io { path: projects_dir(env), source })
}

/// Installs the session `old_id` under the first of `ids` that is free, or that it has here already. Its caller has the
/// turn.
pub(super) fn install_under(
    env: &Env,
    native_dir: &Path,
    old_id: &str,
    cwd: &Path,
    ids: &[&str],
    wanted: &dyn Fn() -> bool,
) -> Result<Installed, InstallError> {
    let cwd = fs::canonicalize(cwd).map_err(|source| InstallError::Io { path: cwd.to_owned(), source })?;
    let encoded = cwd.to_str().filter(|_| cwd.is_dir()).map(encode_dir).ok_or(InstallError::BadDirectory)?;
    let received = Received::list(native_dir, old_id)?;
    let project = projects_dir(env).join(encoded);
    make_dirs(&project).map_err(|source| InstallError::Io { path: project.clone(), source })?;
    let spilled: Vec<String> = received.in_folder(Folder::ToolResults).map(|(name, _)| name.to_owned()).collect();
    for id in ids {
        let site = Site { env, project: &project, old_id, id };
        let spill_dir = site.spill_dir();
        let edits = Edits { old_id, new_id: id, spilled: &spilled, spill_dir: &spill_dir };
        let failed = |source| InstallError::Io { path: project.clone(), source };
        let Some(drafted) = site.draft(&received, &edits).map_err(failed)? else { continue };
        if !wanted() {
            return Err(InstallError::NotWanted);
        }
        return site.put(drafted, &received, &edits).map_err(failed)?.finish(&cwd, &site);
    }
    Err(InstallError::IdTaken)
}

/// The files of a bundle that are taken.
pub(super) struct Received {
    pub(super) transcript: PathBuf,
    files: Vec<(Folder, String, PathBuf)>,
    pub(super) skipped: Vec<Skipped>,
}

impl Received {
    pub(super) fn list(native_dir: &Path, session: &str) -> Result<Self, InstallError> {
        let transcript = native_dir.join(SESSION);
        match fs::symlink_metadata(&transcript) {
            Ok(meta) if meta.is_file() && meta.len() > MAX_TRANSCRIPT => return Err(InstallError::TooLarge),
            Ok(meta) if meta.is_file() => {}
            _ => return Err(InstallError::NoTranscript),
        }
        let (mut files, mut skipped) = (Vec::new(), Vec::new());
        for folder in Folder::ALL {
            let paths = read_dir_unlinked(&native_dir.join(folder.name()))
                .map_err(|DiscoverError { path, source }| InstallError::Io { path, source })?;
            for path in paths {
                let name = path.file_name().and_then(|name| name.to_str()).filter(|name| folder.accepts(name, session));
                match (name, fs::symlink_metadata(&path)) {
                    (None, _) => skipped.push(Skipped { path, reason: SkipReason::Name }),
                    (Some(_), Ok(meta)) if meta.is_file() && meta.len() > MAX_FILE => {
                        skipped.push(Skipped { path, reason: SkipReason::TooLong });
                    }
                    (Some(name), Ok(meta)) if meta.is_file() => files.push((folder, name.to_owned(), path)),
                    _ => skipped.push(Skipped { path, reason: SkipReason::NotAFile }),
                }
                if files.len() + skipped.len() > MAX_FILES {
                    return Err(InstallError::TooManyFiles);
                }
            }
        }
        Ok(Self { transcript, files, skipped })
    }

    pub(super) fn in_folder(&self, folder: Folder) -> impl Iterator<Item = (&str, &Path)> {
        self.files.iter().filter(move |(of, _, _)| *of == folder).map(|(_, name, path)| (name.as_str(), path.as_path()))
    }
}

/// Where a session goes.
pub(super) struct Site<'a> {
    pub(super) env: &'a Env,
    pub(super) project: &'a Path,
    pub(super) old_id: &'a str,
    pub(super) id: &'a str,
}

/// A session that is ready to be put in place.
struct Drafted {
    transcript: NamedTempFile,
    done: Done,
}

#[derive(Default)]
pub(super) struct Done {
    written: Written,
    files: Vec<PathBuf>,
    pub(super) skipped: Vec<Skipped>,
    already: bool,
}

impl Done {
    /// Nothing yet, but for what was left out.
    pub(super) fn without(skipped: &[Skipped]) -> Self {
        Self { skipped: skipped.to_vec(), ..Self::default() }
    }

    fn finish(self, cwd: &Path, site: &Site<'_>) -> Result<Installed, InstallError> {
        if self.written.torn.kept == 0 {
            return Err(InstallError::Empty);
        }
        Ok(Installed {
            native_id: site.id.to_owned(),
            native_path: site.transcript(),
            cwd: cwd.to_owned(),
            renamed: site.id != site.old_id,
            already: self.already,
            reset_permission_modes: self.written.reset_modes,
            torn: self.written.torn,
            files: self.files,
            skipped: self.skipped,
        })
    }
}

impl Site<'_> {
    fn transcript(&self) -> PathBuf {
        self.project.join(format!("{}.jsonl", self.id))
    }

    pub(super) fn own_dir(&self) -> PathBuf {
        self.project.join(self.id)
    }

    pub(super) fn tasks(&self) -> PathBuf {
        config_dir(self.env).join("tasks").join(self.id)
    }

    pub(super) fn spill_dir(&self) -> String {
        self.own_dir().join(Folder::ToolResults.name()).to_string_lossy().into_owned()
    }

    /// Writes the transcript beside its place, or finds that it is there already; `None` if the id is taken by another session.
    fn draft(&self, received: &Received, edits: &Edits<'_>) -> io::Result<Option<Drafted>> {
        let (transcript, written) = self.write_draft(&received.transcript, edits)?;
        let mut done = Done { written, files: Vec::new(), skipped: received.skipped.clone(), already: false };
        let target = self.transcript();
        let there = fs::symlink_metadata(&target);
        done.already = there.is_ok_and(|meta| meta.is_file()) && is_same(transcript.path(), &target)?;
        if !done.already {
            if self.is_taken()? {
                return Ok(None);
            }
            // Nobody waits for the disk yet.
            transcript.as_file().sync_data()?;
        }
        Ok(Some(Drafted { transcript, done }))
    }

    fn put(&self, drafted: Drafted, received: &Received, edits: &Edits<'_>) -> io::Result<Done> {
        let Drafted { transcript, mut done } = drafted;
        if done.already || done.written.torn.kept == 0 {
            return Ok(done);
        }
        let _mark = killed::mark(self.project, self.id)?;
        let mut placed = Placed::default();
        self.put_own_dir(received, edits, &mut placed, &mut done)?;
        self.put_tasks(received, &mut placed)?;
        self.put_single_files(received, edits, &mut placed, &mut done)?;
        // Last: without it there is no session, whatever else is there.
        placed.put_file(transcript, &self.transcript())?;
        done.files = placed.keep();
        Ok(done)
    }

    pub(super) fn write_draft(&self, from: &Path, edits: &Edits<'_>) -> io::Result<(NamedTempFile, Written)> {
        let mut draft = draft_file(self.project)?;
        let mut out = BufWriter::new(draft.as_file_mut());
        let written = write_transcript(BufReader::new(File::open(from)?), &mut out, edits)?;
        out.flush()?;
        drop(out);
        Ok((draft, written))
    }

    /// Whether any project has a session of this id, or one left its files here.
    fn is_taken(&self) -> io::Result<bool> {
        let exists = |path: &Path| fs::symlink_metadata(path).is_ok();
        let file = format!("{}.jsonl", self.id);
        let projects = read_dir(&projects_dir(self.env)).map_err(|error| error.source)?;
        Ok(exists(&self.own_dir())
            || exists(&self.tasks())
            || projects.iter().any(|project| exists(&project.join(&file))))
    }

    fn put_own_dir(
        &self,
        received: &Received,
        edits: &Edits<'_>,
        placed: &mut Placed,
        done: &mut Done,
    ) -> io::Result<()> {
        let draft = draft_dir(self.project)?;
        let mut any = false;
        for folder in [Folder::ToolResults, Folder::Subagents] {
            for (name, path) in received.in_folder(folder) {
                let dir = draft.path().join(folder.name());
                make_dirs(&dir)?;
                if folder == Folder::Subagents && is_agent_transcript(name) {
                    let (file, written) = self.write_draft(path, edits)?;
                    note_torn(&written, path, done);
                    file.as_file().sync_all()?;
                    file.persist_noclobber(dir.join(name)).map_err(|failed| failed.error)?;
                } else {
                    copy_file(path, &dir.join(name), MAX_FILE)?;
                }
                any = true;
            }
        }
        if any { placed.put_dir(draft, &self.own_dir()) } else { Ok(()) }
    }

    fn put_tasks(&self, received: &Received, placed: &mut Placed) -> io::Result<()> {
        if received.in_folder(Folder::Tasks).next().is_none() {
            return Ok(());
        }
        let tasks = config_dir(self.env).join("tasks");
        make_dirs(&tasks)?;
        let draft = draft_dir(&tasks)?;
        for (name, path) in received.in_folder(Folder::Tasks) {
            copy_file(path, &draft.path().join(name), MAX_FILE)?;
        }
        placed.put_dir(draft, &self.tasks())
    }

    /// Files that stand beside those of other sessions. One that exists stays as it is.
    pub(super) fn put_single_files(
        &self,
        received: &Received,
        edits: &Edits<'_>,
        placed: &mut Placed,
        done: &mut Done,
    ) -> io::Result<()> {
        for (name, path) in received.in_folder(Folder::Agents) {
            let (draft, written) = self.write_draft(path, edits)?;
            note_torn(&written, path, done);
            put_or_skip(draft, &self.project.join(name), path, placed, done)?;
        }
        for (name, path) in received.in_folder(Folder::Todos) {
            let Some(agent) = todo_agent(name, self.old_id) else { continue };
            let agent = if agent == self.old_id { self.id } else { agent };
            let todos = config_dir(self.env).join("todos");
            make_dirs(&todos)?;
            let mut draft = draft_file(&todos)?;
            io::copy(&mut File::open(path)?, draft.as_file_mut())?;
            put_or_skip(draft, &todos.join(format!("{}-agent-{agent}.json", self.id)), path, placed, done)?;
        }
        Ok(())
    }
}

pub(super) fn put_or_skip(
    draft: NamedTempFile,
    target: &Path,
    from: &Path,
    placed: &mut Placed,
    done: &mut Done,
) -> io::Result<()> {
    if fs::symlink_metadata(target).is_ok() {
        if !is_same(draft.path(), target)? {
            done.skipped.push(Skipped { path: from.to_owned(), reason: SkipReason::Exists });
        }
        return Ok(());
    }
    placed.put_file(draft, target)
}

pub(super) fn note_torn(written: &Written, path: &Path, done: &mut Done) {
    done.written.reset_modes += written.reset_modes;
    if written.torn.total > 0 {
        done.skipped.push(Skipped { path: path.to_owned(), reason: SkipReason::Torn });
    }
}
