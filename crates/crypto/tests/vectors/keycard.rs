//! keycard.json: a first card, and the card of the next epoch signed by both identity keys.

use segue_crypto::{DeviceKey, UserRoot};
use segue_signed::{DeviceKind, KeyCard, SignedKeyCard, Unverified};
use serde_json::{Value, json};

use crate::{
    file::{compare, flips, hex},
    people::{ANN, BEN, ann, card, counting},
};

fn describe(signed: &SignedKeyCard) -> Value {
    let card = &signed.card;
    let devices: Vec<_> = card
        .devices
        .iter()
        .map(|device| {
            json!({
                "id": device.id,
                "key": hex(device.key),
                "kind": if device.kind == DeviceKind::Full { "full" } else { "agent" },
                "added_at": device.added_at,
                "revoked_at": device.revoked_at,
            })
        })
        .collect();
    json!({
        "user_id": card.user_id,
        "seq": card.seq,
        "previous": card.previous.map(hex),
        "identity_key": hex(card.identity_key),
        "encryption_key": hex(card.encryption_key),
        "epoch": card.epoch,
        "devices": devices,
        "keyring_version": card.keyring_version,
        "keyring_hash": card.keyring_hash.map(hex),
        "created_at": card.created_at,
        "hash": hex(card.hash()),
        "bytes": hex(signed.encode()),
    })
}

/// Any changed byte is refused: it does not parse, or does not verify.
fn refuse_flips(signed: &SignedKeyCard, previous: Option<&KeyCard>) {
    let bytes = signed.encode();
    assert!(SignedKeyCard::parse(&bytes).unwrap().verify(previous).is_ok());
    for (index, flipped) in flips(&bytes) {
        let accepted = SignedKeyCard::parse(&flipped).is_ok_and(|signed| signed.verify(previous).is_ok());
        assert!(!accepted, "byte {index}");
    }
}

#[test]
fn keycard() {
    let (keys, device) = ann();
    let first = keys.identity.sign_card(card(ANN, &keys, &device));
    refuse_flips(&first, None);

    let next_keys = UserRoot::from_bytes(counting(0x80)).epoch(2);
    let replacement = DeviceKey::from_bytes(&counting(0xa0));
    let next = KeyCard {
        seq: 2,
        previous: Some(first.card.hash()),
        keyring_version: 1,
        keyring_hash: Some([0x11; 32]),
        ..card(ANN, &next_keys, &replacement)
    };
    let next = keys.identity.endorse(next_keys.identity.sign_card(next));
    refuse_flips(&next, Some(&first.card));

    compare(
        "keycard",
        &json!({
            "about": "bytes = card || IK signature [|| old IK signature]; the second card continues the first. Any changed byte is refused.",
            "device_seed": hex(device.expose()),
            "cards": [describe(&first), describe(&next)],
        }),
    );
}

#[test]
fn a_card_continues_the_very_card_before_it() {
    let (keys, device) = ann();
    let before = KeyCard { epoch: 2, keyring_version: 2, ..card(ANN, &keys, &device) };
    let next = || KeyCard { seq: 2, previous: Some(before.hash()), ..before.clone() };
    let verify = |next: KeyCard| keys.identity.sign_card(next).verify(Some(&before)).err();
    assert_eq!(verify(next()), None);
    for (what, wrong) in [
        ("another card before", KeyCard { previous: Some([1; 32]), ..next() }),
        ("none before", KeyCard { previous: None, ..next() }),
        ("the same position", KeyCard { seq: 1, ..next() }),
        ("a position left out", KeyCard { seq: 3, ..next() }),
        ("older keys", KeyCard { epoch: 1, ..next() }),
        ("an older keyring", KeyCard { keyring_version: 1, ..next() }),
        ("another person", KeyCard { user_id: BEN.into(), ..next() }),
    ] {
        assert_eq!(verify(wrong), Some(Unverified::Chain), "{what}");
    }
}
