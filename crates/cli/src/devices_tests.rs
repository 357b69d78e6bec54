//! What a server can not make a device believe of its account.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use segue_api::Bytes;
use segue_crypto::{DeviceKey, EpochKeys, Keyring, root_wrap::wrap_root};
use segue_signed::{Device, DeviceKind, KeyCard};

use super::*;
use crate::account::NewAccount;

const NAMES: [&str; 3] = ["dev_laptop", "dev_phone", "dev_lost"];

fn root(seed: u8) -> UserRoot {
    UserRoot::from_bytes([seed; 32])
}

fn device_key(place: usize) -> DeviceKey {
    DeviceKey::from_bytes(&[u8::try_from(place).unwrap() + 40; 32])
}

fn devices(lost: Option<u64>) -> Vec<Device> {
    let device = |place: usize| Device {
        id: NAMES[place].into(),
        key: device_key(place).public(),
        kind: DeviceKind::Full,
        added_at: 1,
        revoked_at: lost.filter(|_| place == 2),
    };
    (0..3).map(device).collect()
}

fn first() -> SignedKeyCard {
    let keys = root(1).epoch(1);
    keys.identity.sign_card(KeyCard {
        user_id: "usr_ann".into(),
        seq: 1,
        previous: None,
        identity_key: keys.identity.public(),
        encryption_key: keys.encryption.public(),
        epoch: 1,
        devices: devices(None),
        keyring_version: 0,
        keyring_hash: None,
        created_at: 1,
    })
}

/// The card that the laptop makes when it removes the lost device.
fn renewed(keys: &EpochKeys) -> KeyCard {
    let before = first().card;
    KeyCard {
        seq: 2,
        previous: Some(before.hash()),
        identity_key: keys.identity.public(),
        encryption_key: keys.encryption.public(),
        epoch: 2,
        devices: devices(Some(2)),
        keyring_version: 1,
        keyring_hash: Some([7; 32]),
        ..before
    }
}

fn signed(card: KeyCard) -> SignedKeyCard {
    root(1).epoch(1).identity.endorse(root(2).epoch(2).identity.sign_card(card))
}

/// The phone, which knows the first card.
fn phone(home: &Home) -> Account {
    let account = Account::new(&NewAccount {
        server: &"https://segue.example.com".parse().unwrap(),
        email: "ann@example.com",
        token: &[3; 32],
        root: &root(1),
        device_key: &device_key(1),
        key_card: &first(),
        keyring: &Keyring::default(),
        device_events: 4,
    });
    account.save(home).unwrap();
    account
}

fn wrapped(sealed: &UserRoot, card: &KeyCard, maker: usize, to: usize) -> Bytes {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    wrap_root(&mut rng, sealed, card, &card.devices[to], &device_key(maker)).unwrap().encode().into()
}

fn event(seq: i64) -> DeviceEvent {
    DeviceEvent {
        seq,
        kind: api::REMOVED.into(),
        device_id: NAMES[2].into(),
        name: "lost\u{1b}[2J".into(),
        by_device: NAMES[0].into(),
        by_name: "laptop".into(),
        at: 1,
    }
}

fn page(card: &SignedKeyCard, root_wrap: impl Into<Option<Bytes>>, events: Vec<DeviceEvent>) -> Changes {
    let root_wrap = root_wrap.into();
    Changes { cards: vec![NextCard { key_card: card.encode().into(), root_wrap }], events, keyring: None }
}

#[test]
fn the_new_root_is_taken_from_a_device_of_ones_own_and_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let (mut account, mut followed) = (phone(&home), Followed::default());
    let card = signed(renewed(&root(2).epoch(2)));
    let page = page(&card, wrapped(&root(2), &card.card, 0, 1), vec![event(5)]);
    take(&home, &mut account, &page, &mut followed).unwrap();
    assert_eq!((account.epoch, account.device_events), (2, 5));
    assert_eq!(account.keys().unwrap().identity.public(), root(2).epoch(2).identity.public());
    assert_eq!(
        account.keys_of(1).unwrap().identity.public(),
        root(1).epoch(1).identity.public(),
        "the old ones open what was"
    );
    assert!(account.keys_of(3).is_err());
    let [told] = followed.news.as_slice() else { panic!("{:?}", followed.news) };
    assert!(told.contains("removed lost") && !told.contains('\u{1b}'), "{told}");
}

#[test]
fn what_does_not_follow_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let good = renewed(&root(2).epoch(2));
    let card = signed(good.clone());
    let ours = wrapped(&root(2), &card.card, 0, 1);
    let alone = root(2).epoch(2).identity.sign_card(good.clone());
    let fork = signed(KeyCard { previous: Some([9; 32]), ..good.clone() });
    let more = signed(KeyCard {
        devices: [
            devices(Some(2)),
            vec![Device { id: "dev_x".into(), key: device_key(9).public(), ..devices(None)[0].clone() }],
        ]
        .concat(),
        ..good
    });
    for (what, page) in [
        ("no root", page(&card, None, Vec::new())),
        ("another root than the card's", page(&card, wrapped(&root(3), &card.card, 0, 1), Vec::new())),
        ("a root for another device", page(&card, wrapped(&root(2), &card.card, 0, 0), Vec::new())),
        ("a root by nobody of the account", page(&card, wrapped(&root(2), &card.card, 9, 1), Vec::new())),
        ("a card that the old key did not sign", page(&alone, ours.clone(), Vec::new())),
        ("a fork", page(&fork, wrapped(&root(2), &fork.card, 0, 1), Vec::new())),
        ("a device added beside", page(&more, wrapped(&root(2), &more.card, 0, 1), Vec::new())),
        ("an event out of nowhere", page(&card, ours.clone(), vec![event(i64::MAX)])),
        ("an event again", page(&card, ours, vec![event(4)])),
    ] {
        let (mut account, mut followed) = (phone(&home), Followed::default());
        let refused = take(&home, &mut account, &page, &mut followed).unwrap_err();
        assert_eq!(refused.exit, crate::error::Exit::Verification, "{what}");
        assert_eq!(Account::load(&home).unwrap().epoch, 1, "{what}");
    }
}
