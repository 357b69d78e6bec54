//! What comes back of a chat that was moved: opened, verified and shown, then put behind what was handed over, or beside it where
//! the chat went on here as well (SPEC D12, D15). Every step may be repeated; none starts a turn.

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use segue_bundle::{Contents, Expected, Reader, verify_envelope};
use segue_domain::{Clock as _, SessionId};
use segue_formats::{
    AppendError, Env, Format, Found, Header, Installed, Skipped,
    active_view::{ComingBack, NewWords},
    view::Role,
};
use segue_signed::{BundleKind, Wrap};

use super::held::Moved;
use crate::{
    account::Account,
    capture::left_out,
    download::{self, refused},
    environment::{self, SystemClock, uuid},
    error::{CliError, Exit, Result},
    home::{Home, Temporary},
    library::{Head, Library, Native, Record},
    output::Output,
    remote::{Place, Remote},
    upload::owner,
};

/// Something that came back and was verified. Nothing is changed yet.
pub struct CameBack {
    /// What the other device says.
    pub back: ComingBack,
    /// How many messages are new; none where the chat was compacted or rewound there.
    pub messages: u64,
    /// The last words there, and whose they are.
    pub last_words: Option<(Role, String)>,
    pushed: Option<Pushed>,
}

/// A session that was pushed there and fetched here.
struct Pushed {
    folder: Temporary,
    header: Header,
    contents: Contents,
    envelope: Vec<u8>,
    head: Head,
}

/// What became of it.
pub struct PutBack {
    /// Whether it became a session beside the one that was handed over, which had gone on.
    pub forked: bool,
    /// The session in its tool.
    pub native: Native,
}

/// Opens what came back, with the key that was kept for it, and verifies that it is of the chat that was moved.
///
/// # Errors
/// Verification (exit 9), gone (exit 10) after a day. Nothing was changed.
pub fn open(
    home: &Home,
    account: &Account,
    remote: &Remote,
    moved: &Moved,
    sealed: &[u8],
    output: &Output,
) -> Result<CameBack> {
    let without = || format!("To go on here without it: segue device fork {}", moved.session_id);
    let opener = moved.opener(SystemClock.now()).ok_or_else(|| {
        CliError::new(Exit::Gone, "expired", "what came back can no longer be opened: a day is over").hint(without())
    })?;
    let plain = opener.open(sealed).map_err(|_| {
        CliError::verification("what came back is not what the other device sealed: it was changed on its way")
            .hint(format!("Nothing was changed here. Tell whoever runs the server. {}", without()))
    })?;
    let back = ComingBack::parse(&plain)
        .map_err(|error| CliError::verification(format!("what came back cannot be read: {error}")).hint(without()))?;
    let pushed = back.seq.map(|seq| fetch(home, account, remote, moved, seq, output)).transpose()?;
    let mut words = NewWords::behind(moved.handed.count);
    if let Some(pushed) = &pushed {
        let format = segue_formats::format_for(pushed.header.tool);
        format.view(&pushed.native_dir(), &mut words).map_err(CliError::session)?;
    }
    let holds = if pushed.is_some() { back.is_head(words.head()) } else { back.verify_words(&moved.handed) };
    if !holds {
        let text = "what came back is not the chat that was moved, or not as it stands on the server now";
        return Err(CliError::verification(text).hint(format!("Nothing was changed here. {}", without())));
    }
    let said = back.messages.last().and_then(|message| match message.parts.last() {
        Some(segue_formats::view::Part::Text { text, .. }) => Some((message.role, text.clone())),
        _ => None,
    });
    let last_words = said.or_else(|| words.last_words().map(|(role, text)| (role, text.to_owned())));
    Ok(CameBack { messages: back.count.saturating_sub(moved.handed.count), last_words, back, pushed })
}

/// Fetches the account's own newest state of the session, which must be the one that was given back.
fn fetch(home: &Home, account: &Account, remote: &Remote, moved: &Moved, seq: u64, output: &Output) -> Result<Pushed> {
    let id: SessionId = moved.session_id.parse().map_err(|_| CliError::not_found("there is no such session"))?;
    let bundle = remote.session_bundle(id)?;
    let expected = Expected {
        kind: BundleKind::Snapshot,
        handoff_id: "",
        session_id: Some(&moved.session_id),
        reader: Reader::Holder,
        now: None,
        seq_min: seq,
        revision_min: 0,
    };
    let verified = verify_envelope(&bundle.envelope.0, &account.key_card()?.card, &expected);
    let verified = verified.map_err(|error| refused(&error))?;
    if verified.header().seq != seq {
        return Err(CliError::new(
            Exit::Conflict,
            "diverged",
            "the session was pushed once more since it was given back",
        )
        .hint(format!("To go on here without it: segue device fork {id}")));
    }
    let wrap = bundle.wrap.ok_or_else(|| CliError::verification("the server keeps the key of this session back"))?;
    let wrap = Wrap::parse(&wrap.0).map_err(|error| refused(&error))?;
    let head = Head { seq, envelope_hash: HEXLOWER.encode(&verified.hash()) };
    let keys = account.keys()?;
    let opened = verified.unwrap_own(owner(account, &keys), &wrap).map_err(|error| refused(&error))?;
    let place = bundle.bundle_id.parse().map_err(|_| CliError::verification("the server names no bundle"))?;
    let folder = home.temporary()?;
    let content = folder.path().join("content");
    let contents = download::fetch(home, remote, Place::Held(place), &opened, &content, output)?;
    let header = download::read_header(&content)?;
    Ok(Pushed { folder, header, contents, envelope: bundle.envelope.0, head })
}

impl Pushed {
    fn native_dir(&self) -> PathBuf {
        self.folder.path().join("content/native")
    }
}

impl CameBack {
    /// Puts it behind the chat, or beside it. On return the next push continues what came back.
    pub fn put(&self, home: &Home, tools: &Env, moved: &Moved, record: &Record, output: &Output) -> Result<PutBack> {
        let (library, id) = (Library::new(home), record.session_id()?);
        let format = segue_formats::format_for(record.header.tool);
        let found = format.find(tools, &moved.native.id).ok().flatten().ok_or_else(|| {
            CliError::not_found("the tool no longer has this session here, so nothing can be put behind it")
                .hint(format!("What came back waits for a day. Without it: segue device fork {id}"))
        })?;
        let _native = library.lock_native(&found)?;
        let _lock = library.lock(id)?;
        let record = library.find(id)?.unwrap_or_else(|| record.clone());
        let put = Putting { format, tools, moved, found: &found, record: &record, output };
        match &self.pushed {
            None => put.words(&self.back),
            Some(pushed) => {
                let done = put.session(pushed)?;
                let record = Record { head: Some(pushed.head.clone()), native: Some(done.native.clone()), ..record };
                library.save_state(&record, &pushed.contents.manifest().encode(), &pushed.envelope, None)?;
                Ok(done)
            }
        }
    }
}

/// Where it is put.
struct Putting<'a> {
    format: &'static dyn Format,
    tools: &'a Env,
    moved: &'a Moved,
    found: &'a Found,
    record: &'a Record,
    output: &'a Output,
}

impl Putting<'_> {
    fn words(&self, back: &ComingBack) -> Result<PutBack> {
        match self.format.append(self.found, &self.moved.handed, &back.messages) {
            Ok(_) => Ok(self.behind()),
            Err(error) if becomes_a_fork(&error) => {
                let (handed, cwd) = (&self.moved.handed, self.fork_directory()?);
                let fork = self.format.fork(self.tools, self.found, handed, &back.messages, &cwd, &self.fork_id()?);
                fork.map(|installed| self.beside(installed)).map_err(|error| not_put(&error))
            }
            Err(error) => Err(not_put(&error)),
        }
    }

    fn session(&self, pushed: &Pushed) -> Result<PutBack> {
        let native_dir = pushed.native_dir();
        match self.format.rejoin(self.tools, self.found, &self.moved.handed, &native_dir, &pushed.header) {
            Ok(rejoined) => {
                self.report(&rejoined.skipped, rejoined.reset_permission_modes);
                Ok(self.behind())
            }
            Err(error) if becomes_a_fork(&error) => {
                let (cwd, fresh) = (self.fork_directory()?, self.fork_id()?);
                let installed = self.format.install(self.tools, &native_dir, &pushed.header, &cwd, &fresh);
                installed.map(|installed| self.beside(installed)).map_err(|error| not_put(&error))
            }
            Err(error) => Err(not_put(&error)),
        }
    }

    fn behind(&self) -> PutBack {
        PutBack { forked: false, native: self.moved.native.clone() }
    }

    fn beside(&self, installed: Installed) -> PutBack {
        self.report(&installed.skipped, installed.reset_permission_modes);
        let native = Native { id: installed.native_id, path: installed.native_path, cwd: installed.cwd };
        PutBack { forked: true, native }
    }

    /// Where the session is continued here; where that is gone, the current directory.
    fn fork_directory(&self) -> Result<PathBuf> {
        let known = self.record.native.iter().map(|native| &native.cwd).chain([&self.moved.native.cwd]);
        match known.into_iter().find(|cwd| cwd.is_dir()) {
            Some(cwd) => Ok(cwd.clone()),
            None => environment::current_dir(),
        }
    }

    /// The same for each attempt, so that a repeated one makes no second fork.
    fn fork_id(&self) -> Result<String> {
        Ok(uuid(*self.moved.pairing()?.as_bytes()))
    }

    fn report(&self, skipped: &[Skipped], reset_permission_modes: u64) {
        for skipped in skipped {
            self.output.warn(left_out(skipped));
        }
        if reset_permission_modes > 0 {
            let text =
                "Warning: the session asked the tool to act without asking; that was reset, the tool asks as usual.";
            self.output.warn(text);
        }
    }
}

/// Whether the session here is not what it was, so that nothing can be put behind it.
fn becomes_a_fork(error: &AppendError) -> bool {
    matches!(error, AppendError::Grew { .. } | AppendError::Changed | AppendError::Torn)
}

fn not_put(error: &dyn std::fmt::Display) -> CliError {
    CliError::new(Exit::Error, "not_put_back", format!("what came back cannot be put in place: {error}"))
        .hint("It waits for a day: run this again.")
}
