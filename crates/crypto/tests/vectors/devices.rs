//! devices.json: Ann removes one of three devices: the card of the next epoch, the keyring, and the root for who stays.

use rand_chacha::rand_core::Rng as _;
use segue_crypto::{
    DeviceKey, Keyring, KeyringPlace, UserRoot,
    root_wrap::{unwrap_root, wrap_root},
};
use segue_signed::{CardChange, Device, DeviceKind, KeyCard, RootWrap, SUITE, Unverified, lv::Writer, sha256};
use serde_json::{Value, json};

use crate::{
    file::{compare, flips, hex},
    people::{ANN, NOW, ann, counting, rng},
};

const IDS: [&str; 3] =
    ["dev_0000000000000000000000000a", "dev_0000000000000000000000000b", "dev_0000000000000000000000000d"];

/// A full device.
fn device(place: usize, key: &DeviceKey, revoked_at: Option<u64>) -> Device {
    Device { id: IDS[place].into(), key: key.public(), kind: DeviceKind::Full, added_at: NOW - 1000, revoked_at }
}

fn describe(wrap: &RootWrap) -> Value {
    let info = Writer::labelled("segue/rootwrap/1")
        .u8(SUITE)
        .text(&wrap.user_id)
        .u32(wrap.epoch)
        .bytes(&wrap.card_hash)
        .text(&wrap.device_id)
        .bytes(&wrap.device_key)
        .finish();
    let mut ephemeral_ikm = [0; 32];
    rng(9).fill_bytes(&mut ephemeral_ikm);
    json!({
        "device_id": wrap.device_id,
        "device_key": hex(wrap.device_key),
        "signer_key": hex(wrap.signer_key),
        "ephemeral_ikm": hex(ephemeral_ikm),
        "info": hex(info),
        "enc": hex(wrap.enc),
        "ct": hex(wrap.ct),
        "bytes": hex(wrap.encode()),
    })
}

#[test]
fn devices() {
    let (keys, laptop) = ann();
    let (root, next_root) = (UserRoot::from_bytes(counting(0x00)), UserRoot::from_bytes(counting(0x80)));
    let (desktop, lost) = (DeviceKey::from_bytes(&counting(0x60)), DeviceKey::from_bytes(&counting(0xa0)));
    let before = keys.identity.sign_card(KeyCard {
        user_id: ANN.into(),
        seq: 1,
        previous: None,
        identity_key: keys.identity.public(),
        encryption_key: keys.encryption.public(),
        epoch: 1,
        devices: vec![device(0, &laptop, None), device(1, &desktop, None), device(2, &lost, None)],
        keyring_version: 0,
        keyring_hash: None,
        created_at: NOW - 500,
    });

    let mut keyring = Keyring::default();
    keyring.keep(1, root.clone()).unwrap();
    let (next_keys, place) = (next_root.epoch(2), KeyringPlace { user_id: ANN, epoch: 2, version: 1 });
    let sealed = keyring.seal(&mut rng(8), &next_keys.keyring, place);
    for (index, flipped) in flips(&sealed) {
        assert!(Keyring::open(&next_keys.keyring, place, &flipped).is_err(), "byte {index}");
    }

    let next = KeyCard {
        seq: 2,
        previous: Some(before.card.hash()),
        identity_key: next_keys.identity.public(),
        encryption_key: next_keys.encryption.public(),
        epoch: 2,
        devices: vec![device(0, &laptop, None), device(1, &desktop, None), device(2, &lost, Some(NOW))],
        keyring_version: 1,
        keyring_hash: Some(sha256(&sealed)),
        created_at: NOW,
        ..before.card.clone()
    };
    let next = keys.identity.endorse(next_keys.identity.sign_card(next));
    assert!(next.verify(Some(&before.card)).is_ok());
    assert!(matches!(CardChange::between(&before.card, &next.card), Ok(CardChange::Renewed(gone)) if gone.len() == 1));

    let wrap = wrap_root(&mut rng(9), &next_root, &next.card, &next.card.devices[1], &laptop).unwrap();
    let open = |wrap: &RootWrap| {
        wrap.verify(&before.card, &next.card).ok()?;
        unwrap_root(&desktop, &next.card, wrap).ok()
    };
    assert_eq!(open(&wrap).unwrap().expose(), next_root.expose());
    for (index, flipped) in flips(&wrap.encode()) {
        assert!(RootWrap::parse(&flipped).ok().and_then(|wrap| open(&wrap)).is_none(), "byte {index}");
    }

    compare(
        "devices",
        &json!({
            "about": "Ann removes one of three devices: card || IK signature || old IK signature, the sealed keyring, and the new \
                      root for the device that stays, made by the first. Any changed byte of each is refused.",
            "suite": SUITE,
            "user_id": ANN,
            "user_root": hex(root.expose()),
            "next_user_root": hex(next_root.expose()),
            "device_seed": hex(laptop.expose()),
            "staying_device_seed": hex(desktop.expose()),
            "cards": [hex(before.encode()), hex(next.encode())],
            "next_card_hash": hex(next.card.hash()),
            "keyring": {"epoch": 2, "version": 1, "roots": [{"epoch": 1, "root": hex(root.expose())}], "sealed": hex(&sealed)},
            "root_wrap": describe(&wrap),
        }),
    );
}

#[test]
fn a_root_is_believed_from_a_device_of_the_card_before_and_for_one_that_stays() {
    let (keys, laptop) = ann();
    let (desktop, lost) = (DeviceKey::from_bytes(&counting(0x60)), DeviceKey::from_bytes(&counting(0xa0)));
    let root = UserRoot::from_bytes(counting(0x00));
    let before = KeyCard {
        user_id: ANN.into(),
        seq: 1,
        previous: None,
        identity_key: keys.identity.public(),
        encryption_key: keys.encryption.public(),
        epoch: 1,
        devices: vec![device(0, &laptop, None), device(1, &desktop, None), device(2, &lost, Some(NOW))],
        keyring_version: 0,
        keyring_hash: None,
        created_at: NOW,
    };
    let next = KeyCard { seq: 2, ..before.clone() };
    let refused = |to: usize, signer: &DeviceKey, card: &KeyCard| {
        let wrap = wrap_root(&mut rng(1), &root, card, &before.devices[to], signer).unwrap();
        wrap.verify(&before, &next).err()
    };
    assert_eq!(refused(1, &laptop, &next), None);
    assert_eq!(refused(1, &lost, &next), Some(Unverified::Device), "by one that was revoked before");
    assert_eq!(refused(1, &DeviceKey::from_bytes(&counting(1)), &next), Some(Unverified::Device), "by one of nobody's");
    assert_eq!(refused(2, &laptop, &next), Some(Unverified::Device), "for one that was revoked");
    assert_eq!(refused(1, &laptop, &before), Some(Unverified::Identity), "of another card");
    let agent = Device { kind: DeviceKind::Agent, ..before.devices[1].clone() };
    let with_agent = KeyCard { devices: vec![before.devices[0].clone(), agent], ..next.clone() };
    let wrap = wrap_root(&mut rng(1), &root, &with_agent, &with_agent.devices[1], &laptop).unwrap();
    assert_eq!(wrap.verify(&before, &with_agent), Err(Unverified::Device), "for an agent");
}
