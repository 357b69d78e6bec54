//! Cutting: file after file, what the bundle before holds is passed over and the rest becomes pieces to be sealed.

use std::collections::HashMap;

use rand_chacha::ChaCha20Rng;
use segue_domain::limits::{BUNDLE_FILES_MAX, PREFIX_BYTES_MAX, SESSION_BYTES_MAX};
use segue_signed::sha256;

use crate::{
    codec::{Compression, prefix_worth},
    contents::Contents,
    draft::{DraftError, SourceFile, split},
    manifest::{Depths, FileMode, FileRecord, ManifestError, SegmentEntry},
    path::check_path,
    reuse::reusable,
    window::{Window, WindowError},
};

/// The plain bytes of one new segment, and all that sealing needs beside them.
pub(crate) struct Piece {
    pub(crate) rng: ChaCha20Rng,
    pub(crate) plain: Vec<u8>,
    pub(crate) prefix: Vec<u8>,
    pub(crate) compression: Compression,
}

/// Goes through the files of a draft.
pub(crate) struct Cutter<'a> {
    rng: ChaCha20Rng,
    files: Box<dyn Iterator<Item = SourceFile<'a>> + 'a>,
    total: u64,
    known: HashMap<&'a str, &'a [SegmentEntry]>,
    open: Option<OpenFile<'a>>,
    records: Vec<FileRecord>,
    slots: Vec<Option<SegmentEntry>>,
}

struct OpenFile<'a> {
    path: String,
    mode: FileMode,
    compression: Compression,
    len: u64,
    window: Window<'a>,
    // For the first piece after what was there before: those segments.
    kept: Option<Vec<SegmentEntry>>,
    first_slot: usize,
}

impl<'a> Cutter<'a> {
    pub(crate) fn new(
        rng: ChaCha20Rng,
        files: impl Iterator<Item = SourceFile<'a>> + 'a,
        previous: Option<&'a Contents>,
    ) -> Self {
        let known = previous.into_iter().flat_map(|contents| contents.manifest().files_with_segments());
        let known = known.map(|(file, segments)| (file.path.as_str(), segments)).collect();
        let (records, slots) = (Vec::new(), Vec::new());
        Self { rng, files: Box::new(files), total: 0, known, open: None, records, slots }
    }

    /// The next piece, or `None` behind the last file.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, DraftError> {
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                none => {
                    let Some(file) = self.files.next() else { return Ok(None) };
                    self.total = self.total.saturating_add(file.len);
                    check(&file, self.records.len(), self.total)?;
                    let known = self.known.get(file.path.as_str()).copied().unwrap_or_default();
                    none.insert(OpenFile::start(file, known, &mut self.slots)?)
                }
            };
            if let Some(plain) = open.window.cut().map_err(|error| unread(&open.path, error))? {
                self.slots.push(None);
                let prefix = match open.kept.take() {
                    Some(kept) => prefix(&kept, open.window.passed(), plain.len()),
                    None => Vec::new(),
                };
                return Ok(Some(Piece { rng: split(&mut self.rng), plain, prefix, compression: open.compression }));
            }
            let OpenFile { path, mode, len, first_slot, .. } = self.open.take().expect("opened above");
            let segments = u32::try_from(self.slots.len() - first_slot).map_err(|_| ManifestError::TooManySegments)?;
            self.records.push(FileRecord { path, mode, size: len, segments });
        }
    }

    /// The files, and for each of their segments the one that is listed again or `None` for the next that was cut.
    pub(crate) fn finish(self) -> (Vec<FileRecord>, Vec<Option<SegmentEntry>>) {
        (self.records, self.slots)
    }
}

impl<'a> OpenFile<'a> {
    /// Opens a file behind the segments that are trusted, and passes over those that compare equal.
    fn start(
        file: SourceFile<'a>,
        known: &[SegmentEntry],
        slots: &mut Vec<Option<SegmentEntry>>,
    ) -> Result<Self, DraftError> {
        let SourceFile { path, mode, compression, len, trusted, open } = file;
        let first_slot = slots.len();
        let known = &known[..reusable(known, len)];
        let (mut kept, end) = trusted_run(known, trusted.min(len));
        let back = match compression {
            Compression::Zstd => end.min(u64::from(PREFIX_BYTES_MAX)),
            Compression::ZstdAlone | Compression::Gzip => 0,
        };
        let mut window = if end == len {
            Window::new(Box::new(std::io::empty()), 0)
        } else {
            let reader = open(end - back).map_err(|source| DraftError::Read { path: path.clone(), source })?;
            Window::new(reader, len - end + back)
        };
        if end < len {
            window.pass(usize::try_from(back).expect("at most a prefix")).map_err(|error| unread(&path, error))?;
        }
        for segment in &known[kept..] {
            let length = segment.plain_len as usize;
            let bytes = window.peek(length).map_err(|error| unread(&path, error))?;
            if bytes.len() != length || sha256(bytes) != segment.sha256 {
                break;
            }
            window.skip(length);
            kept += 1;
        }
        let known = &known[..kept];
        slots.extend(known.iter().cloned().map(Some));
        let kept = (compression == Compression::Zstd).then(|| known.to_vec());
        Ok(Self { path, mode, compression, len, window, kept, first_slot })
    }
}

/// What a manifest would refuse of a file behind `before` others, before it is read.
fn check(file: &SourceFile<'_>, before: usize, total: u64) -> Result<(), DraftError> {
    if before >= BUNDLE_FILES_MAX {
        return Err(ManifestError::TooManyFiles.into());
    }
    if total > SESSION_BYTES_MAX {
        return Err(ManifestError::TooLarge.into());
    }
    Ok(check_path(&file.path)?)
}

/// How many segments lie within the first `trusted` bytes, and where they end.
fn trusted_run(known: &[SegmentEntry], trusted: u64) -> (usize, u64) {
    let (mut count, mut end) = (0, 0);
    for segment in known {
        let next = end + u64::from(segment.plain_len);
        if next > trusted {
            break;
        }
        (count, end) = (count + 1, next);
    }
    (count, end)
}

/// What the first new segment is compressed with: the end of what was passed over, unless the chain grows too long.
fn prefix(kept: &[SegmentEntry], passed: &[u8], plain_len: usize) -> Vec<u8> {
    let passed = &passed[passed.len().saturating_sub(prefix_worth(plain_len))..];
    let len = u32::try_from(passed.len()).expect("at most a prefix");
    Depths::of(kept).after(kept, len).map_or_else(Vec::new, |_| passed.to_vec())
}

fn unread(path: &str, error: WindowError) -> DraftError {
    match error {
        WindowError::Shrunk => DraftError::Shrunk(path.to_owned()),
        WindowError::Read(source) => DraftError::Read { path: path.to_owned(), source },
    }
}
