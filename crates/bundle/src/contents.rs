//! A manifest together with the packs its segments lie in.

use segue_domain::limits::PACK_BYTES_MAX;
use segue_signed::{PackEntry, envelope::PACKS_MAX};

use crate::manifest::Manifest;

/// Why a manifest and a list of packs do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentsError {
    /// More packs than an envelope lists.
    #[error("the bundle lies in more than {PACKS_MAX} packs: the sender has to push it as a new one")]
    TooManyPacks,
    /// A pack is longer than [`PACK_BYTES_MAX`].
    #[error("a pack is longer than {PACK_BYTES_MAX} bytes")]
    PackLength,
    /// A segment names a pack that is not listed.
    #[error("a segment lies in a pack that is not listed")]
    PackIndex,
    /// A pack that no segment lies in: everyone would fetch it for nothing.
    #[error("a pack is listed that no segment lies in")]
    UnusedPack,
    /// A segment ends behind the end of its pack.
    #[error("a segment lies outside its pack")]
    Outside,
}

/// What is in a bundle and where: the same for everyone it is sealed for.
#[derive(Debug, Clone)]
pub struct Contents {
    manifest: Manifest,
    packs: Vec<PackEntry>,
}

impl Contents {
    /// Puts both together when every segment lies inside a listed pack, and every pack is needed.
    pub fn new(manifest: Manifest, packs: Vec<PackEntry>) -> Result<Self, ContentsError> {
        if packs.len() > PACKS_MAX {
            return Err(ContentsError::TooManyPacks);
        }
        if packs.iter().any(|pack| pack.len > PACK_BYTES_MAX) {
            return Err(ContentsError::PackLength);
        }
        let mut used = vec![false; packs.len()];
        for segment in manifest.segments() {
            let pack = packs.get(segment.pack_index as usize).ok_or(ContentsError::PackIndex)?;
            let end = segment.offset.checked_add(u64::from(segment.sealed_len));
            if end.is_none_or(|end| end > pack.len) {
                return Err(ContentsError::Outside);
            }
            used[segment.pack_index as usize] = true;
        }
        if used.contains(&false) {
            return Err(ContentsError::UnusedPack);
        }
        Ok(Self { manifest, packs })
    }

    /// The manifest: a secret.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The packs, in the order that the manifest counts them.
    pub fn packs(&self) -> &[PackEntry] {
        &self.packs
    }
}
