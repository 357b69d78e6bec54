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

/// The fingerprint of the team whose first roster has this hash: its first 120 bits, shown alike.
pub fn team_fingerprint(first_roster_hash: &[u8; 32]) -> String {
    crockford::encode(&first_roster_hash[..SHOWN])
}

/// Whether a typed text is `shown`: either case, blanks and hyphens ignored, O read as 0, I and L as 1.
pub fn same_fingerprint(typed: &str, shown: &str) -> bool {
    let read = |text| crockford::decode::<SHOWN>(text);
    read(typed).is_ok_and(|typed| read(shown) == Ok(typed))
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

    #[test]
    fn a_typed_fingerprint_is_read_as_people_write_it() {
        let shown = team_fingerprint(&[0x08; 32]);
        assert!(same_fingerprint(&shown.to_lowercase().replace('-', " ").replace('1', "l").replace('0', "o"), &shown));
        assert!(!same_fingerprint(&team_fingerprint(&[9; 32]), &shown));
        assert!(!same_fingerprint("", &shown) && !same_fingerprint(&shown[1..], &shown));
    }
}
