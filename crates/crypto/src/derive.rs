//! Key derivation: HKDF-SHA256 (RFC 5869) with an `lv_cat` as info, always to 32 bytes.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// HKDF-SHA256(`salt`, `ikm`, `info`, 32). An empty salt is the absent one of RFC 5869 §2.2.
pub(crate) fn derive(salt: &[u8], ikm: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), ikm).expand(info, key.as_mut_slice()).expect("32 bytes are within HKDF's 8160");
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// RFC 5869 A.1 and A.3, the first 32 of 42 bytes.
    #[test]
    fn known_answers_of_rfc_5869() {
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        let with_salt = derive(&hex("000102030405060708090a0b0c"), &[0x0b; 22], &hex("f0f1f2f3f4f5f6f7f8f9"));
        assert_eq!(HEXLOWER.encode(&*with_salt), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
        let without = derive(&[], &[0x0b; 22], &[]);
        assert_eq!(HEXLOWER.encode(&*without), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
    }
}
