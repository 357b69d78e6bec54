//! The sender's side, first half: files become segments in packs, and only what is new is sealed.

use std::{
    collections::HashMap,
    io::{self, Read},
};

use rand_core::CryptoRng;
use segue_domain::limits::{BUNDLE_FILES_MAX, SESSION_BYTES_MAX};
use segue_signed::{PackEntry, sha256};

use crate::{
    codec::{Compression, Encoder},
    contents::{Contents, ContentsError},
    manifest::{FileMode, FileRecord, Manifest, ManifestError, SegmentEntry},
    pack::{PackSink, PackWriter},
    path::{PathError, check_paths},
    reuse::reusable,
    segment::{NO_PREFIX, SealedSegment, seal_segment},
    window::{Window, WindowError},
};

/// Opens a file for reading from its start.
pub type Opener<'a> = Box<dyn FnOnce() -> io::Result<Box<dyn Read + 'a>> + 'a>;

/// One file to put into a bundle. It is opened when its turn comes and read once.
pub struct SourceFile<'a> {
    /// Where it lies in the bundle ([`crate::path`]).
    pub path: String,
    /// What may be done with it.
    pub mode: FileMode,
    /// Which compression its segments may use.
    pub compression: Compression,
    /// How many bytes to read. What the file grows by meanwhile is left for the next push.
    pub len: u64,
    /// Opens it.
    pub open: Opener<'a>,
}

/// What a draft costs, in bytes and pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    /// Plain bytes that were read, compressed and sealed.
    pub new_plain_bytes: u64,
    /// Segments they make.
    pub new_segments: usize,
    /// Bytes of new packs, padding included: what has to be uploaded.
    pub new_pack_bytes: u64,
    /// New packs.
    pub new_packs: usize,
    /// Plain bytes that lie in earlier packs already.
    pub reused_plain_bytes: u64,
}

/// A bundle's contents before they are sealed for anyone.
#[derive(Debug)]
pub struct Draft {
    /// The manifest and the packs it uses: earlier ones that are still used, then new ones.
    pub contents: Contents,
    plan: Plan,
}

impl Draft {
    /// What is new in it.
    pub fn plan(&self) -> Plan {
        self.plan
    }
}

/// Why files did not become a draft. Packs that were finished before are in the sink and unlisted.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// A path, or two of them together.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The files are more than a bundle holds.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The packs are more than an envelope lists.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// A file ended before its announced length.
    #[error("{0:?} became shorter while it was read: push again")]
    Shrunk(String),
    /// A file cannot be read.
    #[error("cannot read {path:?}")]
    Read {
        /// Its path in the bundle.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A segment cannot be compressed.
    #[error("cannot compress")]
    Compress(#[source] io::Error),
    /// A pack cannot be written.
    #[error("cannot write a pack")]
    Pack(#[source] io::Error),
}

/// Reads `files`, lists again what `previous` holds of them and seals the rest into packs that go to `sink`.
///
/// `previous` is the contents of the bundle before, and the caller answers for it: its signature was verified, this
/// client sealed or unpacked its segments, and the same redaction mode and rules made them.
///
/// # Errors
/// Limits and paths are checked before anything is read; see [`DraftError`].
pub fn draft(
    rng: &mut dyn CryptoRng,
    files: Vec<SourceFile<'_>>,
    previous: Option<&Contents>,
    sink: &mut dyn PackSink,
) -> Result<Draft, DraftError> {
    check_sources(&files)?;
    let encoder = Encoder::new().map_err(DraftError::Compress)?;
    let mut drafting =
        Drafting { rng, encoder, packs: PackWriter::new(sink), segments: Vec::new(), plan: Plan::default() };
    let known: HashMap<&str, &[SegmentEntry]> = previous
        .into_iter()
        .flat_map(|contents| contents.manifest().files_with_segments())
        .map(|(file, segments)| (file.path.as_str(), segments))
        .collect();
    let mut records = Vec::with_capacity(files.len());
    for file in files {
        let known = known.get(file.path.as_str()).copied().unwrap_or_default();
        records.push(drafting.add(file, known)?);
    }
    drafting.finish(records, previous)
}

/// What a manifest would refuse, before a byte is read.
fn check_sources(files: &[SourceFile<'_>]) -> Result<(), DraftError> {
    if files.is_empty() {
        return Err(ManifestError::Empty.into());
    }
    if files.len() > BUNDLE_FILES_MAX {
        return Err(ManifestError::TooManyFiles.into());
    }
    check_paths(files.iter().map(|file| file.path.as_str()))?;
    let total = files.iter().fold(0_u64, |total, file| total.saturating_add(file.len));
    if total > SESSION_BYTES_MAX { Err(ManifestError::TooLarge.into()) } else { Ok(()) }
}

/// Which list of packs a segment's `pack_index` counts in while the draft grows.
enum Origin {
    Previous,
    New,
}

struct Drafting<'a> {
    rng: &'a mut dyn CryptoRng,
    encoder: Encoder,
    packs: PackWriter<'a>,
    segments: Vec<(Origin, SegmentEntry)>,
    plan: Plan,
}

impl Drafting<'_> {
    fn add(&mut self, file: SourceFile<'_>, known: &[SegmentEntry]) -> Result<FileRecord, DraftError> {
        let SourceFile { path, mode, compression, len, open } = file;
        let first = self.segments.len();
        let unread = |error| match error {
            WindowError::Shrunk => DraftError::Shrunk(path.clone()),
            WindowError::Read(source) => DraftError::Read { path: path.clone(), source },
        };
        let reader = open().map_err(|source| unread(WindowError::Read(source)))?;
        let mut window = Window::new(reader, len);
        for segment in reusable(known) {
            let length = segment.plain_len as usize;
            let bytes = window.peek(length).map_err(unread)?;
            if bytes.len() != length || sha256(bytes) != segment.sha256 {
                break;
            }
            window.skip(length);
            self.plan.reused_plain_bytes += u64::from(segment.plain_len);
            self.segments.push((Origin::Previous, segment.clone()));
        }
        while let Some(plain) = window.cut().map_err(unread)? {
            self.seal(plain, compression)?;
        }
        let segments = u32::try_from(self.segments.len() - first).map_err(|_| ManifestError::TooManySegments)?;
        Ok(FileRecord { path, mode, size: len, segments })
    }

    fn seal(&mut self, plain: Vec<u8>, compression: Compression) -> Result<(), DraftError> {
        let sealed = seal_segment(self.rng, &mut self.encoder, plain, compression).map_err(DraftError::Compress)?;
        let SealedSegment { sha256, key, plain_len, codec, bytes } = sealed;
        let place = self.packs.append(self.rng, &bytes).map_err(DraftError::Pack)?;
        self.plan.new_plain_bytes += u64::from(plain_len);
        self.plan.new_segments += 1;
        let entry = SegmentEntry {
            sha256,
            key,
            pack_index: u32::try_from(place.pack).map_err(|_| ContentsError::TooManyPacks)?,
            offset: place.offset,
            sealed_len: u32::try_from(bytes.len()).expect("a sealed segment is little more than 4 MiB"),
            plain_len,
            codec,
            prefix_len: NO_PREFIX,
        };
        self.segments.push((Origin::New, entry));
        Ok(())
    }

    fn finish(self, records: Vec<FileRecord>, previous: Option<&Contents>) -> Result<Draft, DraftError> {
        let Self { rng, packs, segments, mut plan, .. } = self;
        let new = packs.finish(rng).map_err(DraftError::Pack)?;
        plan.new_packs = new.len();
        plan.new_pack_bytes = new.iter().map(|pack| pack.len).sum();
        let earlier = previous.map(Contents::packs).unwrap_or_default();
        let (packs, segments) = list_packs(earlier, &new, segments);
        let contents = Contents::new(Manifest::new(records, segments)?, packs)?;
        Ok(Draft { contents, plan })
    }
}

/// The earlier packs that are still used, then the new ones, and every segment counted in that list.
fn list_packs(
    earlier: &[PackEntry],
    new: &[PackEntry],
    segments: Vec<(Origin, SegmentEntry)>,
) -> (Vec<PackEntry>, Vec<SegmentEntry>) {
    let mut used: Vec<u32> = segments
        .iter()
        .filter(|(origin, _)| matches!(origin, Origin::Previous))
        .map(|(_, segment)| segment.pack_index)
        .collect();
    used.sort_unstable();
    used.dedup();
    let moved = |(origin, segment): (Origin, SegmentEntry)| {
        let index = match origin {
            Origin::Previous => used.partition_point(|&index| index < segment.pack_index),
            Origin::New => used.len() + segment.pack_index as usize,
        };
        let pack_index = u32::try_from(index).expect("counted in a list of packs that u32 counted before");
        SegmentEntry { pack_index, ..segment }
    };
    let segments = segments.into_iter().map(moved).collect();
    let packs = used.iter().map(|&index| earlier[index as usize]).chain(new.iter().copied()).collect();
    (packs, segments)
}
