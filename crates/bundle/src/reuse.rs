//! Which segments of the bundle before may be listed again.
//!
//! Only the identical leading run of the same file is: a rewrite in the middle ends it. A session that is pushed after
//! every answer collects small segments at its end. They are folded geometrically: what is new takes the segments before
//! it along as long as the last of them is no longer than what was gathered so far. So each small segment is longer than
//! all behind it together, there are at most about twenty of them, and a byte is sealed again some ten times before it
//! comes to rest in a segment of [`SMALL_BYTES`].

use segue_domain::limits::SEGMENT_BYTES_MAX;

use crate::manifest::SegmentEntry;

/// A segment from this length on is never folded, in bytes.
const SMALL_BYTES: u32 = SEGMENT_BYTES_MAX / 4;
/// More small segments than this at the end of a file are cut anew, whoever made them.
const SMALL_SEGMENTS_MAX: usize = 64;

/// How many leading segments of a file's last version are to be compared and listed again, now that it has `len` bytes.
pub(crate) fn reusable(segments: &[SegmentEntry], len: u64) -> usize {
    let known: u64 = segments.iter().map(|segment| u64::from(segment.plain_len)).sum();
    let small = segments.iter().rev().take_while(|segment| segment.plain_len < SMALL_BYTES).count();
    let large = segments.len() - small;
    if small > SMALL_SEGMENTS_MAX {
        return large;
    }
    let Some(mut new) = len.checked_sub(known).filter(|&new| new > 0) else { return segments.len() };
    let folded = segments[large..].iter().rev().take_while(|segment| {
        let fold = u64::from(segment.plain_len) <= new;
        new += u64::from(segment.plain_len);
        fold
    });
    segments.len() - folded.count()
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

    fn kept(lengths: &[u32], new: u64) -> usize {
        reusable(&segments(lengths), lengths.iter().map(|&len| u64::from(len)).sum::<u64>() + new)
    }

    #[test]
    fn what_is_new_takes_no_longer_segment_along() {
        assert_eq!(kept(&[400, 200, 100], 99), 3);
        assert_eq!(kept(&[400, 200, 100], 100), 0, "100, then 200, then 400");
        assert_eq!(kept(&[401, 200, 100], 100), 1);
        assert_eq!(kept(&[SEGMENT_BYTES_MAX, SMALL_BYTES, SMALL_BYTES - 1], u64::MAX / 2), 2);
        assert_eq!(kept(&[], 5), 0);
    }

    #[test]
    fn nothing_new_folds_nothing() {
        assert_eq!(kept(&[400, 200, 100], 0), 3);
        assert_eq!(reusable(&segments(&[400, 200, 100]), 650), 3, "the comparison ends the run of a shorter file");
    }

    #[test]
    fn a_long_tail_of_another_client_is_cut_anew() {
        let full = [SEGMENT_BYTES_MAX; 3];
        assert_eq!(kept(&[&full[..], &[1000; 64]].concat(), 0), 67);
        assert_eq!(kept(&[&full[..], &[1000; 65]].concat(), 0), 3);
    }
}
