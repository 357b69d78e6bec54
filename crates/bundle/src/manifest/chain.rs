//! Chains of codec 2: a segment needs the plain bytes before it, and those may need others. A reader that wants one
//! segment has to open its whole chain, so a chain is short.

use segue_domain::limits::{PREFIX_BYTES_MAX, PREFIX_CHAIN_MAX};

use super::{ManifestError, SegmentEntry};

/// Segments that one prefix may lie in. It bounds the work that a manifest of many tiny segments asks for.
const PREFIX_SEGMENTS_MAX: usize = 64;

/// How many segments build on each other, for each segment of one file: 0 for one without a prefix.
#[derive(Debug, Default)]
pub(crate) struct Depths(Vec<usize>);

impl Depths {
    /// The depths of `segments`, which were checked.
    pub(crate) fn of(segments: &[SegmentEntry]) -> Self {
        let mut depths = Self::default();
        for (at, segment) in segments.iter().enumerate() {
            let depth = depths.after(&segments[..at], segment.prefix_len).unwrap_or(0);
            depths.0.push(depth);
        }
        depths
    }

    /// How deep a segment after `before` would be with a prefix of `prefix_len` bytes; `None` when it may not have that.
    pub(crate) fn after(&self, before: &[SegmentEntry], prefix_len: u32) -> Option<usize> {
        if prefix_len > PREFIX_BYTES_MAX {
            return None;
        }
        let (mut missing, mut deepest) = (prefix_len, 0);
        for (touched, (segment, &depth)) in before.iter().zip(&self.0).rev().enumerate() {
            if missing == 0 || touched == PREFIX_SEGMENTS_MAX {
                break;
            }
            missing = missing.saturating_sub(segment.plain_len);
            deepest = deepest.max(depth);
        }
        let depth = if prefix_len == 0 { 0 } else { deepest + 1 };
        (missing == 0 && depth <= PREFIX_CHAIN_MAX).then_some(depth)
    }
}

/// Checks the prefixes of one file's segments: no longer than what is before them or than [`PREFIX_BYTES_MAX`], in at most
/// [`PREFIX_SEGMENTS_MAX`] segments, and no chain longer than [`PREFIX_CHAIN_MAX`].
pub(super) fn check_chains(segments: &[SegmentEntry]) -> Result<(), ManifestError> {
    let mut depths = Depths::default();
    for (at, segment) in segments.iter().enumerate() {
        let depth = depths.after(&segments[..at], segment.prefix_len).ok_or(ManifestError::Prefix)?;
        depths.0.push(depth);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{codec::Codec, segment::NO_PREFIX};
    use segue_crypto::SegmentKey;

    fn segment(plain_len: u32, prefix_len: u32) -> SegmentEntry {
        SegmentEntry {
            sha256: [0; 32],
            key: SegmentKey::from_bytes([0; 32]),
            pack_index: 0,
            offset: 0,
            sealed_len: 17,
            plain_len,
            codec: if prefix_len == NO_PREFIX { Codec::Zstd } else { Codec::ZstdPrefix },
            prefix_len,
        }
    }

    #[test]
    fn a_chain_ends_at_its_limit() {
        let mut segments = vec![segment(100, 0)];
        segments.extend((0..PREFIX_CHAIN_MAX).map(|_| segment(100, 100)));
        assert_eq!(check_chains(&segments), Ok(()));
        assert_eq!(Depths::of(&segments).after(&segments, 100), None);
        assert_eq!(Depths::of(&segments).after(&segments, 0), Some(0));
        segments.push(segment(100, 100));
        assert_eq!(check_chains(&segments), Err(ManifestError::Prefix));
        // One that stands alone begins anew.
        *segments.last_mut().unwrap() = segment(100, 0);
        segments.push(segment(100, 100));
        assert_eq!(check_chains(&segments), Ok(()));
        // A byte further back is one segment more.
        segments.last_mut().unwrap().prefix_len = 101;
        assert_eq!(check_chains(&segments), Err(ManifestError::Prefix));
    }

    #[test]
    fn a_prefix_is_no_longer_than_its_limits() {
        assert_eq!(check_chains(&[segment(10, 0), segment(10, 10)]), Ok(()));
        assert_eq!(check_chains(&[segment(10, 0), segment(10, 11)]), Err(ManifestError::Prefix));
        let long = 2 * PREFIX_BYTES_MAX;
        assert_eq!(check_chains(&[segment(long, 0), segment(10, PREFIX_BYTES_MAX)]), Ok(()));
        assert_eq!(check_chains(&[segment(long, 0), segment(10, PREFIX_BYTES_MAX + 1)]), Err(ManifestError::Prefix));
        let many = |count| [vec![segment(1, 0); count], vec![segment(10, u32::try_from(count).unwrap())]].concat();
        assert_eq!(check_chains(&many(PREFIX_SEGMENTS_MAX)), Ok(()));
        assert_eq!(check_chains(&many(PREFIX_SEGMENTS_MAX + 1)), Err(ManifestError::Prefix));
    }
}
