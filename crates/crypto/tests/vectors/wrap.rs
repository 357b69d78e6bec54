//! wrap.json: a bundle key, what is derived from it, and its wraps.

use rand_chacha::rand_core::Rng as _;
use segue_crypto::{
    BundleKey, BundleRef, FreshBundleKey, RecipientKey,
    wrap::{unwrap, unwrap_own, wrap_for, wrap_own},
};
use segue_signed::{SUITE, Wrap, WrapKind, lv::Writer};
use serde_json::{Value, json};

use crate::{
    file::{compare, flips, hex},
    people::{ANN, BEN, ann, ben, rng},
};

const HEADER_HASH: [u8; 32] = [0x77; 32];

/// The id and the key that a generator draws, in this order: the key itself is not let out by the crate.
fn drawn(seed: u8) -> ([u8; 16], [u8; 32]) {
    let (mut id, mut key) = ([0; 16], [0; 32]);
    let mut rng = rng(seed);
    rng.fill_bytes(&mut id);
    rng.fill_bytes(&mut key);
    (id, key)
}

/// The 32 bytes that HPKE's DeriveKeyPair makes the ephemeral key from (RFC 9180 §7.1.3).
fn ephemeral(seed: u8) -> [u8; 32] {
    let mut ikm = [0; 32];
    rng(seed).fill_bytes(&mut ikm);
    ikm
}

fn describe(wrap: &Wrap, identity_key: &[u8; 32], bundle_id: &[u8; 16]) -> Value {
    let info = Writer::labelled("segue/wrap/1")
        .u8(SUITE)
        .bytes(bundle_id)
        .bytes(identity_key)
        .text(wrap.kind.as_str())
        .text(&wrap.id)
        .bytes(&wrap.key_fp)
        .u32(wrap.epoch)
        .finish();
    json!({
        "kind": wrap.kind.as_str(),
        "id": wrap.id,
        "key_fp": hex(wrap.key_fp),
        "epoch": wrap.epoch,
        "info": hex(info),
        "enc": wrap.enc.map(hex),
        "ct": hex(wrap.ct),
        "bytes": hex(wrap.encode()),
    })
}

/// Any changed byte is refused: the wrap does not parse, or does not open.
fn refuse_flips(wrap: &Wrap, open: impl Fn(&Wrap) -> bool) {
    assert!(open(wrap));
    for (index, flipped) in flips(&wrap.encode()) {
        assert!(!Wrap::parse(&flipped).is_ok_and(|wrap| open(&wrap)), "byte {index}");
    }
}

fn bodies(key: &BundleKey, manifest: &[u8], preview: &[u8]) -> Value {
    for (_, flipped) in flips(manifest) {
        assert!(key.open_manifest(&HEADER_HASH, flipped).is_err());
    }
    json!({
        "header_hash": hex(HEADER_HASH),
        "manifest": hex(key.open_manifest(&HEADER_HASH, manifest.to_vec()).unwrap().as_slice()),
        "sealed_manifest": hex(manifest),
        "preview": hex(key.open_preview(&HEADER_HASH, preview.to_vec()).unwrap()),
        "sealed_preview": hex(preview),
    })
}

#[test]
fn wrap() {
    let (bundle_id, bytes) = drawn(3);
    let fresh = FreshBundleKey::generate(&mut rng(3));
    assert_eq!(fresh.bundle_id(), bundle_id);
    let (key, sealed) = fresh.seal(&HEADER_HASH, b"a manifest".to_vec(), Some(b"{\"summary\":\"x\"}".to_vec()));
    let identity_key = ann().0.identity.public();
    let (ben, ann) = (ben().0, ann().0);
    let to_ben = RecipientKey { kind: WrapKind::User, id: BEN.into(), public_key: ben.encryption.public(), epoch: 1 };
    let for_ben = wrap_for(&mut rng(4), &key, &identity_key, &to_ben).unwrap();
    let own = wrap_own(&key, &identity_key, &ann.owner, ANN, 1);
    let commit = key.commit();
    let bundle = BundleRef { bundle_id: &bundle_id, identity_key: &identity_key, commit: &commit };
    refuse_flips(&for_ben, |wrap| unwrap(&ben.encryption, bundle, wrap).is_ok());
    refuse_flips(&own, |wrap| unwrap_own(&ann.owner, bundle, wrap).is_ok());
    compare(
        "wrap",
        &json!({
            "about": "A bundle key, its derived values, its sealed bodies and two wraps. Any changed byte of a wrap is refused.",
            "suite": SUITE,
            "bundle_id": hex(bundle_id),
            "bundle_key": hex(bytes),
            "sender_identity_key": hex(identity_key),
            "commit": hex(commit),
            "claim_proof": hex(key.claim_proof().as_slice()),
            "claim_check": hex(key.claim_check()),
            "bodies": bodies(&key, &sealed.manifest, &sealed.preview.unwrap()),
            "recipient_private": hex(ben.encryption.expose()),
            "recipient_public": hex(ben.encryption.public()),
            "ephemeral_ikm": hex(ephemeral(4)),
            "wrap": describe(&for_ben, &identity_key, &bundle_id),
            "owner_key": hex(ann.owner.expose()),
            "own_wrap": describe(&own, &identity_key, &bundle_id),
        }),
    );
}
