//! Why a manifest is refused.

use segue_domain::limits::{BUNDLE_FILES_MAX, BUNDLE_SEGMENTS_MAX, SESSION_BYTES_MAX};
use segue_signed::Malformed;

use crate::path::PathError;

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are no manifest.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A path, or two of them together.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Its length is no multiple of 4096, or a byte behind its end is not zero, or there are too many of them.
    #[error("the manifest is not padded with zero bytes to a multiple of 4096")]
    Padding,
    /// No file at all: there is nothing to hand over.
    #[error("the bundle holds no file")]
    Empty,
    /// More than [`BUNDLE_FILES_MAX`].
    #[error("the bundle holds more than {BUNDLE_FILES_MAX} files: the sender has to leave some out")]
    TooManyFiles,
    /// More than [`BUNDLE_SEGMENTS_MAX`].
    #[error("the bundle holds more than {BUNDLE_SEGMENTS_MAX} segments: the sender has to go on in a new session")]
    TooManySegments,
    /// More than [`SESSION_BYTES_MAX`].
    #[error("the bundle is larger than {SESSION_BYTES_MAX} bytes: the sender has to go on in a new session")]
    TooLarge,
    /// A file mode other than 0 and 1.
    #[error("a file has the unknown mode {0}: made by a newer Segue")]
    Mode(u8),
    /// A codec that this version does not read.
    #[error("a segment has the unknown codec {0}: made by a newer Segue")]
    Codec(u8),
    /// An empty or over-long segment, or lengths that its codec cannot have.
    #[error("a segment has an impossible length")]
    SegmentLength,
    /// A prefix with a codec that has none, none with the codec that has one, one that reaches back further than it may
    /// ([`segue_domain::limits::PREFIX_BYTES_MAX`], 64 segments, the start of its file), or one that makes a chain of more
    /// than [`segue_domain::limits::PREFIX_CHAIN_MAX`] segments.
    #[error("a segment names a prefix that it cannot have")]
    Prefix,
    /// The files name more or fewer segments than there are.
    #[error("the files and the segments of the manifest do not fit together")]
    Segments,
    /// A file's size is not the sum of its segments.
    #[error("the size of {0:?} is not the sum of its segments")]
    Size(String),
    /// The total is not the sum of the files.
    #[error("the manifest's total is not the sum of its files")]
    Total,
    /// content32 is not the hash of the files.
    #[error("the manifest's content hash is not that of its files")]
    Content,
}
