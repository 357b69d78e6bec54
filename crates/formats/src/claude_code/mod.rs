//! Claude Code.
//!
//! Checked with the tool itself, 2.1.197, against a stub of the model API: every recorded session was captured, installed
//! in another home and directory and resumed, and what the tool sent is what the view holds, in the same order. It adds
//! or changes only this: thinking (kept in the native file, not in the view), its own reminders, also behind the text of a
//! result; `Task` is sent as `Agent`, its new name; a call without a result is not sent; and a conversation that ends with
//! the user gets a closing line or two made up by the tool. The rules of order are in `chain`, what it does with
//! permission modes in `edit`, with open calls in `install`.
//!
//! What the tool wrote itself and sends as words of the user (local commands and their output, compact summaries) are
//! notices in the view; lines marked `isMeta`, which it sends too, are not in the view. `claude --resume ID` in the
//! project's directory finds a session by the names of folder and file alone.

mod append;
mod capture;
mod chain;
mod checkpoint;
mod discover;
mod edit;
mod files;
mod fork;
mod index;
mod install;
mod killed;
mod layout;
mod messages;
mod peek;
mod place;
mod record;
mod rejoin;
mod route;
mod scan;
mod since;
mod transcript;
mod turn;

pub(crate) use append::{MAX_TURNS, MAX_TURNS_TEXT};
pub(crate) use files::{MAX_FILES, MAX_TRANSCRIPT};
pub(crate) use index::MAX_ENTRIES;
pub use route::{Variables, describe, find_local};

use std::path::Path;

use crate::session::Header;
use crate::view::{Message, ViewSink};
use crate::{
    AppendError, Appended, CaptureError, Captured, CapturedFile, Checkpoint, DiscoverError, Env, Format, Found, Handed,
    InstallError, Installed, Naming, Rejoined, ResumeCommand, Tool, Turn,
};

/// Claude Code's sessions.
#[derive(Debug, Clone, Copy)]
pub struct ClaudeCode;

impl Format for ClaudeCode {
    fn tool(&self) -> Tool {
        Tool::ClaudeCode
    }

    fn discover(&self, env: &Env) -> Result<Box<dyn Iterator<Item = Found>>, DiscoverError> {
        Ok(Box::new(discover::discover(env)?))
    }

    fn find_beginning(&self, env: &Env, beginning: &str) -> Result<Vec<Found>, DiscoverError> {
        discover::find_beginning(env, beginning)
    }

    fn find(&self, env: &Env, native_id: &str) -> Result<Option<Found>, DiscoverError> {
        discover::find(env, native_id)
    }

    fn transcript(&self, found: &Found) -> CapturedFile {
        capture::transcript(found, found.len)
    }

    fn capture(&self, env: &Env, found: &Found, view: Option<&mut dyn ViewSink>) -> Result<Captured, CaptureError> {
        capture::capture(env, found, view)
    }

    fn capture_more(
        &self,
        env: &Env,
        found: &Found,
        since: &Checkpoint,
        view: Option<&mut dyn ViewSink>,
    ) -> Result<Option<Captured>, CaptureError> {
        capture::capture_more(env, found, since, view)
    }

    fn view(&self, native_dir: &Path, view: &mut dyn ViewSink) -> Result<(), CaptureError> {
        capture::view(native_dir, view)
    }

    fn turn(&self, found: &Found) -> Result<Turn, CaptureError> {
        turn::turn(found)
    }

    fn append(&self, found: &Found, handed: &Handed, turns: &[Message]) -> Result<Appended, AppendError> {
        append::append(found, handed, turns)
    }

    fn fork(
        &self,
        env: &Env,
        found: &Found,
        handed: &Handed,
        turns: &[Message],
        cwd: &Path,
        fresh_id: &str,
    ) -> Result<Installed, AppendError> {
        fork::fork(env, found, handed, turns, cwd, fresh_id)
    }

    fn rejoin(
        &self,
        env: &Env,
        found: &Found,
        handed: &Handed,
        native_dir: &Path,
        header: &Header,
    ) -> Result<Rejoined, AppendError> {
        rejoin::rejoin(env, found, handed, native_dir, header)
    }

    fn install_if(
        &self,
        env: &Env,
        native_dir: &Path,
        header: &Header,
        cwd: &Path,
        naming: Naming<'_>,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Installed, InstallError> {
        install::install(env, native_dir, header, cwd, naming, wanted)
    }

    fn resume_command(&self, installed: &Installed) -> ResumeCommand {
        ResumeCommand {
            program: "claude".to_owned(),
            args: vec!["--resume".to_owned(), installed.native_id.clone()],
            cwd: installed.cwd.clone(),
        }
    }
}
