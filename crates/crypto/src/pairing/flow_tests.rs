//! What two honest devices do, from the code to the return.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use segue_signed::{Device, DeviceKind, KeyCard};

use super::*;
use crate::device::DeviceKey;

pub(super) const PLACE: Place = Place { purpose: Purpose::Handoff, server_id: [0x5e; 16], hid: [0x1d; 16] };
pub(super) const STRANGER: Introduction<'static> =
    Introduction { name: "Kim's phone", kind: ClientKind::Web, account: None };

pub(super) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(super) fn source(place: Place) -> Source {
    Source::new(&mut rng(1), place, SizeClass::Small, 300)
}

/// What a person types who sees the source's screen.
pub(super) fn typed(source: &Source, method: Method) -> PairingSecret {
    let nameplate = Nameplate::from_number(0x1_2345);
    match method {
        Method::Code => {
            let purpose = source.offers()[0].purpose;
            PairingSecret::Code(CodeSecret::parse(purpose, &source.code(nameplate)).unwrap().1)
        }
        Method::Link => PairingSecret::Link(LinkSecret::parse(&source.fragment(nameplate)).unwrap().1),
    }
}

pub(super) fn offer(source: &Source, method: Method) -> Offer {
    source.offers().into_iter().find(|offer| offer.method == method).unwrap().clone()
}

pub(super) fn answer(source: &Source, method: Method, introduction: &Introduction<'_>) -> (Answer, Answered) {
    let place = Place { purpose: source.offers()[0].purpose, ..PLACE };
    let secret = typed(source, method);
    Destination::new(place).answer(&mut rng(2), &secret, &offer(source, method), introduction).unwrap()
}

pub(super) fn confirmed(source: Source, answer: &Answer) -> Box<Confirmed> {
    match source.receive(&mut rng(3), answer) {
        Judgement::Confirmed(confirmed) => confirmed,
        Judgement::Refused(_) | Judgement::Burned | Judgement::Stale(_) => panic!("not confirmed"),
    }
}

pub(super) fn card(devices: &[(&str, &DeviceKey, DeviceKind, Option<u64>)]) -> KeyCard {
    let devices = devices.iter().map(|(id, key, kind, revoked_at)| Device {
        id: (*id).to_owned(),
        key: key.public(),
        kind: *kind,
        added_at: 1,
        revoked_at: *revoked_at,
    });
    KeyCard {
        user_id: "usr_ann".into(),
        seq: 1,
        previous: None,
        identity_key: [1; 32],
        encryption_key: [9; 32],
        epoch: 1,
        devices: devices.collect(),
        keyring_version: 0,
        keyring_hash: None,
        created_at: 1,
    }
}

#[test]
fn a_stranger_is_approved_by_a_person_and_everything_arrives() {
    for purpose in [Purpose::Handoff, Purpose::Link] {
        for method in [Method::Code, Method::Link] {
            let source = source(Place { purpose, ..PLACE });
            let (answer, answered) = answer(&source, method, &STRANGER);
            let answer = Answer::parse(&answer.encode()).unwrap();
            let confirmed = confirmed(source, &answer);
            assert_eq!((confirmed.hello().name.as_str(), confirmed.hello().kind), ("Kim's phone", ClientKind::Web));
            assert_eq!(confirmed.sas(), answered.sas());
            assert_eq!(confirmed.sas().len(), 4);
            let confirmed = confirmed.approve_own_device(&card(&[])).unwrap_err();
            let (release, released) = confirmed.approved_by_person().release(b"the view", None).unwrap();
            let release = Release::parse(&release.encode()).unwrap();
            let received = answered.receive(&release).unwrap();
            assert_eq!((received.view(), received.own_source(&card(&[]))), (&b"the view"[..], None));
            let (acknowledgement, sealer) = received.acknowledge(&[7; 32]);
            assert_eq!(released.acknowledged(&acknowledgement), Ok([7; 32]));
            let sealer = ReturnSealer::from_bytes(&sealer.expose());
            let opener = ReturnOpener::from_bytes(&released.return_opener().expose());
            let returned = sealer.seal(SizeClass::Small, b"what was written there").unwrap();
            assert_eq!(opener.open(&returned).unwrap().as_slice(), b"what was written there");
        }
    }
}

#[test]
fn ones_own_devices_need_no_approval_in_either_direction() {
    let (laptop, phone) = (DeviceKey::from_bytes(&[1; 32]), DeviceKey::from_bytes(&[2; 32]));
    let card = card(&[("dev_laptop", &laptop, DeviceKind::Full, None), ("dev_phone", &phone, DeviceKind::Full, None)]);
    let introduction = Introduction { account: Some(("usr_ann", "dev_phone", &phone)), ..STRANGER };
    let source = source(PLACE);
    let (answer, answered) = answer(&source, Method::Code, &introduction);
    let approved = confirmed(source, &answer).approve_own_device(&card).unwrap();
    let (release, _) = approved.release(b"view", Some(&laptop)).unwrap();
    let received = answered.receive(&release).unwrap();
    assert_eq!(received.own_source(&card).unwrap().id, "dev_laptop");
}

#[test]
fn a_view_of_just_the_promised_size_fits_and_one_byte_more_does_not() {
    for (more, fits) in [(0, true), (1, false)] {
        let source = source(PLACE);
        let (answer, answered) = answer(&source, Method::Code, &STRANGER);
        let approved = confirmed(source, &answer).approved_by_person();
        let view = vec![7; approved.room() + more];
        let released = approved.release(&view, Some(&DeviceKey::from_bytes(&[1; 32])));
        assert_eq!(released.is_ok(), fits);
        if let Ok((release, _)) = released {
            assert_eq!(answered.receive(&release).unwrap().view(), view);
        }
    }
}

#[test]
fn a_long_name_is_cut_at_a_character() {
    let name = "é".repeat(101);
    let source = source(PLACE);
    let (answer, _) = answer(&source, Method::Code, &Introduction { name: &name, ..STRANGER });
    assert_eq!(confirmed(source, &answer).hello().name, "é".repeat(100));
    let longest = Introduction {
        name: &"\u{1f600}".repeat(100),
        kind: ClientKind::Cli,
        account: Some((&"u".repeat(64), &"d".repeat(64), &DeviceKey::from_bytes(&[1; 32]))),
    };
    assert!(Answer::parse(&self::answer(&self::source(PLACE), Method::Code, &longest).0.encode()).is_ok());
}

#[test]
fn nothing_secret_is_printed() {
    let source = source(PLACE);
    let secret = typed(&source, Method::Code);
    assert_eq!(format!("{source:?} {secret:?}"), "Source(…) PairingSecret(…)");
}

/// The relay's rules and the clients' are the same number, although neither believes the other.
#[test]
fn clients_count_as_the_relay_does() {
    assert_eq!(GUESSES_MAX, segue_domain::limits::PAIRING_GUESSES_MAX);
}
