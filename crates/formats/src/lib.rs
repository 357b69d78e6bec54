//! Native session files of coding tools, and one neutral session beside them.
//!
//! A [`Format`] finds the sessions of one tool, takes one for a bundle and installs one from a bundle. The tool's own
//! files travel as they are; beside them stand a [`Header`], a [`Summary`] and the [`view`]. Nothing here reads the
//! environment or the clock, runs anything, or holds a whole transcript in memory. All text from a session is untrusted.
//!
//! To add a tool: 1. name it in [`Tool`]; 2. write a folder like `claude_code/` with a type that is a [`Format`]; 3. put
//! that into [`ALL`]; 4. record sessions with the real tool into `fixtures/TOOL/VERSION/home/…` (no third party's
//! prompts, no secrets, paths below `/home/coder`) and name them in `tests/`.

pub mod active_view;
mod claude_code;
mod clip;
mod error;
mod lines;
pub mod route;
mod session;
mod summary;
mod test_runs;
mod torn;
pub mod view;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use active_view::{HeadHash, HeadHasher, TailSink};
use view::Message;

pub use claude_code::ClaudeCode;
pub use error::{AppendError, CaptureError, DiscoverError, InstallError};
pub use lines::MAX_LINE;
pub use session::{Counts, Dropped, HEADER_VERSION, Header, Tool};
pub use summary::{MAX_SUMMARY, Summary};
pub use torn::{Damage, MAX_QUARANTINED, Quarantined, TornReport};
pub use view::ViewSink;

/// All formats.
pub const ALL: &[&dyn Format] = &[&ClaudeCode];

/// The format of a tool.
pub fn format_for(tool: Tool) -> &'static dyn Format {
    match tool {
        Tool::ClaudeCode => &ClaudeCode,
    }
}

/// Where tools keep their files. The caller reads the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Env {
    /// The home folder.
    pub home: PathBuf,
    /// `CLAUDE_CONFIG_DIR`, if it is set and not empty.
    pub claude_config_dir: Option<PathBuf>,
}

/// A session on this machine, as far as a short look at its file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The tool that has it.
    pub tool: Tool,
    /// The tool's own id.
    pub native_id: String,
    /// The transcript.
    pub path: PathBuf,
    /// The working directory.
    pub cwd: Option<PathBuf>,
    /// The title that the tool shows; never the first prompt.
    pub title: Option<String>,
    /// When the transcript last changed, in ms since 1970.
    pub updated_at_ms: i64,
    /// The transcript's length in bytes.
    pub len: u64,
}

/// A session taken for a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// `session.json`.
    pub header: Header,
    /// What was done.
    pub summary: Summary,
    /// The native files to put into the bundle, the transcript first.
    pub files: Vec<CapturedFile>,
    /// Files of the session that are left out.
    pub skipped: Vec<Skipped>,
    /// What is damaged in the transcript.
    pub torn: TornReport,
    /// From where the next capture may go on; `None` where the session has to be read whole then.
    pub checkpoint: Option<Checkpoint>,
}

/// Where a capture ended: text for [`Format::capture_more`] and nobody else. Some kilobytes, however long the session is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint(pub(crate) String);

/// What a session was when it was handed over, so that what comes back is put behind that and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handed {
    /// The transcript's length in bytes: that of the [`Found`] that was captured.
    pub len: u64,
    /// How many messages its view had.
    pub count: u64,
    /// The head hash of its view.
    pub head_hash: HeadHash,
}

impl Handed {
    /// A session as it was found and captured into `view`.
    pub fn of(found: &Found, view: &TailSink<'_>) -> Self {
        Self { len: found.len, count: view.head().count(), head_hash: view.head().hash() }
    }
}

/// What was appended to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// How many messages are new; fewer than were given, if some were there already.
    pub messages: usize,
    /// The head of the session's view now.
    pub head: HeadHasher,
    /// The transcript's length in bytes now.
    pub len: u64,
}

/// A session that another device went on with, and that is here again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejoined {
    /// What was appended to the transcript.
    pub appended: Appended,
    /// How many permission modes that ask less than usual were reset in it.
    pub reset_permission_modes: u64,
    /// The files made beside the transcript.
    pub files: Vec<PathBuf>,
    /// Files that were left out.
    pub skipped: Vec<Skipped>,
}

/// A native file to put into a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedFile {
    /// Its place in the bundle: relative, with `/`, of plain characters; as `native/session.jsonl`.
    pub bundle_path: String,
    /// Where it is.
    pub source: PathBuf,
    /// How many bytes of it to take; what is appended later is not part of the session as captured.
    pub len: u64,
}

/// A file that was left out, or of which a part was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: SkipReason,
}

/// Why a file was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// Its name is not one that the tool gives, or not safe on every system.
    Name,
    /// It is a link, a folder or a device.
    NotAFile,
    /// It is too long.
    TooLong,
    /// There are too many.
    TooMany,
    /// Another file is in its place.
    Exists,
    /// Damaged lines of it were left out.
    Torn,
}

/// The id that a session gets here, a new UUID (lower case) where it is a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming<'a> {
    /// Its own, or this one if that is taken.
    OwnOr(&'a str),
    /// This one: it is a session of its own, also beside the very same.
    Fresh(&'a str),
}

/// A session put in place for its tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its id here.
    pub native_id: String,
    /// The transcript.
    pub native_path: PathBuf,
    /// The directory to resume in, as a real path.
    pub cwd: PathBuf,
    /// Whether it got the fresh id because its own was taken.
    pub renamed: bool,
    /// Whether it was in place before; then `files` is empty.
    pub already: bool,
    /// How many permission modes that ask less than usual were reset.
    pub reset_permission_modes: u64,
    /// What was damaged in the transcript and is left out.
    pub torn: TornReport,
    /// The files and folders made.
    pub files: Vec<PathBuf>,
    /// Files of the bundle that were left out.
    pub skipped: Vec<Skipped>,
}

/// Whether a session is being answered right now, as far as its file shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Nobody waits for an answer.
    Idle,
    /// A prompt or a result waits for an answer, or a call for its result.
    Running {
        /// The start of the reply as far as it is in the file, at most
        /// [`PARTIAL_MAX`](active_view::PARTIAL_MAX) bytes. It is then the view's last message as well.
        partial: Option<String>,
        /// Since when, in ms since 1970. A tool that was killed leaves a session running for ever: this tells.
        since_ms: i64,
    },
}

/// After how long a turn of which nothing came is taken for one that was killed, in ms. Claude Code ends commands after ten
/// minutes at most.
pub const TURN_SILENCE_MAX_MS: i64 = 15 * 60 * 1000;

impl Turn {
    /// Whether it is worth waiting for, at `now_ms` since 1970: it runs, and something came of it in the last
    /// [`TURN_SILENCE_MAX_MS`].
    pub fn is_alive(&self, now_ms: i64) -> bool {
        match self {
            Self::Idle => false,
            Self::Running { since_ms, .. } => now_ms.saturating_sub(*since_ms) < TURN_SILENCE_MAX_MS,
        }
    }
}

/// How to start a tool with a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeCommand {
    /// The program's name.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The directory to start it in.
    pub cwd: PathBuf,
}

/// Sessions of one tool.
pub trait Format: Sync {
    /// The tool.
    fn tool(&self) -> Tool;

    /// The sessions on this machine, newest first, a bounded number. Looks at the start and end of a file only, and only
    /// when its turn comes: who takes ten of thousands waits for ten.
    fn discover(&self, env: &Env) -> Result<Box<dyn Iterator<Item = Found>>, DiscoverError>;

    /// The session of that id.
    fn find(&self, env: &Env, native_id: &str) -> Result<Option<Found>, DiscoverError>;

    /// The sessions whose id begins so, newest first. Looks at no other.
    fn find_beginning(&self, env: &Env, beginning: &str) -> Result<Vec<Found>, DiscoverError>;

    /// The transcript of a session, as [`Format::capture`] will give it first: who is in a hurry reads it meanwhile.
    fn transcript(&self, found: &Found) -> CapturedFile;

    /// Takes a session as it was found: says which native files to put into the bundle, and writes its view where one is
    /// asked for. What was appended since it was found is not part of it.
    fn capture(&self, env: &Env, found: &Found, view: Option<&mut dyn ViewSink>) -> Result<Captured, CaptureError>;

    /// Takes a session that grew since `since` at a cost that does not depend on its length, and writes to `view` what
    /// its view grew by. Trusts that what was read then is unchanged (SPEC F1). `None` when it did more than grow, as far
    /// as that can be seen: then what was written to `view` counts for nothing, and [`Format::capture`] is called for.
    fn capture_more(
        &self,
        env: &Env,
        found: &Found,
        since: &Checkpoint,
        view: Option<&mut dyn ViewSink>,
    ) -> Result<Option<Captured>, CaptureError>;

    /// Writes the view of a session as a bundle has it; `native_dir` holds what lies there below `native/`.
    fn view(&self, native_dir: &Path, view: &mut dyn ViewSink) -> Result<(), CaptureError>;

    /// Whether a turn is being made in the session, as it is now. Reads the end of its transcript only.
    fn turn(&self, found: &Found) -> Result<Turn, CaptureError>;

    /// Appends what was said on another device since the session was `handed` over: words of the person and of the model,
    /// as the tool itself would write them. Each of `turns` has an id of its own, a fresh UUID (version 4, lower case),
    /// and its time; in the view it is then the same message as there. Starts no turn. What of it is there already, from
    /// an earlier call, is not written again. Nothing is changed where it fails, except as [`AppendError::Raced`] says.
    fn append(&self, found: &Found, handed: &Handed, turns: &[Message]) -> Result<Appended, AppendError>;

    /// Where [`Format::append`] cannot: makes a session under the id `fresh_id`, a new UUID, that is the one that was
    /// `handed` over followed by `turns`. It will be resumed in `cwd`. The session itself stays as it is.
    fn fork(
        &self,
        env: &Env,
        found: &Found,
        handed: &Handed,
        turns: &[Message],
        cwd: &Path,
        fresh_id: &str,
    ) -> Result<Installed, AppendError>;

    /// Appends what the tool wrote on another device since the session was `handed` over, line by line as it stands there but
    /// for what [`Format::install`] changed, and brings files that are new beside the transcript. `native_dir` holds what came
    /// back below `native/`, `header` is its header; both are hostile. What is there already is not written again, and files
    /// that exist stay as they are. Where the session went on here as well, it can be installed beside it as a fork.
    /// Nothing is changed in the transcript where it fails, except as [`AppendError::Raced`] says.
    fn rejoin(
        &self,
        env: &Env,
        found: &Found,
        handed: &Handed,
        native_dir: &Path,
        header: &Header,
    ) -> Result<Rejoined, AppendError>;

    /// Installs a session. `native_dir` holds what the bundle has below `native/`; `cwd` is the directory that it will
    /// be resumed in; `fresh_id` is a new UUID (lower case), taken if the session's own id is taken here.
    fn install(
        &self,
        env: &Env,
        native_dir: &Path,
        header: &Header,
        cwd: &Path,
        fresh_id: &str,
    ) -> Result<Installed, InstallError> {
        self.install_if(env, native_dir, header, cwd, Naming::OwnOr(fresh_id), &|| true)
    }

    /// The same, if it is `wanted`: asked once, when all of it is ready to be put in place and nothing of it is.
    ///
    /// # Errors
    /// [`InstallError::NotWanted`] beside those of the installation.
    fn install_if(
        &self,
        env: &Env,
        native_dir: &Path,
        header: &Header,
        cwd: &Path,
        naming: Naming<'_>,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Installed, InstallError>;

    /// The command that resumes the session.
    fn resume_command(&self, installed: &Installed) -> ResumeCommand;
}
