//! Unpacking: everything is verified in a temporary directory beside the destination, and then renamed once.
//!
//! On any error nothing lies at the destination and the temporary directory is gone.

use std::{fs, io, io::Read as _, path::Path};

use rand_core::CryptoRng;
use segue_signed::PackEntry;
use sha2::{Digest as _, Sha256};

use crate::{
    contents::Contents,
    manifest::{FileRecord, SegmentEntry},
    reader::{PackSource, ReadError, SegmentReader},
    staging::Staging,
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
/// segment is compared with its hash here.
pub fn unpack(
    rng: &mut dyn CryptoRng,
    contents: &Contents,
    packs: &mut dyn PackSource,
    dest: &Path,
) -> Result<(), UnpackError> {
    match fs::symlink_metadata(dest) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(UnpackError::Staging(error)),
        Ok(_) => return Err(UnpackError::DestinationExists),
    }
    for (index, entry) in contents.packs().iter().enumerate() {
        check_pack(packs, index, entry)?;
    }
    let staging = Staging::create(rng, dest).map_err(UnpackError::Staging)?;
    let mut reader = SegmentReader::new(packs);
    for (file, segments) in contents.manifest().files_with_segments() {
        write_file(&staging, &mut reader, file, segments)?;
    }
    staging.rename(dest).map_err(UnpackError::Staging)
}

/// Streams a pack and compares its length and hash with the envelope's.
fn check_pack(packs: &mut dyn PackSource, index: usize, entry: &PackEntry) -> Result<(), UnpackError> {
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

fn write_file(
    staging: &Staging,
    reader: &mut SegmentReader<'_>,
    record: &FileRecord,
    segments: &[SegmentEntry],
) -> Result<(), UnpackError> {
    let unwritten = |source| UnpackError::Write { path: record.path.clone(), source };
    let mut file = staging.create_file(&record.path, record.mode).map_err(unwritten)?;
    reader.file(segments, &mut file).map_err(|source| UnpackError::Read { path: record.path.clone(), source })?;
    file.sync_all().map_err(unwritten)
}
