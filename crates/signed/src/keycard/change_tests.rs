use super::*;

fn device(number: u8, revoked_at: Option<u64>) -> Device {
    Device { id: format!("dev_{number}"), key: [number; 32], kind: DeviceKind::Full, added_at: 1, revoked_at }
}

fn before() -> KeyCard {
    KeyCard {
        user_id: "usr_ann".into(),
        seq: 3,
        previous: Some([9; 32]),
        identity_key: [1; 32],
        encryption_key: [2; 32],
        epoch: 2,
        devices: vec![device(1, None), device(2, None), device(3, Some(5))],
        keyring_version: 1,
        keyring_hash: Some([7; 32]),
        created_at: 6,
    }
}

fn with(devices: Vec<Device>) -> KeyCard {
    KeyCard { devices, ..before() }
}

/// The same with the keys of the next epoch.
fn renewed(devices: Vec<Device>) -> KeyCard {
    KeyCard {
        identity_key: [11; 32],
        encryption_key: [12; 32],
        epoch: 3,
        keyring_version: 2,
        keyring_hash: Some([17; 32]),
        devices,
        ..before()
    }
}

fn change(next: &KeyCard) -> Result<CardChange, Unverified> {
    CardChange::between(&before(), next)
}

#[test]
fn one_device_comes_and_nothing_else_changes() {
    let all = || vec![device(1, None), device(2, None), device(3, Some(5)), device(4, None)];
    assert_eq!(change(&with(all())), Ok(CardChange::Added(device(4, None))));
    let without_old = vec![device(1, None), device(2, None), device(4, None)];
    assert_eq!(change(&with(without_old)), Ok(CardChange::Added(device(4, None))), "a revoked one may go");
    let agent = Device { kind: DeviceKind::Agent, ..device(4, None) };
    let twin = Device { id: "dev_4".into(), ..device(2, None) };
    let back = device(3, None);
    let longer = Device { added_at: 2, ..device(2, None) };
    for (what, devices) in [
        ("two devices", vec![device(1, None), device(2, None), device(4, None), device(5, None)]),
        ("an agent", vec![device(1, None), device(2, None), agent]),
        ("one that is revoked already", vec![device(1, None), device(2, None), device(4, Some(9))]),
        ("the key of another", vec![device(1, None), device(2, None), twin]),
        ("one twice", vec![device(1, None), device(2, None), device(4, None), device(4, None)]),
        ("one came and one is gone", vec![device(1, None), device(4, None)]),
        ("one came and one was revoked", vec![device(1, None), device(2, Some(9)), device(4, None)]),
        ("one came back", vec![device(1, None), device(2, None), back]),
        ("one became another", vec![device(1, None), longer, device(4, None)]),
        ("nothing", before().devices),
    ] {
        assert_eq!(change(&with(devices)), Err(Unverified::Chain), "{what}");
    }
    for (what, next) in [
        ("an epoch", KeyCard { epoch: 3, ..with(all()) }),
        ("an identity key", KeyCard { identity_key: [3; 32], ..with(all()) }),
        ("an encryption key", KeyCard { encryption_key: [3; 32], ..with(all()) }),
        ("a keyring", KeyCard { keyring_version: 2, ..with(all()) }),
        ("a keyring's hash", KeyCard { keyring_hash: Some([8; 32]), ..with(all()) }),
    ] {
        assert_eq!(change(&next), Err(Unverified::Chain), "{what}");
    }
}

#[test]
fn devices_are_revoked_together_with_all_keys() {
    let one_left = || vec![device(1, None), device(2, Some(9)), device(3, Some(5))];
    assert_eq!(change(&renewed(one_left())), Ok(CardChange::Renewed(vec![device(2, Some(9))])));
    for (what, next) in [
        ("the old keys", with(one_left())),
        ("nobody", renewed(before().devices)),
        ("everybody", renewed(vec![device(1, Some(9)), device(2, Some(9))])),
        ("one who is only gone", renewed(vec![device(1, None)])),
        ("one, and another came", renewed([one_left(), vec![device(4, None)]].concat())),
        ("an epoch was left out", KeyCard { epoch: 4, ..renewed(one_left()) }),
        ("the old identity", KeyCard { identity_key: [1; 32], ..renewed(one_left()) }),
        ("the old encryption key", KeyCard { encryption_key: [2; 32], ..renewed(one_left()) }),
        ("the old keyring", KeyCard { keyring_version: 1, ..renewed(one_left()) }),
        ("no keyring", KeyCard { keyring_hash: None, ..renewed(one_left()) }),
    ] {
        assert_eq!(change(&next), Err(Unverified::Chain), "{what}");
    }
}
