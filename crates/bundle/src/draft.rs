//! The sender's side, first half: files become segments in packs, and only what is new is sealed.

use std::{
    cell::Cell,
    io::{self, Read},
};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use rand_core::CryptoRng;
use segue_signed::PackEntry;
use zeroize::Zeroizing;

use crate::{
    codec::{Compression, Effort},
    contents::{Contents, ContentsError},
    cutter::{Cutter, Piece},
    manifest::{FileMode, Manifest, ManifestError, SegmentEntry},
    pack::{PackSink, PackWriter},
    path::PathError,
    pipeline,
    segment::{SealedSegment, seal_segment},
};

/// What lies finished before it is worth the time to make the next bytes fewer: a slow network's second, and much more than a
/// fast one falls behind for a moment.
const BACKLOG_BYTES: u64 = 4 * 1024 * 1024;

/// Opens a file for reading from a place in it, in bytes.
pub type Opener<'a> = Box<dyn FnOnce(u64) -> io::Result<Box<dyn Read + 'a>> + 'a>;

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
    /// How many leading bytes the caller knows to be those of the bundle before: they are not compared, mostly not even
    /// read, so that a push costs what is new. 0 compares everything.
    pub trusted: u64,
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

/// Reads `files`, lists again what `previous` holds of them and seals the rest into packs that go to `sink`. The next file is
/// asked for when the one before was read, so that a caller may still be finding out what it is.
///
/// `previous` is the contents of the bundle before, and the caller answers for it: its signature was verified, this
/// client sealed or unpacked its segments, and the same redaction mode and rules made them. Reading and packing run in the
/// calling thread, hashing, compressing and sealing in others.
///
/// # Errors
/// A file's own limits and path are checked before it is read, all paths together at the end; see [`DraftError`].
pub fn draft<'a>(
    rng: &mut dyn CryptoRng,
    files: impl IntoIterator<Item = SourceFile<'a>, IntoIter: 'a>,
    previous: Option<&'a Contents>,
    sink: &mut dyn PackSink,
) -> Result<Draft, DraftError> {
    let mut cutter = Cutter::new(split(rng), files.into_iter(), previous);
    let mut packing = Packing { rng: split(rng), packs: PackWriter::new(sink), segments: Vec::new() };
    let effort = Cell::new(Effort::Fast);
    let next = || Ok::<_, DraftError>(cutter.next()?.map(|piece| (piece, effort.get())));
    let seal = |(piece, effort)| {
        let Piece { mut rng, plain, prefix, compression } = piece;
        seal_segment(&mut rng, plain, &prefix, compression, effort)
    };
    pipeline::run(next, seal, |sealed| {
        packing.take(sealed.map_err(DraftError::Compress)?)?;
        effort.set(if packing.packs.backlog() < BACKLOG_BYTES { Effort::Fast } else { Effort::Thorough });
        Ok(())
    })?;
    finish(cutter, packing, previous)
}

/// A generator of its own for a part of the work, so that the order in which parts draw does not matter.
pub(crate) fn split(rng: &mut dyn CryptoRng) -> ChaCha20Rng {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(seed.as_mut_slice());
    ChaCha20Rng::from_seed(*seed)
}

/// Puts sealed segments into packs.
struct Packing<'a> {
    rng: ChaCha20Rng,
    packs: PackWriter<'a>,
    // Counted in the packs written here.
    segments: Vec<SegmentEntry>,
}

impl Packing<'_> {
    fn take(&mut self, sealed: SealedSegment) -> Result<(), DraftError> {
        let SealedSegment { sha256, key, plain_len, codec, prefix_len, bytes } = sealed;
        let place = self.packs.append(&mut self.rng, &bytes).map_err(DraftError::Pack)?;
        self.segments.push(SegmentEntry {
            sha256,
            key,
            pack_index: u32::try_from(place.pack).map_err(|_| ContentsError::TooManyPacks)?,
            offset: place.offset,
            sealed_len: u32::try_from(bytes.len()).expect("a sealed segment is little more than 4 MiB"),
            plain_len,
            codec,
            prefix_len,
        });
        Ok(())
    }
}

fn finish(cutter: Cutter<'_>, packing: Packing<'_>, previous: Option<&Contents>) -> Result<Draft, DraftError> {
    let Packing { mut rng, packs, segments: sealed } = packing;
    let new = packs.finish(&mut rng).map_err(DraftError::Pack)?;
    let (records, slots) = cutter.finish();
    let plan = Plan {
        new_plain_bytes: sealed.iter().map(|segment| u64::from(segment.plain_len)).sum(),
        new_segments: sealed.len(),
        new_pack_bytes: new.iter().map(|pack| pack.len).sum(),
        new_packs: new.len(),
        reused_plain_bytes: slots.iter().flatten().map(|segment| u64::from(segment.plain_len)).sum(),
    };
    let earlier = previous.map(Contents::packs).unwrap_or_default();
    let (packs, segments) = list_packs(earlier, &new, slots, sealed);
    let contents = Contents::new(Manifest::new(records, segments)?, packs)?;
    Ok(Draft { contents, plan })
}

/// The earlier packs that are still used, then the new ones, and every segment counted in that list. A slot holds a
/// segment that is listed again, or stands for the next sealed one.
fn list_packs(
    earlier: &[PackEntry],
    new: &[PackEntry],
    slots: Vec<Option<SegmentEntry>>,
    sealed: Vec<SegmentEntry>,
) -> (Vec<PackEntry>, Vec<SegmentEntry>) {
    let mut used: Vec<u32> = slots.iter().flatten().map(|segment| segment.pack_index).collect();
    used.sort_unstable();
    used.dedup();
    let mut sealed = sealed.into_iter();
    let moved = |slot: Option<SegmentEntry>| {
        let (index, segment) = if let Some(segment) = slot {
            (used.partition_point(|&index| index < segment.pack_index), segment)
        } else {
            let segment = sealed.next().expect("a segment was sealed for each slot without one");
            (used.len() + segment.pack_index as usize, segment)
        };
        let pack_index = u32::try_from(index).expect("counted in a list of packs that u32 counted before");
        SegmentEntry { pack_index, ..segment }
    };
    let segments = slots.into_iter().map(moved).collect();
    let packs = used.iter().map(|&index| earlier[index as usize]).chain(new.iter().copied()).collect();
    (packs, segments)
}
