//! The draft's known answers, and what the other side may not send.

use super::*;
use data_encoding::HEXLOWER;
use serde_json::Value;

fn known() -> Value {
    serde_json::from_str(include_str!("../../vectors/cpace.json")).unwrap()
}

fn bytes(of: &Value, name: &str) -> Vec<u8> {
    HEXLOWER.decode(of[name].as_str().unwrap().as_bytes()).unwrap()
}

fn array(of: &Value, name: &str) -> [u8; 32] {
    bytes(of, name).try_into().unwrap()
}

fn party(of: &Value, scalar: &str) -> Party {
    let scalar = Zeroizing::new(Scalar::from_canonical_bytes(array(of, scalar)).unwrap());
    Party::with_scalar(scalar, &bytes(of, "PRS"), &bytes(of, "CI"), &bytes(of, "sid"))
}

/// What a vector shows of one side and nothing else may see.
pub(in crate::pairing) fn shown(prs: &[u8], ci: &[u8], sid: &[u8], party: &Party, peer: &[u8; 32]) -> [[u8; 32]; 3] {
    let g = generator(prs, ci, sid).compress().to_bytes();
    [g, party.scalar.to_bytes(), *party.multiply(peer).unwrap()]
}

/// A party from 64 bytes of randomness, as [`Party::start`] draws them.
pub(in crate::pairing) fn from_wide(wide: &[u8; 64], prs: &[u8], ci: &[u8], sid: &[u8]) -> Party {
    Party::with_scalar(Zeroizing::new(Scalar::from_bytes_mod_order_wide(wide)), prs, ci, sid)
}

pub(in crate::pairing) fn mac_key(key: &MacKey) -> &[u8; 64] {
    &key.0
}

#[test]
fn known_answers_of_the_draft() {
    let known = &known()["exchange"];
    let (source, destination) = (party(known, "ya"), party(known, "yb"));
    assert_eq!(*source.share(), array(known, "Ya"));
    assert_eq!(*destination.share(), array(known, "Yb"));
    let g = generator(&bytes(known, "PRS"), &bytes(known, "CI"), &bytes(known, "sid"));
    assert_eq!(g.compress().to_bytes(), array(known, "g"));
    assert_eq!(*source.multiply(destination.share()).unwrap(), array(known, "K"));
    let (sid, ada, adb) = (bytes(known, "sid"), bytes(known, "ADa"), bytes(known, "ADb"));
    let exchange = Exchange { sid: &sid, ya: source.share(), ada: &ada, yb: destination.share(), adb: &adb };
    for isk in [
        source.shared_secret(destination.share(), exchange).unwrap(),
        destination.shared_secret(source.share(), exchange).unwrap(),
    ] {
        assert_eq!(isk.as_slice(), bytes(known, "ISK_IR"));
    }
}

#[test]
fn known_points_of_the_draft() {
    let points = &known()["points"];
    let scalar = Zeroizing::new(Scalar::from_canonical_bytes(array(&points["Valid"], "s")).unwrap());
    let party = Party::with_scalar(scalar, b"", b"", b"");
    let product = party.multiply(&array(&points["Valid"], "X")).unwrap();
    assert_eq!(*product, array(&points["Valid"], "G.scalar_mult_vfy(s,X)"));
    for name in ["Invalid Y1", "Invalid Y2"] {
        assert_eq!(party.multiply(&array(points, name)).unwrap_err(), BadShare, "{name}");
    }
}

/// The block of the password is filled to 128 bytes, whatever the password's length is.
#[test]
fn the_password_has_a_block_of_its_own() {
    for length in [0, 1, 5, 107, 108, 109, 127, 128, 300] {
        let string = generator_string(&vec![7; length], b"ci", b"sid");
        let tail = string.windows(3).position(|window| window == b"\x02ci").unwrap();
        assert!(tail >= BLOCK_BYTES && (length > 107 || tail == BLOCK_BYTES), "{length}: {tail}");
        assert_eq!(encoded_len(&vec![7; length]), lv_cat(&[&vec![7; length]]).len());
    }
}

#[test]
fn ones_own_share_is_refused() {
    let party = from_wide(&[3; 64], b"prs", b"ci", b"sid");
    let share = *party.share();
    let exchange = Exchange { sid: b"sid", ya: &share, ada: b"a", yb: &share, adb: b"b" };
    assert_eq!(party.shared_secret(&share, exchange).unwrap_err(), BadShare);
}

/// An encoding has one form: 2p − x, a set top bit and odd bytes are all refused, and no 32 bytes make it panic.
#[test]
fn shares_that_are_not_canonical_are_refused() {
    let party = from_wide(&[3; 64], b"prs", b"ci", b"sid");
    let good = *from_wide(&[4; 64], b"prs", b"ci", b"sid").share();
    assert!(party.multiply(&good).is_ok());
    let mut high = good;
    high[31] |= 0x80;
    let mut negative = good;
    negative[0] |= 1;
    let mut p = [0xff; 32];
    (p[0], p[31]) = (0xed, 0x7f);
    for share in [high, negative, p, [0xff; 32]] {
        assert_eq!(party.multiply(&share).unwrap_err(), BadShare, "{share:02x?}");
    }
    let valid = (0..2_000_u32).filter(|seed| {
        let share: [u8; 32] = segue_signed::sha256(&seed.to_be_bytes());
        party.multiply(&share).is_ok()
    });
    assert!((60..200).contains(&valid.count()), "one encoding in sixteen is valid");
}
