//! One ciphertext under one fresh key: AES-256-GCM with the nonce 0^12 (NIST SP 800-38D).
//!
//! The zero nonce is safe because a key seals once: [`seal_once`] draws it inside, and no public function takes a key to
//! seal with. A retry sends the same bytes again or seals anew.

use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _, Nonce};
use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::secret::secret;

/// Bytes that sealing adds: the GCM tag.
pub const TAG_BYTES: usize = 16;

/// A ciphertext that was changed, or opened with the wrong key or in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes do not open: wrong key, or changed on the way")]
pub struct Unopened;

/// The key of one sealed segment.
#[derive(Clone)]
pub struct SegmentKey(Zeroizing<[u8; 32]>);

secret!(SegmentKey);

/// Seals `bytes` under a key drawn here; `aad` is bound to it.
pub fn seal_once(rng: &mut dyn CryptoRng, aad: &[u8], bytes: Vec<u8>) -> (SegmentKey, Vec<u8>) {
    let key = SegmentKey::generate(rng);
    let sealed = seal(key.expose(), aad, bytes);
    (key, sealed)
}

/// Opens what [`seal_once`] sealed.
///
/// # Errors
/// [`Unopened`]; nothing of the plaintext is let out.
pub fn open(key: &SegmentKey, aad: &[u8], sealed: Vec<u8>) -> Result<Vec<u8>, Unopened> {
    open_with(key.expose(), aad, sealed)
}

/// Seals in place. The caller answers for `key` sealing once.
pub(crate) fn seal(key: &[u8; 32], aad: &[u8], mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.capacity() - bytes.len() < TAG_BYTES {
        // Growing in place may move the bytes and leave a copy of a secret behind.
        let mut roomy = Vec::with_capacity(bytes.len() + TAG_BYTES);
        roomy.extend_from_slice(&bytes);
        bytes.zeroize();
        bytes = roomy;
    }
    Aes256Gcm::new(key.into())
        .encrypt_in_place(&Nonce::default(), aad, &mut bytes)
        .expect("no structure of the protocol comes near GCM's 64 GiB");
    bytes
}

/// Opens in place.
pub(crate) fn open_with(key: &[u8; 32], aad: &[u8], mut sealed: Vec<u8>) -> Result<Vec<u8>, Unopened> {
    Aes256Gcm::new(key.into()).decrypt_in_place(&Nonce::default(), aad, &mut sealed).map_err(|_| Unopened)?;
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 and 14: zero key, zero nonce.
    #[test]
    fn known_answers_of_gcm() {
        assert_eq!(HEXLOWER.encode(&seal(&[0; 32], &[], vec![])), "530f8afbc74536b9a963b4f1c4cb738b");
        assert_eq!(
            HEXLOWER.encode(&seal(&[0; 32], &[], vec![0; 16])),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
        );
    }

    #[test]
    fn two_seals_never_share_a_key() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (one, _) = seal_once(&mut rng, b"aad", vec![1]);
        let (two, _) = seal_once(&mut rng, b"aad", vec![1]);
        assert_ne!(one.expose(), two.expose());
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_any_change_is_refused(plain: Vec<u8>, at: prop::sample::Index, bit in 0..8_u8) {
            let mut rng = ChaCha20Rng::seed_from_u64(2);
            let (key, sealed) = seal_once(&mut rng, b"aad", plain.clone());
            prop_assert_eq!(sealed.len(), plain.len() + TAG_BYTES);
            prop_assert_eq!(open(&key, b"aad", sealed.clone()), Ok(plain));
            prop_assert_eq!(open(&key, b"other", sealed.clone()), Err(Unopened));
            let mut changed = sealed;
            let at = at.index(changed.len());
            changed[at] ^= 1 << bit;
            prop_assert_eq!(open(&key, b"aad", changed), Err(Unopened));
        }
    }
}
