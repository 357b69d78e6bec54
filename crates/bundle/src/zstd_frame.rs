//! The header of a zstd frame (RFC 8878 §3.1.1), read before any byte is decoded.
//!
//! zstd's one-shot decoder skips skippable frames and applies no window limit; a browser's decoder differs again. So the
//! rules of the format are checked here: a plain frame, no dictionary, a window of at most 2^23, the expected length.

/// Start of a frame, least significant byte first.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Largest window, as a power of two: what a phone's decoder allots without a thought, and twice a segment.
pub(crate) const WINDOW_LOG_MAX: u32 = 23;
const WINDOW_BYTES_MAX: u64 = 1 << WINDOW_LOG_MAX;

/// Why bytes are not a frame that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another magic number: a skippable frame, a legacy frame, or no zstd.
    #[error("the segment is not a plain zstd frame")]
    Magic,
    /// The header is cut short or sets the reserved bit.
    #[error("the zstd frame header is damaged")]
    Header,
    /// It needs a dictionary.
    #[error("the zstd frame needs a dictionary")]
    Dictionary,
    /// It wants a larger window than 2^23.
    #[error("the zstd frame wants too large a window")]
    Window,
    /// It announces another length than the manifest.
    #[error("the zstd frame announces another length than the manifest")]
    Length,
}

/// Checks the header of the frame that `coded` starts with.
pub(crate) fn check_frame(coded: &[u8], plain_len: usize) -> Result<(), FrameError> {
    let rest = coded.strip_prefix(&MAGIC).ok_or(FrameError::Magic)?;
    let (&descriptor, mut rest) = rest.split_first().ok_or(FrameError::Header)?;
    let single_segment = descriptor & 0x20 != 0;
    if descriptor & 0x08 != 0 {
        return Err(FrameError::Header);
    }
    if descriptor & 0x03 != 0 {
        return Err(FrameError::Dictionary);
    }
    if !single_segment {
        let (&window, after) = rest.split_first().ok_or(FrameError::Header)?;
        let base = 1_u64 << (10 + (window >> 3));
        if base + base / 8 * u64::from(window & 7) > WINDOW_BYTES_MAX {
            return Err(FrameError::Window);
        }
        rest = after;
    }
    match content_size(descriptor >> 6, single_segment, rest)? {
        Some(size) if size != plain_len as u64 => Err(FrameError::Length),
        _ => Ok(()),
    }
}

/// The announced length, when there is one. `flag` is the top two bits of the descriptor.
fn content_size(flag: u8, single_segment: bool, rest: &[u8]) -> Result<Option<u64>, FrameError> {
    let size = match flag {
        0 if !single_segment => return Ok(None),
        0 => rest.first().map(|&byte| u64::from(byte)),
        // Two bytes are stored less 256.
        1 => rest.first_chunk().map(|&bytes| u64::from(u16::from_le_bytes(bytes)) + 256),
        2 => rest.first_chunk().map(|&bytes| u64::from(u32::from_le_bytes(bytes))),
        _ => rest.first_chunk().map(|&bytes| u64::from_le_bytes(bytes)),
    };
    size.map(Some).ok_or(FrameError::Header)
}
