use super::*;
use segue_crypto::UserRoot;

/// A card of `user` at a position, under the identity of `seed`; signed by that of `old`, too.
fn card(user: &str, seed: u8, seq: u32, old: Option<u8>) -> SignedKeyCard {
    let keys = |seed: u8| UserRoot::from_bytes([seed; 32]).epoch(1);
    let signed = keys(seed).identity.sign_card(KeyCard {
        user_id: user.into(),
        seq,
        previous: None,
        identity_key: keys(seed).identity.public(),
        encryption_key: keys(seed).encryption.public(),
        epoch: 1,
        devices: Vec::new(),
        keyring_version: 0,
        keyring_hash: None,
        created_at: 0,
    });
    match old {
        Some(old) => keys(old).identity.endorse(signed),
        None => signed,
    }
}

fn met(contacts: &[(&str, SignedKeyCard)]) -> (tempfile::TempDir, Home) {
    let root = tempfile::tempdir().unwrap();
    let home = Home::at(root.path());
    let mut book = Book::load(&home).unwrap();
    for (email, card) in contacts {
        book.contacts.insert((*email).to_owned(), Pin::of(&card.card, 7));
    }
    book.save(&home).unwrap();
    (root, home)
}

fn refusal(home: &Home, email: &str, card: &SignedKeyCard) -> Option<&'static str> {
    check(home, email, card).err().map(|error| error.code)
}

#[test]
fn a_pin_only_moves_forward_under_the_same_identity() {
    let (_root, home) = met(&[("ann@x", card("usr_ann", 1, 2, None))]);
    let fork = card("usr_ann", 1, 2, Some(9));
    assert_eq!(refusal(&home, "ann@x", &fork), None, "the second signature is not part of a card");
    for (what, next, refused) in [
        ("the next", card("usr_ann", 1, 3, None), None),
        ("an older one", card("usr_ann", 1, 1, None), Some("verification_failed")),
        ("another key", card("usr_ann", 2, 3, None), Some("contact_replaced")),
        ("another key, signed by a third", card("usr_ann", 2, 3, Some(3)), Some("contact_replaced")),
        ("another key, signed by the known one", card("usr_ann", 2, 3, Some(1)), Some("contact_renewed")),
        ("the same, at a position that was seen", card("usr_ann", 2, 2, Some(1)), Some("verification_failed")),
        ("another account", card("usr_ben", 1, 3, Some(1)), Some("contact_replaced")),
    ] {
        assert_eq!(refusal(&home, "Ann@x", &next), refused, "{what}");
    }
}

#[test]
fn who_is_known_is_compared_by_address_and_by_account() {
    let (_root, home) = met(&[("ann@x", card("usr_ann", 1, 1, None))]);
    let refused = |email: &str, user: &str, seed| refusal(&home, email, &card(user, seed, 1, None)).is_some();
    assert!(!refused("Ann@x", "usr_ann", 1) && !refused("ann@new", "usr_ann", 1) && !refused("ben@x", "usr_ben", 2));
    assert!(refused("Ann@x", "usr_ann", 2), "another identity key");
    assert!(refused("ann@x", "usr_ben", 2), "another account");
    assert!(refused("ann@new", "usr_ann", 2), "another identity key under another address");
    let mut forged = card("usr_ben", 2, 1, None);
    forged.signature[0] ^= 1;
    assert!(check(&home, "ben@x", &forged).is_err());
}

#[test]
fn a_changed_key_is_noted_and_taken_once_fingerprints_were_compared() {
    let (_root, home) = met(&[("ann@x", card("usr_ann", 1, 1, None)), ("ann@y", card("usr_ann", 1, 1, None))]);
    let next = card("usr_ann", 2, 2, Some(1));
    assert_eq!(refusal(&home, "ann@x", &next), Some("contact_renewed"));
    let noted = Book::load(&home).unwrap();
    assert!(noted.contacts.values().all(|pin| pin.changed.as_ref().is_some_and(|changed| changed.signed_by_known)));
    verify(&home, "Ann@x", &next, "dev_1").unwrap();
    for pin in Book::load(&home).unwrap().contacts.values() {
        assert_eq!((pin.seq, pin.changed.is_none(), pin.first_seen), (2, true, Some(7)));
        assert_eq!(pin.verified.as_ref().map(|verified| verified.by_device.as_str()), Some("dev_1"));
    }
    assert_eq!(refusal(&home, "ann@y", &next), None);
    assert_eq!(refusal(&home, "ann@x", &card("usr_ann", 1, 3, None)), Some("contact_replaced"), "the old key again");
    assert!(verify(&home, "ann@x", &card("usr_ann", 2, 1, None), "dev_1").is_err(), "an older card");
    // A later card of the verified key keeps it verified.
    let later = card("usr_ann", 2, 5, None);
    let options = crate::args::Global::default();
    check(&home, "ann@x", &later).unwrap().pin(&home, &Output::new(&options)).unwrap();
    let pin = Book::load(&home).unwrap().contacts.remove("ann@x").unwrap();
    assert!(pin.seq == 5 && pin.verified.is_some());
}
