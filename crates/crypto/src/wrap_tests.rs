//! A wrap opens in its place only.

use super::*;
use crate::bundle_key::FreshBundleKey;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

const IDENTITY: [u8; 32] = [5; 32];

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn bundle_key(seed: u64) -> BundleKey {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    FreshBundleKey::generate(&mut rng).seal(&[0; 32], Vec::new(), None).0
}

fn recipient(key: &EncryptionKey, kind: WrapKind) -> RecipientKey {
    RecipientKey { kind, id: "usr_ben".into(), public_key: key.public(), epoch: 1 }
}

#[test]
fn a_wrap_of_every_kind_opens_for_its_recipient() {
    let (own, bundle) = (EncryptionKey::from_bytes([9; 32]), bundle_key(7));
    let commit = bundle.commit();
    let place = BundleRef { bundle_id: bundle.bundle_id(), identity_key: &IDENTITY, commit: &commit };
    for kind in [WrapKind::User, WrapKind::Team, WrapKind::Invite] {
        let wrap = wrap_for(&mut rng(), &bundle, &IDENTITY, &recipient(&own, kind)).unwrap();
        assert_eq!(unwrap(&own, place, &wrap).unwrap().expose(), bundle.expose());
        assert_eq!(unwrap_own(&OwnerKey::from_bytes([9; 32]), place, &wrap).unwrap_err(), UnwrapError::OtherKey);
    }
    let owner = OwnerKey::from_bytes([8; 32]);
    let wrap = wrap_own(&bundle, &IDENTITY, &owner, "usr_ben", 1);
    assert_eq!(unwrap_own(&owner, place, &wrap).unwrap().expose(), bundle.expose());
    assert_eq!(unwrap(&own, place, &wrap).unwrap_err(), UnwrapError::OtherKey);
}

#[test]
fn every_part_of_the_place_is_bound() {
    let (own, bundle) = (EncryptionKey::from_bytes([9; 32]), bundle_key(7));
    let commit = bundle.commit();
    let place = BundleRef { bundle_id: bundle.bundle_id(), identity_key: &IDENTITY, commit: &commit };
    let wrap = wrap_for(&mut rng(), &bundle, &IDENTITY, &recipient(&own, WrapKind::User)).unwrap();
    for place in [
        BundleRef { bundle_id: &[0; 16], ..place },
        BundleRef { identity_key: &[0; 32], ..place },
        BundleRef { commit: &[0; 32], ..place },
    ] {
        assert_eq!(unwrap(&own, place, &wrap).unwrap_err(), UnwrapError::Unopened);
    }
    for wrap in [
        Wrap { kind: WrapKind::Team, ..wrap.clone() },
        Wrap { id: "usr_cy".into(), ..wrap.clone() },
        Wrap { epoch: 2, ..wrap.clone() },
    ] {
        assert_eq!(unwrap(&own, place, &wrap).unwrap_err(), UnwrapError::Unopened);
    }
    let for_other = Wrap { key_fp: [0; 32], ..wrap };
    assert_eq!(unwrap(&own, place, &for_other).unwrap_err(), UnwrapError::OtherKey);
}

#[test]
fn another_key_than_the_committed_one_is_refused() {
    let (own, bundle) = (EncryptionKey::from_bytes([9; 32]), bundle_key(7));
    let commit = bundle.commit();
    let place = BundleRef { bundle_id: bundle.bundle_id(), identity_key: &IDENTITY, commit: &commit };
    let lying = lock(&mut rng(), place, &recipient(&own, WrapKind::User), &[1; 32]).unwrap();
    assert_eq!(unwrap(&own, place, &lying).unwrap_err(), UnwrapError::Commit);
}

#[test]
fn one_bundle_id_with_two_keys_never_repeats_an_own_lock() {
    let owner = OwnerKey::from_bytes([8; 32]);
    let (one, other) = (BundleKey::unwrapped([1; 16], [2; 32]), BundleKey::unwrapped([1; 16], [3; 32]));
    let (one, other) = (wrap_own(&one, &IDENTITY, &owner, "a", 1), wrap_own(&other, &IDENTITY, &owner, "a", 1));
    let xor: Vec<u8> = one.ct.iter().zip(other.ct).map(|(left, right)| left ^ right).take(32).collect();
    assert_ne!(xor, [2 ^ 3; 32], "the key streams differ");
}

#[test]
fn a_weak_key_and_an_own_kind_get_no_wrap() {
    let (own, bundle) = (EncryptionKey::from_bytes([9; 32]), bundle_key(7));
    let weak = RecipientKey { public_key: [0; 32], ..recipient(&own, WrapKind::User) };
    assert_eq!(wrap_for(&mut rng(), &bundle, &IDENTITY, &weak), Err(WrapError::WeakKey));
    assert_eq!(wrap_for(&mut rng(), &bundle, &IDENTITY, &recipient(&own, WrapKind::Own)), Err(WrapError::Own));
}
