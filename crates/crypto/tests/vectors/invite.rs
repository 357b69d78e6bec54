//! invite.json: a claim link's secret, what is derived from it, and a proof about a key card.

use segue_crypto::InviteSecret;
use serde_json::json;

use crate::{
    file::{compare, hex},
    people::{BEN, ben, card},
};

#[test]
fn invite() {
    let secret = InviteSecret::from_bytes([0x51; 16]);
    let (bundle_id, (keys, device)) = ([0xb1; 16], ben());
    let card = card(BEN, &keys, &device);
    let proof = secret.proof(&bundle_id, &card);
    assert!(secret.proves(&proof, &bundle_id, &card));
    for byte in 0..proof.len() {
        let mut flipped = proof;
        flipped[byte] ^= 1;
        assert!(!secret.proves(&flipped, &bundle_id, &card), "byte {byte}");
    }
    let mut other = card.clone();
    other.seq += 1;
    assert!(!secret.proves(&proof, &bundle_id, &other), "another card");
    assert!(!secret.proves(&proof, &[0; 16], &card), "another bundle");
    assert!(!InviteSecret::from_bytes([0; 16]).proves(&proof, &bundle_id, &card), "another link");
    let vectors = json!({
        "secret": hex(secret.expose()),
        "id": hex(secret.id()),
        "private_key": hex(secret.encryption().expose()),
        "public_key": hex(secret.encryption().public()),
        "bundle_id": hex(bundle_id),
        "key_card_hash": hex(card.hash()),
        "proof": hex(proof),
    });
    compare("invite", &vectors);
}
