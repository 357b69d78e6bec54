//! Which segments of the bundle before may be listed again.
//!
//! Only the identical leading run of the same file is: a rewrite in the middle ends it. A session that is pushed after
//! every answer collects small segments at its end; they are folded into full ones now and then.

use segue_domain::limits::SEGMENT_BYTES_MAX;

use crate::manifest::SegmentEntry;

/// How far back from the end small segments are counted, in bytes: what folding may cost at most.
const TAIL_BYTES: u64 = 4 * SEGMENT_BYTES_MAX as u64;
/// More segments than this in the tail are folded. A tail of full segments has fewer than ten.
const TAIL_SEGMENTS_MAX: usize = 64;
/// A segment below this is worth folding, in bytes.
const SMALL_BYTES: u32 = SEGMENT_BYTES_MAX / 4;

/// The segments of a file's last version that may be compared and listed again: all, or all before a tail to fold.
pub(crate) fn reusable(segments: &[SegmentEntry]) -> &[SegmentEntry] {
    let mut bytes = 0;
    let tail = segments.iter().rev().take_while(|segment| {
        bytes += u64::from(segment.plain_len);
        bytes <= TAIL_BYTES
    });
    let start = segments.len() - tail.count();
    if segments.len() - start <= TAIL_SEGMENTS_MAX {
        return segments;
    }
    let small = segments[start..].iter().position(|segment| segment.plain_len < SMALL_BYTES);
    small.map_or(segments, |small| &segments[..start + small])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use segue_crypto::SegmentKey;

    fn segments(lengths: &[u32]) -> Vec<SegmentEntry> {
        let entry = |&plain_len| SegmentEntry {
            sha256: [0; 32],
            key: SegmentKey::from_bytes([0; 32]),
            pack_index: 0,
            offset: 0,
            sealed_len: plain_len + 16,
            plain_len,
            codec: Codec::Stored,
            prefix_len: 0,
        };
        lengths.iter().map(entry).collect()
    }

    #[test]
    fn a_short_tail_is_kept_and_a_long_one_is_folded() {
        let full = [SEGMENT_BYTES_MAX; 3];
        let kept = segments(&[&full[..], &[1000; 61]].concat());
        assert_eq!(reusable(&kept).len(), 64);
        let folded = segments(&[&full[..], &[1000; 65]].concat());
        assert_eq!(reusable(&folded).len(), 3);
        assert_eq!(reusable(&[]).len(), 0);
    }
}
