//! M, the manifest: which files a bundle holds, and where their segments lie.
//!
//! M = `lv_cat("segue/manifest/1", files, segs, total u64, content32)` and zero bytes up to the next multiple of 4096.
//!
//! * files: a list of `lv_cat(path, mode u8, size u64, nseg u32)`.
//! * segs: one field of 89-byte entries in file order: SHA-256(plain) ‖ key32 ‖ pack_index u32 ‖ offset u64 ‖ sealed_len
//!   u32 ‖ plain_len u32 ‖ codec u8 ‖ prefix_len u32.
//! * content32 = SHA-256(`lv_cat("segue/content/1", f1, f2, …)`) where f is a file's record followed by the SHA-256 of
//!   each of its segments.
//!
//! A manifest holds keys: it is a secret, and only its sealed form leaves the device.

mod chain;
mod entry;
mod error;
mod parse;

pub(crate) use chain::Depths;
pub use entry::{FileMode, FileRecord, SegmentEntry};
pub use error::ManifestError;

use segue_domain::limits::{BUNDLE_FILES_MAX, BUNDLE_SEGMENTS_MAX, SESSION_BYTES_MAX};
use segue_signed::{lv::Writer, sha256};
use zeroize::Zeroizing;

use self::chain::check_chains;
use crate::path::check_paths;

const LABEL: &str = "segue/manifest/1";
/// A manifest's length tells the number of segments no closer than this.
const STEP_BYTES: usize = 4096;

/// A manifest whose paths, sums and limits were checked.
#[derive(Debug, Clone)]
pub struct Manifest {
    files: Vec<FileRecord>,
    segments: Vec<SegmentEntry>,
    total: u64,
}

impl Manifest {
    /// A manifest of `files`, whose segments lie in `segments` one file after the other.
    ///
    /// # Errors
    /// Everything that a receiver would refuse.
    pub fn new(files: Vec<FileRecord>, segments: Vec<SegmentEntry>) -> Result<Self, ManifestError> {
        if files.is_empty() {
            return Err(ManifestError::Empty);
        }
        if files.len() > BUNDLE_FILES_MAX {
            return Err(ManifestError::TooManyFiles);
        }
        if segments.len() > BUNDLE_SEGMENTS_MAX {
            return Err(ManifestError::TooManySegments);
        }
        check_paths(files.iter().map(|file| file.path.as_str()))?;
        segments.iter().try_for_each(SegmentEntry::check)?;
        let mut rest = segments.as_slice();
        let mut total = 0_u64;
        for file in &files {
            let own = rest.split_off(..file.segments as usize).ok_or(ManifestError::Segments)?;
            if own.iter().map(|segment| u64::from(segment.plain_len)).sum::<u64>() != file.size {
                return Err(ManifestError::Size(file.path.clone()));
            }
            check_chains(own)?;
            total = total.saturating_add(file.size);
        }
        if !rest.is_empty() {
            return Err(ManifestError::Segments);
        }
        if total > SESSION_BYTES_MAX {
            return Err(ManifestError::TooLarge);
        }
        Ok(Self { files, segments, total })
    }

    /// The files, in order.
    pub fn files(&self) -> &[FileRecord] {
        &self.files
    }

    /// The segments of all files, in order.
    pub fn segments(&self) -> &[SegmentEntry] {
        &self.segments
    }

    /// Plain size of all files, in bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Each file with its segments.
    pub fn files_with_segments(&self) -> impl Iterator<Item = (&FileRecord, &[SegmentEntry])> {
        let mut rest = self.segments.as_slice();
        self.files.iter().map(move |file| {
            let (own, after) = rest.split_at(file.segments as usize);
            rest = after;
            (file, own)
        })
    }

    /// The file at `path` with its segments.
    pub fn file(&self, path: &str) -> Option<(&FileRecord, &[SegmentEntry])> {
        self.files_with_segments().find(|(file, _)| file.path == path)
    }

    /// content32: one hash of every path, mode, size and byte, the same whoever seals it and wherever the segments lie.
    pub fn content_hash(&self) -> [u8; 32] {
        let mut writer = Writer::labelled("segue/content/1");
        for (file, segments) in self.files_with_segments() {
            let mut field = file.encode();
            for segment in segments {
                field.extend_from_slice(&segment.sha256);
            }
            writer.bytes(&field);
        }
        sha256(&writer.finish())
    }

    /// M as bytes, padded.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut entries = Zeroizing::new(Vec::with_capacity(self.segments.len() * SegmentEntry::BYTES));
        for segment in &self.segments {
            segment.write(&mut entries);
        }
        let mut bytes = Writer::labelled(LABEL)
            .list(&self.files, FileRecord::encode)
            .bytes(&entries)
            .u64(self.total)
            .bytes(&self.content_hash())
            .finish();
        bytes.resize(bytes.len().next_multiple_of(STEP_BYTES), 0);
        Zeroizing::new(bytes)
    }
}
