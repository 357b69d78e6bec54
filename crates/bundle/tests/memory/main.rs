//! Bombs and lies about sizes: what they hold in memory while they are refused, or taken.
//!
//! A program of its own, as memory is counted for the whole of it. What zstd's C code holds is not counted: its context and
//! window, at most 9 MiB.

#[cfg(test)]
mod bombs;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod meter;
