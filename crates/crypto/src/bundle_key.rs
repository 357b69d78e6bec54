//! BK, the key of one bundle, and what is derived from it (`docs/protocol.md` §Bundles).
//!
//! * K(name) = HKDF-SHA256(salt "", ikm BK, info `lv_cat("segue/bk/1", name, bundle_id)`, 32), names `manifest`,
//!   `preview`, `commit`, `claim`.
//! * Sealed X (`manifest`, `preview`) = AES-256-GCM(K(X), 0^12, aad SHA-256(H)).
//!
//! A [`FreshBundleKey`] seals once and is used up by it; the [`BundleKey`] that remains, or that comes out of a wrap, can
//! only open. So the zero nonce is never used twice under one key.

use rand_core::CryptoRng;
use segue_signed::{lv::lv_cat, sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    derive::derive,
    sealing::{Unopened, open_with, seal},
    secret::redacted,
};

/// A bundle key that has sealed nothing yet, with the bundle id drawn beside it.
pub struct FreshBundleKey(BundleKey);

redacted!(FreshBundleKey);

/// A bundle's manifest and preview, sealed.
#[derive(Debug)]
pub struct SealedBodies {
    /// The sealed manifest.
    pub manifest: Vec<u8>,
    /// The sealed preview, when there is one.
    pub preview: Option<Vec<u8>>,
}

impl FreshBundleKey {
    /// Draws a key and a bundle id.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let (mut bundle_id, mut bytes) = ([0; 16], Zeroizing::new([0; 32]));
        rng.fill_bytes(&mut bundle_id);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(BundleKey { bundle_id, bytes })
    }

    /// The id that the header must name.
    pub fn bundle_id(&self) -> [u8; 16] {
        self.0.bundle_id
    }

    /// Seals the manifest and the preview for the header with `header_hash` = SHA-256(H), and is used up by it.
    pub fn seal(
        self,
        header_hash: &[u8; 32],
        manifest: Vec<u8>,
        preview: Option<Vec<u8>>,
    ) -> (BundleKey, SealedBodies) {
        let key = self.0;
        let manifest = seal(&key.derived("manifest"), header_hash, manifest);
        let preview = preview.map(|preview| seal(&key.derived("preview"), header_hash, preview));
        (key, SealedBodies { manifest, preview })
    }
}

/// The key of one bundle. It opens; it never seals.
#[derive(Clone)]
pub struct BundleKey {
    bundle_id: [u8; 16],
    bytes: Zeroizing<[u8; 32]>,
}

redacted!(BundleKey);

impl BundleKey {
    /// A key that came out of a wrap. Believe it only after [`Self::matches`].
    pub(crate) fn unwrapped(bundle_id: [u8; 16], bytes: [u8; 32]) -> Self {
        Self { bundle_id, bytes: Zeroizing::new(bytes) }
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The bundle it belongs to.
    pub fn bundle_id(&self) -> &[u8; 16] {
        &self.bundle_id
    }

    /// K("commit"): stands in the envelope, because AES-GCM alone commits to no key.
    pub fn commit(&self) -> [u8; 32] {
        *self.derived("commit")
    }

    /// Whether the envelope's `commit` is this key's, compared in constant time.
    pub fn matches(&self, commit: &[u8; 32]) -> bool {
        self.commit().ct_eq(commit).into()
    }

    /// K("claim"): proves to the server that the claimer can open the bundle.
    pub fn claim_proof(&self) -> Zeroizing<[u8; 32]> {
        self.derived("claim")
    }

    /// SHA-256(K("claim")): stands in the envelope; the server checks a proof against it.
    pub fn claim_check(&self) -> [u8; 32] {
        sha256(self.claim_proof().as_slice())
    }

    /// Opens the sealed manifest of the header with `header_hash` = SHA-256(H).
    pub fn open_manifest(&self, header_hash: &[u8; 32], sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        open_with(&self.derived("manifest"), header_hash, sealed).map(Zeroizing::new)
    }

    /// Opens the sealed preview of the header with `header_hash` = SHA-256(H).
    pub fn open_preview(&self, header_hash: &[u8; 32], sealed: Vec<u8>) -> Result<Vec<u8>, Unopened> {
        open_with(&self.derived("preview"), header_hash, sealed)
    }

    fn derived(&self, name: &str) -> Zeroizing<[u8; 32]> {
        derive(&[], self.expose(), &lv_cat(&[b"segue/bk/1", name.as_bytes(), &self.bundle_id]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    #[test]
    fn bodies_open_in_their_place_and_for_their_header_only() {
        let fresh = FreshBundleKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let (key, sealed) = fresh.seal(&[1; 32], b"manifest".to_vec(), Some(b"preview".to_vec()));
        let preview = sealed.preview.unwrap();
        assert_eq!(key.open_manifest(&[1; 32], sealed.manifest.clone()).unwrap().as_slice(), b"manifest");
        assert_eq!(key.open_preview(&[1; 32], preview.clone()).unwrap(), b"preview");
        assert_eq!(key.open_manifest(&[2; 32], sealed.manifest).unwrap_err(), Unopened, "another header");
        assert_eq!(key.open_manifest(&[1; 32], preview).unwrap_err(), Unopened, "the preview is no manifest");
    }

    #[test]
    fn a_commit_is_of_one_key_and_one_bundle() {
        let key = BundleKey::unwrapped([1; 16], [2; 32]);
        assert!(key.matches(&key.commit()));
        assert!(!BundleKey::unwrapped([1; 16], [3; 32]).matches(&key.commit()));
        assert!(!BundleKey::unwrapped([2; 16], [2; 32]).matches(&key.commit()));
        assert_ne!(key.commit(), *key.claim_proof());
    }
}
