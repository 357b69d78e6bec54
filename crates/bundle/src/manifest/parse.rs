//! Reading a manifest: the fields, then nothing but zero bytes, then every check that a sender's manifest passed too.

use segue_domain::limits::{BUNDLE_FILES_MAX, BUNDLE_SEGMENTS_MAX};
use segue_signed::{Malformed, lv::Reader};

use super::{FileRecord, LABEL, Manifest, ManifestError, STEP_BYTES, SegmentEntry};

impl Manifest {
    /// Reads M. The caller has compared its sealed hash with a verified envelope and opened it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut reader = Reader::new(bytes);
        reader.label(LABEL)?;
        let files = parse_files(reader.bytes("files")?)?;
        let segments = parse_segments(reader.bytes("segments")?)?;
        let total = reader.u64("total")?;
        let content = reader.array::<32>("content hash")?;
        let padding = reader.remaining();
        let padded = bytes.len().is_multiple_of(STEP_BYTES) && padding.len() < STEP_BYTES;
        if !padded || padding.iter().any(|&byte| byte != 0) {
            return Err(ManifestError::Padding);
        }
        let manifest = Self::new(files, segments)?;
        if manifest.total != total {
            return Err(ManifestError::Total);
        }
        if manifest.content_hash() != content {
            return Err(ManifestError::Content);
        }
        Ok(manifest)
    }
}

fn parse_files(field: &[u8]) -> Result<Vec<FileRecord>, ManifestError> {
    let mut list = Reader::new(field);
    let mut files = Vec::new();
    while !list.remaining().is_empty() {
        if files.len() == BUNDLE_FILES_MAX {
            return Err(ManifestError::TooManyFiles);
        }
        files.push(FileRecord::parse(list.bytes("file record")?)?);
    }
    Ok(files)
}

fn parse_segments(field: &[u8]) -> Result<Vec<SegmentEntry>, ManifestError> {
    let (entries, rest) = field.as_chunks::<{ SegmentEntry::BYTES }>();
    if !rest.is_empty() {
        return Err(Malformed::Field("segments").into());
    }
    if entries.len() > BUNDLE_SEGMENTS_MAX {
        return Err(ManifestError::TooManySegments);
    }
    entries.iter().map(SegmentEntry::parse).collect()
}
