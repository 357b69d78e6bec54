//! What this machine knows of each session it pushed or pulled: `sessions/<ses_…>/`.
//!
//! ```text
//! record.json     what it is and where it stands
//! manifest.bin    the last manifest, with the keys of its segments: what a next push re-uses
//! envelope.bin    its signed envelope
//! capture.json    where the last push ended, and which state it belongs to
//! content/        the files of a pulled session, verified
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use segue_domain::SessionId;
use segue_formats::{Found, Header};
use segue_signed::SignedEnvelope;
use serde::{Deserialize, Serialize};

use crate::{
    active_ticket::Provenance,
    capture::Progress,
    error::{CliError, Exit, Result},
    home::{self, Home},
};

/// Most sessions that are looked through.
const RECORDS_MAX: usize = 100_000;

/// One session that was pushed from or pulled to this machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Version of this file.
    pub v: u32,
    /// `ses_…`
    pub session_id: String,
    /// What the session says about itself.
    pub header: Header,
    /// Where the tool keeps it on this machine: always for one's own, after `resume` for a pulled one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Native>,
    /// Where it stands on the server, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Whether the server is told nothing about it: asked for once, it stays so.
    #[serde(default)]
    pub private: bool,
    /// Whether nothing is compressed with what stands before it: asked for once, it stays so.
    #[serde(default)]
    pub no_prefix: bool,
    /// The sender's summary, as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<serde_json::Value>,
    /// How it came here, when somebody handed it over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<ClaimedFrom>,
    /// From which device it came here, when it was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<MovedFrom>,
    /// The project that it belongs to, and what in it the session is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// What of that the server knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Provenance>,
}

/// A session in its tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Native {
    /// The tool's own id.
    pub id: String,
    /// The tool's file.
    pub path: PathBuf,
    /// The directory it is continued in.
    pub cwd: PathBuf,
}

/// The newest state of a session on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Position in the session's chain.
    pub seq: u64,
    /// SHA-256 of its signed envelope, hexadecimal: the next one's parent.
    pub envelope_hash: String,
}

impl Head {
    /// Whether this is the state that `envelope` signs for.
    pub fn is_of(&self, envelope: &SignedEnvelope) -> bool {
        self.hash().is_ok_and(|hash| hash == envelope.hash())
    }

    /// The hash's bytes.
    pub fn hash(&self) -> Result<[u8; 32]> {
        let bytes = data_encoding::HEXLOWER.decode(self.envelope_hash.as_bytes()).ok();
        let hash = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        hash.ok_or_else(|| CliError::new(Exit::Error, "record_damaged", "the record of this session is damaged"))
    }
}

/// How a session was moved here from another device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedFrom {
    /// `par_…`
    pub pairing_id: String,
    /// What the other device calls itself.
    pub device: String,
    /// Whose it is.
    pub user_id: String,
    /// The session there.
    pub session_id: String,
}

/// How a session was handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedFrom {
    /// `hnd_…`
    pub handoff_id: String,
    /// The sender's session.
    pub parent_session_id: String,
    /// Who handed it over.
    pub sender_email: String,
    /// Who made it.
    pub author_id: String,
}

impl Record {
    /// Whether its files came here, and lie in the library.
    pub fn has_content(&self) -> bool {
        self.claimed.is_some() || self.moved.is_some()
    }

    /// Its id.
    pub fn session_id(&self) -> Result<SessionId> {
        self.session_id.parse().map_err(|_| {
            CliError::new(Exit::Error, "record_damaged", format!("the record of {} is damaged", self.session_id))
        })
    }
}

/// The folder of all records.
pub struct Library {
    root: PathBuf,
}

impl Library {
    /// The library in the client's folder.
    pub fn new(home: &Home) -> Self {
        Self { root: home.path("sessions") }
    }

    /// The folder of one session.
    pub fn folder(&self, id: SessionId) -> PathBuf {
        self.root.join(id.to_string())
    }

    /// The verified files of a pulled session.
    pub fn content(&self, id: SessionId) -> PathBuf {
        self.folder(id).join("content")
    }

    /// Makes sure that a session can be taken in.
    ///
    /// # Errors
    /// When this folder cannot be written to.
    pub fn begin(&self) -> Result<()> {
        self.lock_name("begin").map(drop)
    }

    /// Takes a session's lock, so that two commands do not change it at once. Waits for the other one.
    pub fn lock(&self, id: SessionId) -> Result<File> {
        self.lock_name(&id.to_string())
    }

    /// Takes the lock of a session that has no id yet, by its tool and the tool's own id.
    pub fn lock_native(&self, found: &Found) -> Result<File> {
        self.lock_name(&format!("{}-{}", found.tool.as_str(), found.native_id))
    }

    fn lock_name(&self, name: &str) -> Result<File> {
        let folder = self.root.join("locks");
        home::create_dir(&folder)?;
        let path = folder.join(name);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|error| CliError::file("open", &path, &error))?;
        file.lock().map_err(|error| CliError::file("lock", &path, &error))?;
        Ok(file)
    }

    /// All records, in no order.
    pub fn records(&self) -> Result<Vec<Record>> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(CliError::file("read", &self.root, &error)),
        };
        let mut records = Vec::new();
        for entry in entries.take(RECORDS_MAX).flatten() {
            records.extend(home::read_json::<Record>(&entry.path().join("record.json"))?);
        }
        Ok(records)
    }

    /// One record.
    pub fn find(&self, id: SessionId) -> Result<Option<Record>> {
        home::read_json(&self.folder(id).join("record.json"))
    }

    /// Stores a record; on return it is on disk.
    pub fn save(&self, record: &Record) -> Result<()> {
        home::write_json(&self.folder(record.session_id()?).join("record.json"), record)
    }

    /// Stores a record, and before it what the next push re-uses: the plain manifest and the signed envelope; and where that
    /// goes on from, once the server has the record's head.
    pub fn save_state(
        &self,
        record: &Record,
        manifest: &[u8],
        envelope: &[u8],
        progress: Option<&Progress>,
    ) -> Result<()> {
        let (folder, bytes) = (self.folder(record.session_id()?), home::json(record)?);
        let mut files = vec![("manifest.bin", manifest), ("envelope.bin", envelope), ("record.json", &bytes)];
        let progress = record.head.as_ref().zip(progress).map(|known| home::json(&known)).transpose()?;
        files.extend(progress.as_deref().map(|progress| ("capture.json", progress)));
        home::write_all(&folder, &files)
    }

    /// What the last push or pull left to re-use.
    pub fn manifest(&self, id: SessionId) -> Option<(Vec<u8>, Vec<u8>)> {
        let folder = self.folder(id);
        Some((fs::read(folder.join("manifest.bin")).ok()?, fs::read(folder.join("envelope.bin")).ok()?))
    }

    /// What the push left that made `head`. Damaged leftovers cost a full capture and nothing else.
    pub fn progress(&self, id: SessionId, head: &Head) -> Option<Progress> {
        let known: Option<(Head, Progress)> = home::read_json(&self.folder(id).join("capture.json")).ok()?;
        known.filter(|(of, _)| of == head).map(|(_, progress)| progress)
    }

    /// Forgets a session.
    pub fn remove(&self, id: SessionId) -> Result<()> {
        let folder = self.folder(id);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CliError::file("remove", &folder, &error)),
            _ => Ok(()),
        }
    }
}
