//! Numbers that a seed decides: SplitMix64 (Steele, Lea, Flood 2014). Nothing secret comes from it.

use std::fmt::Write as _;

/// A stream of numbers.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or_default()
    }

    /// From `from` to below `to`.
    pub(super) fn within(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from)
    }

    /// True so often in a hundred.
    pub(super) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of these.
    pub(super) fn pick<'a, Item: ?Sized>(&mut self, items: &[&'a Item]) -> &'a Item {
        items[self.below(items.len())]
    }

    /// So many symbols of this alphabet.
    pub(super) fn symbols(&mut self, alphabet: &[u8], count: usize) -> String {
        (0..count).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }

    /// A random UUID, version 4.
    pub(super) fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let mut text = String::with_capacity(36);
        let (time, version) = (high >> 16, high & 0xfff);
        let (variant, node) = ((low >> 48) & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
        write!(text, "{:08x}-{:04x}-4{version:03x}-{variant:04x}-{node:012x}", time >> 16, time & 0xffff)
            .expect("a string takes any text");
        text
    }
}

/// Spreads a number over all 64 bits.
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
