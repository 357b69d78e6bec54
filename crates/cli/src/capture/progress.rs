//! What a push leaves for the next one, so that an appended line costs what it is long: `capture.json` beside the record.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _};

use segue_domain::Clock as _;
use segue_formats::{Captured, CapturedFile, Checkpoint};
use serde::{Deserialize, Serialize};

use crate::environment::SystemClock;

/// A file that was changed this recently may be changed again without looking changed: clocks of file systems tick slowly.
const SETTLED_MS: i64 = 2000;

/// What the last push captured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    /// Where the transcript was read to.
    pub checkpoint: Checkpoint,
    // The transcript's path in the bundle, and how much of it was sent.
    transcript: (String, u64),
    // The other files that had come to rest, by their path in the bundle.
    others: BTreeMap<String, Stamp>,
}

/// How a file looks from the outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Progress {
    /// What there is to go on from.
    pub(super) fn of(captured: &Captured) -> Option<Self> {
        let checkpoint = captured.checkpoint.clone()?;
        let (transcript, others) = captured.files.split_first()?;
        let others = others.iter().filter_map(|file| Some((file.bundle_path.clone(), Stamp::settled(file)?))).collect();
        Some(Self { checkpoint, transcript: (transcript.bundle_path.clone(), transcript.len), others })
    }

    /// How many leading bytes of a file are those that were sent.
    pub(super) fn trusted(&self, file: &CapturedFile) -> u64 {
        if file.bundle_path == self.transcript.0 {
            return self.transcript.1;
        }
        let same = self.others.get(&file.bundle_path).is_some_and(|stamp| Stamp::of(file).as_ref() == Some(stamp));
        if same { file.len } else { 0 }
    }
}

impl Stamp {
    pub(super) fn of(file: &CapturedFile) -> Option<Self> {
        let meta = fs::metadata(&file.source).ok()?;
        Some(Self {
            inode: meta.ino(),
            len: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    fn settled(file: &CapturedFile) -> Option<Self> {
        let last = SystemClock.now().as_millis() - SETTLED_MS;
        Self::of(file).filter(|stamp| stamp.len == file.len && stamp.changed.0.saturating_mul(1000) < last)
    }
}
