//! The fingerprint that two people compare: 24 symbols of a person's id and identity key.
//!
//! The first 120 bits of SHA-256(`lv_cat("segue/fingerprint/1", user_id, IK)`) in upper-case Crockford base32, most
//! significant bit first, in six groups of four joined by `-`.

use segue_signed::{lv::lv_cat, sha256};

use crate::crockford;

/// Bytes of the hash that are shown: 120 bits, out of reach for a search for a second key.
const SHOWN: usize = 15;

/// The fingerprint of the person `user_id` (`usr_…`) with `identity_key`.
pub fn fingerprint(user_id: &str, identity_key: &[u8; 32]) -> String {
    let hash = sha256(&lv_cat(&[b"segue/fingerprint/1", user_id.as_bytes(), identity_key]));
    crockford::encode(&hash[..SHOWN])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_six_groups_of_four_and_depends_on_both() {
        let shown = fingerprint("usr_ann", &[1; 32]);
        assert!(shown.split('-').count() == 6 && shown.split('-').all(|group| group.len() == 4));
        assert_ne!(shown, fingerprint("usr_bob", &[1; 32]));
        assert_ne!(shown, fingerprint("usr_ann", &[2; 32]));
    }
}
