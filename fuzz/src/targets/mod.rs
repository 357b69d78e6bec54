//! What is tried.

mod active_view;
mod claude_code;
mod coming_back;
mod lv;
mod manifest;
mod pairing;
mod pairing_code;
mod segment;
mod signed;

/// All targets.
pub const ALL: &[&dyn Target] = &[
    &lv::Lv,
    &signed::Signed,
    &manifest::Manifests,
    &segment::Segments,
    &claude_code::ClaudeCodeSessions,
    &active_view::ActiveViews,
    &coming_back::ComingsBack,
    &pairing::Pairings,
    &pairing_code::PairingCodes,
];

/// Something that reads bytes from others.
pub trait Target: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Honest inputs to start from.
    fn corpus(&self) -> Vec<Vec<u8>>;

    /// Words of the format.
    fn dictionary(&self) -> &'static [&'static [u8]];

    /// The most bytes that may be held for an input of that length, and why: see each target.
    fn memory_max(&self, input_len: usize) -> u64;

    /// Reads `input` and says how it went. An outcome that was not seen before makes the input part of the corpus.
    ///
    /// # Panics
    /// When a promise is broken.
    fn run(&self, input: &[u8]) -> String;
}
