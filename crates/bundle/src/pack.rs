//! Packs: sealed segments one after the other, then random bytes up to a round length.

use std::io;

use rand_core::CryptoRng;
use segue_domain::limits::PACK_BYTES_MAX;
use segue_signed::PackEntry;
use sha2::{Digest as _, Sha256};

/// Smallest step that a pack's length is rounded to, in bytes.
const STEP_BYTES_MIN: u64 = 1024;
/// Padding is drawn in pieces of this size, in bytes.
const PADDING_PIECE: usize = 16 * 1024;

/// Where finished packs go: a spool, or an upload that runs along.
pub trait PackSink {
    /// A pack starts. Its id was drawn here and is never used again.
    fn begin(&mut self, id: [u8; 16]) -> io::Result<()>;
    /// The next bytes of the pack that was begun.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// The pack is complete, padding included.
    fn finish(&mut self, entry: PackEntry) -> io::Result<()>;
    /// Bytes that were written and wait to be sent: while there are many, what follows is compressed better and more slowly.
    fn backlog(&self) -> u64 {
        0
    }
}

/// The length that a pack with `len` bytes of segments is padded to: the next multiple of max(1024, 2^(E−S)) with
/// E = ⌊log2 len⌋ and S = ⌊log2 E⌋ + 1 (PADMÉ, Nikitin et al. 2019): at most 12 % more, and O(log log) bits leaked.
pub fn padded_len(len: u64) -> u64 {
    let exponent = len.checked_ilog2().unwrap_or(0);
    let kept = exponent.checked_ilog2().map_or(0, |log| log + 1);
    let step = 1_u64 << exponent.saturating_sub(kept);
    len.next_multiple_of(step.max(STEP_BYTES_MIN))
}

/// Where a segment was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which of the packs written here, from 0.
    pub(crate) pack: usize,
    /// Where in it, in bytes.
    pub(crate) offset: u64,
}

/// Writes packs one after the other.
pub(crate) struct PackWriter<'a> {
    sink: &'a mut dyn PackSink,
    open: Option<OpenPack>,
    done: Vec<PackEntry>,
}

struct OpenPack {
    id: [u8; 16],
    hash: Sha256,
    len: u64,
}

impl<'a> PackWriter<'a> {
    pub(crate) fn new(sink: &'a mut dyn PackSink) -> Self {
        Self { sink, open: None, done: Vec::new() }
    }

    /// Appends one sealed segment, in a new pack when the open one would grow beyond [`PACK_BYTES_MAX`].
    pub(crate) fn append(&mut self, rng: &mut dyn CryptoRng, sealed: &[u8]) -> io::Result<Place> {
        let full = |open: &OpenPack| padded_len(open.len + sealed.len() as u64) > PACK_BYTES_MAX;
        if self.open.as_ref().is_some_and(full) {
            self.close(rng)?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let mut id = [0; 16];
                rng.fill_bytes(&mut id);
                self.sink.begin(id)?;
                none.insert(OpenPack { id, hash: Sha256::new(), len: 0 })
            }
        };
        let place = Place { pack: self.done.len(), offset: open.len };
        open.write(self.sink, sealed)?;
        Ok(place)
    }

    /// See [`PackSink::backlog`].
    pub(crate) fn backlog(&self) -> u64 {
        self.sink.backlog()
    }

    /// Pads and closes the open pack, and gives the entries of all.
    pub(crate) fn finish(mut self, rng: &mut dyn CryptoRng) -> io::Result<Vec<PackEntry>> {
        self.close(rng)?;
        Ok(self.done)
    }

    fn close(&mut self, rng: &mut dyn CryptoRng) -> io::Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let mut missing = padded_len(open.len) - open.len;
        let mut piece = [0; PADDING_PIECE];
        while missing > 0 {
            let length = usize::try_from(missing).map_or(PADDING_PIECE, |missing| missing.min(PADDING_PIECE));
            rng.fill_bytes(&mut piece[..length]);
            open.write(self.sink, &piece[..length])?;
            missing -= length as u64;
        }
        let entry = PackEntry { id: open.id, sha256: open.hash.finalize().into(), len: open.len };
        self.sink.finish(entry)?;
        self.done.push(entry);
        Ok(())
    }
}

impl OpenPack {
    fn write(&mut self, sink: &mut dyn PackSink, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        sink.write(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    #[test]
    fn lengths_are_rounded_as_the_protocol_says() {
        for (len, padded) in [(1, 1024), (1024, 1024), (1025, 2048), (100_000, 100_352), (1 << 20, 1 << 20)] {
            assert_eq!(padded_len(len), padded, "{len}");
        }
        // 2^20 < len < 2^21: E = 20, S = 5, step 32 KiB.
        assert_eq!(padded_len((1 << 20) + 1), (1 << 20) + (1 << 15));
        assert_eq!(padded_len(PACK_BYTES_MAX), PACK_BYTES_MAX);
        assert_eq!(padded_len(PACK_BYTES_MAX - 1), PACK_BYTES_MAX);
    }

    #[derive(Default)]
    struct Lengths(Vec<u64>);

    impl PackSink for Lengths {
        fn begin(&mut self, _id: [u8; 16]) -> io::Result<()> {
            self.0.push(0);
            Ok(())
        }

        fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
            *self.0.last_mut().unwrap() += bytes.len() as u64;
            Ok(())
        }

        fn finish(&mut self, entry: PackEntry) -> io::Result<()> {
            assert_eq!(self.0.last(), Some(&entry.len));
            Ok(())
        }
    }

    #[test]
    fn a_pack_that_is_full_is_closed() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut sink = Lengths::default();
        let mut writer = PackWriter::new(&mut sink);
        let sealed = vec![0; 4 * 1024 * 1024 + 16];
        let places: Vec<_> = (0..16).map(|_| writer.append(&mut rng, &sealed).unwrap()).collect();
        let done = writer.finish(&mut rng).unwrap();
        assert_eq!(places[14], Place { pack: 0, offset: 14 * sealed.len() as u64 });
        assert_eq!(places[15], Place { pack: 1, offset: 0 });
        assert_eq!(done.len(), 2);
        assert_ne!(done[0].id, done[1].id);
        assert!(sink.0.iter().all(|&len| len <= PACK_BYTES_MAX && padded_len(len) == len), "{:?}", sink.0);
    }

    proptest! {
        #[test]
        fn padding_adds_little(len in 8192_u64..PACK_BYTES_MAX) {
            let padded = padded_len(len);
            prop_assert!(padded >= len && padded <= PACK_BYTES_MAX);
            prop_assert!(padded - len < len / 8 + 1);
        }
    }
}
