//! Unpacking: everything is verified in a temporary directory beside the destination, and then renamed once.
//!
//! Packs may still be on their way: reading, opening, writing and hashing whole packs overlap. On any error nothing lies at
//! the destination and the temporary directory is gone.

use std::{
    fs, io,
    io::Read as _,
    path::Path,
    thread::{self, Scope},
};

use rand_core::CryptoRng;
use segue_signed::PackEntry;
use sha2::{Digest as _, Sha256};

use crate::{
    contents::Contents,
    manifest::SegmentEntry,
    pipeline,
    reader::{PackReader, PackSource, ReadError},
    segment::{NO_PREFIX, SegmentError, open_segment},
    staging::Staging,
    writer::FileWriter,
};

/// Packs are hashed in pieces of this size, in bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// Why a bundle was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Something lies at the destination.
    #[error("the destination exists already")]
    DestinationExists,
    /// The temporary directory cannot be made, or renamed at the end.
    #[error("cannot write beside the destination")]
    Staging(#[source] io::Error),
    /// A pack cannot be read.
    #[error("cannot read pack {index}")]
    Pack {
        /// Its place in the envelope.
        index: usize,
        /// What the system says.
        source: io::Error,
    },
    /// A pack has another length than the sender signed for.
    #[error("pack {index} has another length than the sender signed for")]
    PackLength {
        /// Its place in the envelope.
        index: usize,
    },
    /// A pack has another hash than the sender signed for.
    #[error("pack {index} is not the one that the sender signed for")]
    PackHash {
        /// Its place in the envelope.
        index: usize,
    },
    /// A file cannot be created or made durable.
    #[error("cannot write {path:?}")]
    Write {
        /// Its path in the bundle.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file's segments are not what the manifest names.
    #[error("{path:?}: {source}")]
    Read {
        /// Its path in the bundle.
        path: String,
        /// What is wrong.
        source: ReadError,
    },
}

/// Verifies every pack and every segment of `contents` and puts the files at `dest`, which must not exist and whose
/// parent must. `rng` names the temporary directory.
///
/// The whole content is verified: content32 was compared with the segments' hashes when the manifest was read, and each
/// segment is compared with its hash here. A few segments are in memory at a time.
pub fn unpack(
    rng: &mut dyn CryptoRng,
    contents: &Contents,
    packs: &dyn PackSource,
    dest: &Path,
) -> Result<(), UnpackError> {
    match fs::symlink_metadata(dest) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(UnpackError::Staging(error)),
        Ok(_) => return Err(UnpackError::DestinationExists),
    }
    let staging = Staging::create(rng, dest).map_err(UnpackError::Staging)?;
    let (checked, written) = thread::scope(|scope| {
        let checked = scope.spawn(|| check_packs(contents, packs));
        let written = write_files(scope, contents, packs, &staging);
        (checked.join().expect("hashing does not panic"), written)
    });
    // A wrong pack explains a wrong segment, and not the other way round.
    checked.and(written)?;
    staging.rename(dest).map_err(UnpackError::Staging)
}

fn check_packs(contents: &Contents, packs: &dyn PackSource) -> Result<(), UnpackError> {
    contents.packs().iter().enumerate().try_for_each(|(index, entry)| check_pack(packs, index, entry))
}

/// Streams a pack and compares its length and hash with the envelope's.
fn check_pack(packs: &dyn PackSource, index: usize, entry: &PackEntry) -> Result<(), UnpackError> {
    let unread = |source| UnpackError::Pack { index, source };
    // One byte more than announced, to notice a longer pack without reading all of it.
    let mut pack = packs.open(index).map_err(unread)?.take(entry.len.saturating_add(1));
    let (mut hash, mut len) = (Sha256::new(), 0_u64);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = match pack.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unread(error)),
        };
        hash.update(&piece[..read]);
        len += read as u64;
    }
    if len != entry.len {
        return Err(UnpackError::PackLength { index });
    }
    if <[u8; 32]>::from(hash.finalize()) == entry.sha256 { Ok(()) } else { Err(UnpackError::PackHash { index }) }
}

/// A segment of a file on its way.
struct Sealed<'a> {
    file: usize,
    number: usize,
    entry: &'a SegmentEntry,
    bytes: Vec<u8>,
}

/// One that needs the bytes before it is opened when its turn to be written comes.
enum Opened<'a> {
    Plain { file: usize, number: usize, plain: Result<Vec<u8>, SegmentError> },
    Sealed(Sealed<'a>),
}

fn open_alone(sealed: Sealed<'_>) -> Opened<'_> {
    match sealed {
        Sealed { file, number, entry, bytes } if entry.prefix_len == NO_PREFIX => {
            Opened::Plain { file, number, plain: open_segment(entry, bytes, &[]) }
        }
        sealed => Opened::Sealed(sealed),
    }
}

fn write_files<'scope>(
    scope: &'scope Scope<'scope, '_>,
    contents: &Contents,
    packs: &dyn PackSource,
    staging: &Staging,
) -> Result<(), UnpackError> {
    let files = contents.manifest().files();
    let unread = |file: usize| move |source| UnpackError::Read { path: files[file].path.clone(), source };
    let (mut reader, mut writer) = (PackReader::new(packs), FileWriter::new(scope, staging, files));
    let mut segments = contents.manifest().files_with_segments().enumerate().flat_map(|(file, (_, segments))| {
        segments.iter().enumerate().map(move |(number, entry)| (file, number, entry))
    });
    let next = || {
        let Some((file, number, entry)) = segments.next() else { return Ok(None) };
        let bytes = reader.read(entry).map_err(unread(file))?;
        Ok(Some(Sealed { file, number, entry, bytes }))
    };
    let write = |opened: Opened<'_>| {
        let (file, number, plain) = match opened {
            Opened::Plain { file, number, plain } => (file, number, plain),
            Opened::Sealed(Sealed { file, number, entry, bytes }) => {
                writer.go_to(file)?;
                (file, number, open_segment(entry, bytes, &writer.before()))
            }
        };
        let plain = plain.map_err(|source| unread(file)(ReadError::Segment { number, source }))?;
        writer.go_to(file)?;
        writer.write(plain)
    };
    pipeline::run(next, open_alone, write)?;
    writer.finish()
}
