//! A parcel as it was sent: its parts share the memory of the request's body.

use bytes::Bytes;
use segue_domain::{PackId, limits::PACKS_INLINE_BYTES_MAX};
use segue_signed::{Parcel, Wrap};

use crate::failure::Failure;

/// A parcel that can be read; nothing in it is believed yet.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// The signed envelope.
    pub(crate) envelope: Bytes,
    /// The sealed manifest.
    pub(crate) manifest: Bytes,
    /// The sealed preview.
    pub(crate) preview: Option<Bytes>,
    /// The wraps.
    pub(crate) wraps: Vec<Wrap>,
    /// Packs that were not uploaded before.
    pub(crate) packs: Vec<(PackId, Bytes)>,
}

impl Sent {
    /// Reads a parcel.
    ///
    /// # Errors
    /// `invalid` when it is none; `too_large` when its packs are more than travel inside a parcel.
    pub(crate) fn parse(bytes: &Bytes) -> Result<Self, Failure> {
        let parcel = Parcel::parse(bytes).map_err(|error| {
            Failure::invalid(format!("The parcel cannot be read: {error}.")).or("See the protocol, §5.")
        })?;
        if parcel.packs.iter().map(|pack| pack.bytes.len()).sum::<usize>() > PACKS_INLINE_BYTES_MAX {
            return Err(Failure::too_much_inline());
        }
        let packs = parcel.packs.iter().map(|pack| (PackId::from_bytes(pack.id), bytes.slice_ref(pack.bytes)));
        Ok(Self {
            envelope: bytes.slice_ref(parcel.envelope),
            manifest: bytes.slice_ref(parcel.manifest),
            preview: parcel.preview.map(|preview| bytes.slice_ref(preview)),
            packs: packs.collect(),
            wraps: parcel.wraps,
        })
    }
}
