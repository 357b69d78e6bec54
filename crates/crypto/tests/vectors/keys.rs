//! keys.json: what comes from a user root, a recovery code and an identity key.

use segue_crypto::{EpochKeys, RecoveryCode, UserRoot, fingerprint, recovery::SEALED_ROOT_BYTES, sealing::Unopened};
use segue_signed::keycard::key_fingerprint;
use serde_json::{Value, json};

use crate::{
    file::{compare, flips, hex},
    people::{ANN, counting, rng},
};

fn epoch(keys: &EpochKeys) -> Value {
    json!({
        "epoch": keys.epoch,
        "identity_public": hex(keys.identity.public()),
        "encryption_private": hex(keys.encryption.expose()),
        "encryption_public": hex(keys.encryption.public()),
        "encryption_key_fp": hex(key_fingerprint(&keys.encryption.public())),
        "owner": hex(keys.owner.expose()),
        "keyring": hex(keys.keyring.expose()),
        "fingerprint": fingerprint(ANN, &keys.identity.public()),
    })
}

fn recovery(root: &UserRoot) -> Value {
    let code = RecoveryCode::generate(&mut rng(1));
    let shown = code.expose();
    let typed = format!(" {} ", shown.to_lowercase().replace('-', " ").replace('0', "O").replace('1', "l"));
    assert_eq!(RecoveryCode::parse(&typed).unwrap().expose(), shown);
    let sealed = code.seal_root(&mut rng(2), ANN, 1, root);
    assert_eq!(code.open_root(ANN, 1, &sealed).unwrap().expose(), root.expose());
    for (_, flipped) in flips(&sealed) {
        let flipped: [u8; SEALED_ROOT_BYTES] = flipped.try_into().unwrap();
        assert_eq!(code.open_root(ANN, 1, &flipped).unwrap_err(), Unopened);
    }
    let refused = ["", "0000-0000", "U000-0000-0000-0000-0000-0000-0000-0000", &format!("{}0", *shown)];
    for text in refused {
        assert!(RecoveryCode::parse(text).is_err(), "{text}");
    }
    json!({
        "code": *shown,
        "typed": typed,
        "refused": refused,
        "auth": hex(code.recover_auth().as_slice()),
        "auth_sha256": hex(code.recover_auth_hash()),
        "user_id": ANN,
        "epoch": 1,
        "sealed_root": hex(sealed),
    })
}

#[test]
fn keys() {
    let root = UserRoot::from_bytes(counting(0));
    compare(
        "keys",
        &json!({
            "about": "Keys from a user root, per epoch; the recovery code that seals the same root; fingerprints of user_id.",
            "user_root": hex(root.expose()),
            "user_id": ANN,
            "epochs": [epoch(&root.epoch(1)), epoch(&root.epoch(2))],
            "recovery": recovery(&root),
        }),
    );
}
