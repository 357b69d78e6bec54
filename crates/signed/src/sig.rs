//! `Sig(x)` = Ed25519(key, `lv_cat("segue/sig/1", label, x)`), verified strictly (RFC 8032; small-order keys refused).

use ed25519_dalek::VerifyingKey;

use crate::{Unverified, lv::lv_cat};

/// An Ed25519 signature, 64 bytes.
pub type Signature = [u8; 64];

/// The bytes that are signed: label and content, apart from every other use of the key.
pub fn signed_bytes(label: &str, content: &[u8]) -> Vec<u8> {
    lv_cat(&[b"segue/sig/1", label.as_bytes(), content])
}

/// Verifies `signature` of `content` under `label` by `key`.
///
/// # Errors
/// [`Unverified::WeakKey`] for a key that is no point or of small order, [`Unverified::Signature`] otherwise.
pub fn verify(key: &[u8; 32], label: &str, content: &[u8], signature: &Signature) -> Result<(), Unverified> {
    let key = strong_key(key)?;
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    key.verify_strict(&signed_bytes(label, content), &signature).map_err(|_| Unverified::Signature)
}

/// Parses an Ed25519 public key and refuses small-order ones: under such a key some signatures verify for any message.
pub fn strong_key(key: &[u8; 32]) -> Result<VerifyingKey, Unverified> {
    let key = VerifyingKey::from_bytes(key).map_err(|_| Unverified::WeakKey)?;
    if key.is_weak() { Err(Unverified::WeakKey) } else { Ok(key) }
}

/// The X25519 public keys of small order, least significant byte first: with them every shared secret is zero
/// (RFC 7748 §6.1). The top bit is ignored by X25519, so it is cleared before the comparison.
const SMALL_ORDER_X25519: [[u8; 32]; 7] = {
    let mut one = [0; 32];
    one[0] = 1;
    let mut below_p = [0xff; 32];
    below_p[0] = 0xec;
    below_p[31] = 0x7f;
    let mut p = below_p;
    p[0] = 0xed;
    let mut above_p = below_p;
    above_p[0] = 0xee;
    [
        [0; 32],
        one,
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
            0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
            0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
        ],
        below_p,
        p,
        above_p,
    ]
};

/// Refuses an X25519 public key of small order.
pub fn strong_x25519(key: &[u8; 32]) -> Result<(), Unverified> {
    let mut canonical = *key;
    canonical[31] &= 0x7f;
    if SMALL_ORDER_X25519.contains(&canonical) { Err(Unverified::WeakKey) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    #[test]
    fn a_signature_holds_for_its_label_and_content_only() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = key.verifying_key().to_bytes();
        let signature = key.sign(&signed_bytes("envelope", b"content")).to_bytes();
        assert_eq!(verify(&public, "envelope", b"content", &signature), Ok(()));
        assert_eq!(verify(&public, "keycard", b"content", &signature), Err(Unverified::Signature));
        assert_eq!(verify(&public, "envelope", b"other", &signature), Err(Unverified::Signature));
    }

    #[test]
    fn the_identity_point_signs_nothing() {
        // Under lax verification (R = identity, S = 0) verifies for every message with this key.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert_eq!(verify(&identity, "envelope", b"anything", &signature), Err(Unverified::WeakKey));
    }

    #[test]
    fn small_order_x25519_keys_are_refused_with_either_top_bit() {
        for key in SMALL_ORDER_X25519 {
            assert!(strong_x25519(&key).is_err());
            let mut high = key;
            high[31] |= 0x80;
            assert!(strong_x25519(&high).is_err());
        }
        assert!(strong_x25519(&[9; 32]).is_ok());
    }
}
