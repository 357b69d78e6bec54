//! The crate from the outside: round trips, re-use, attacks and the vectors that every client reads.

#[cfg(test)]
mod envelope_attacks;
#[cfg(test)]
#[path = "../../../crypto/tests/vectors/file.rs"]
mod file;
#[cfg(test)]
mod flips;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod manifest_attacks;
#[cfg(test)]
mod mixing;
#[cfg(test)]
mod pack_attacks;
#[cfg(test)]
mod path_attacks;
#[cfg(test)]
mod prefix;
#[cfg(test)]
mod reuse;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod world;
