//! What was handed over, and what was said elsewhere behind it, as a session of its own.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::append::{Lines, ends_line};
use super::files::{MAX_FILE, SESSION, list_beside};
use super::install::{install_under, take_turn};
use super::layout::{is_session_id, projects_dir, session_of};
use super::place::{copy_file, draft_dir, make_dirs};
use crate::view::Message;
use crate::{AppendError, CaptureError, Env, Found, Handed, InstallError, Installed};

/// Makes the fork under the id `fresh_id`. All of it is made in a draft and installed as what comes in a bundle is.
pub(super) fn fork(
    env: &Env,
    found: &Found,
    handed: &Handed,
    turns: &[Message],
    cwd: &Path,
    fresh_id: &str,
) -> Result<Installed, AppendError> {
    let id = session_of(&found.path).ok_or(CaptureError::NotASession)?;
    if !is_session_id(fresh_id) {
        return Err(InstallError::BadId.into());
    }
    let _turn = take_turn(env)?;
    let draft = draft_dir(&projects_dir(env)).map_err(AppendError::Write)?;
    let transcript = draft.path().join(SESSION);
    copy_start(&found.path, &transcript, handed.len)?;
    Lines::of(&transcript, id, handed, turns)?.write(&transcript)?;
    let beside = list_beside(env, &found.path, id).map_err(CaptureError::Files)?;
    for file in &beside.files {
        let Some(name) = file.bundle_path.strip_prefix("native/") else { continue };
        let target = draft.path().join(name);
        let copied =
            make_dirs(target.parent().unwrap_or(&target)).and_then(|()| copy_file(&file.source, &target, MAX_FILE));
        copied.map_err(AppendError::Write)?;
    }
    Ok(install_under(env, draft.path(), id, cwd, &[fresh_id], &|| true)?)
}

/// The session as it was handed over, its last line ended; what is shorter now is another one.
fn copy_start(from: &Path, to: &Path, len: u64) -> Result<(), AppendError> {
    let mut start = File::open(from).map_err(CaptureError::Read)?.take(len);
    let mut file = File::options().read(true).write(true).create_new(true).open(to).map_err(AppendError::Write)?;
    if io::copy(&mut start, &mut file).map_err(AppendError::Write)? != len {
        return Err(AppendError::Changed);
    }
    if !ends_line(&file, len) {
        // What was cut there is left out when it is installed.
        file.write_all(b"\n").map_err(AppendError::Write)?;
    }
    Ok(())
}
