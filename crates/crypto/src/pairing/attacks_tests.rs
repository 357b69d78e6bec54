//! What a relay, a guesser or a liar tries: everything is refused, by the side that can know.

use segue_signed::DeviceKind;

use super::{
    file::flips,
    flow_tests::{PLACE, STRANGER, answer, card, confirmed, offer, rng, source, typed},
    *,
};
use crate::device::DeviceKey;

fn wrong_secret() -> PairingSecret {
    PairingSecret::Code(CodeSecret::generate(&mut rng(99), Purpose::Handoff))
}

/// Whether `source` would take `answer` for one that knows the secret.
fn takes(source: &Source, answer: &Answer) -> bool {
    source.judge(answer).is_some()
}

fn refused(source: Source, answer: &Answer) -> Option<Source> {
    match source.receive(&mut rng(3), answer) {
        Judgement::Refused(source) => Some(*source),
        Judgement::Burned => None,
        Judgement::Confirmed(_) | Judgement::Stale(_) => panic!("not refused"),
    }
}

#[test]
fn the_third_wrong_code_burns_the_secret() {
    let mut waiting = Some(source(PLACE));
    for attempt in 1..=GUESSES_MAX {
        let source = waiting.take().unwrap();
        assert_eq!(source.attempt(), attempt);
        let offer = offer(&source, Method::Code);
        let mut guesser = Destination::new(PLACE);
        let (answer, _) = guesser.answer(&mut rng(2), &wrong_secret(), &offer, &STRANGER).unwrap();
        waiting = refused(source, &answer);
        assert_eq!(waiting.is_some(), attempt < GUESSES_MAX);
    }
}

#[test]
fn guesses_over_both_methods_count_together_and_the_right_code_works_before_the_last() {
    let source = source(PLACE);
    let wrong_link = PairingSecret::Link(LinkSecret::generate(&mut rng(98)));
    let offer_link = offer(&source, Method::Link);
    let guess = Destination::new(PLACE).answer(&mut rng(2), &wrong_link, &offer_link, &STRANGER).unwrap().0;
    let source = refused(source, &guess).unwrap();
    let offer_code = offer(&source, Method::Code);
    let guess = Destination::new(PLACE).answer(&mut rng(2), &wrong_secret(), &offer_code, &STRANGER).unwrap().0;
    let source = refused(source, &guess).unwrap();
    assert_eq!(source.attempt(), 3);
    let (right, _) = answer(&source, Method::Link, &STRANGER);
    confirmed(source, &right);
}

/// A source that lies gets one guess for each confirmation: there are two, whatever is typed and whatever it offers.
#[test]
fn a_destination_confirms_twice_and_no_more() {
    let mut destination = Destination::new(PLACE);
    for tries_left in [2, 1] {
        assert_eq!(destination.tries_left(), tries_left);
        let offer = offer(&source(PLACE), Method::Code);
        destination.answer(&mut rng(2), &wrong_secret(), &offer, &STRANGER).unwrap();
    }
    let source = source(PLACE);
    let right = typed(&source, Method::Code);
    let third = destination.answer(&mut rng(2), &right, &offer(&source, Method::Code), &STRANGER);
    assert_eq!(third.map(|_| ()).unwrap_err(), Refused::TooManyTries);
}

#[test]
fn an_offer_that_is_not_answered_uses_no_try() {
    let source = source(PLACE);
    let good = offer(&source, Method::Code);
    let secret = typed(&source, Method::Code);
    let mut destination = Destination::new(PLACE);
    for (offer, why) in [
        (Offer { purpose: Purpose::Link, ..good.clone() }, Refused::OtherPurpose),
        (Offer { hid: [0; 16], ..good.clone() }, Refused::OtherPairing),
        (Offer { method: Method::Link, ..good.clone() }, Refused::OtherPairing),
        (Offer { share: [0; 32], ..good.clone() }, Refused::BadShare),
        (Offer { share: [0xff; 32], ..good.clone() }, Refused::BadShare),
    ] {
        assert_eq!(destination.answer(&mut rng(2), &secret, &offer, &STRANGER).map(|_| ()).unwrap_err(), why);
    }
    assert_eq!(destination.tries_left(), TRIES_MAX);
}

/// Whatever the relay changes in an offer that still is one, the source notices.
#[test]
fn every_changed_byte_of_an_offer_is_refused() {
    for method in [Method::Code, Method::Link] {
        let source = source(PLACE);
        let (bytes, secret) = (offer(&source, method).encode(), typed(&source, method));
        let mut answered = 0;
        for (at, changed) in flips(&bytes) {
            let Ok(offer) = Offer::parse(&changed) else { continue };
            let answer = Destination::new(PLACE).answer(&mut rng(2), &secret, &offer, &STRANGER);
            if let Ok((answer, _)) = answer {
                answered += 1;
                assert!(!takes(&source, &answer), "byte {at}");
            }
        }
        assert!(answered > 50, "attempt, nonce, lifetime and some shares get that far: {answered}");
    }
}

#[test]
fn every_changed_byte_of_an_answer_is_refused() {
    for method in [Method::Code, Method::Link] {
        let source = source(PLACE);
        let bytes = answer(&source, method, &STRANGER).0.encode();
        assert!(takes(&source, &Answer::parse(&bytes).unwrap()));
        for (at, changed) in flips(&bytes) {
            let taken = Answer::parse(&changed)
                .is_ok_and(|answer| answer.attempt == source.attempt() && takes(&source, &answer));
            assert!(!taken, "byte {at}");
        }
    }
}

#[test]
fn every_changed_byte_of_a_release_and_of_what_follows_is_refused() {
    let source = source(PLACE);
    let (answer, answered) = answer(&source, Method::Code, &STRANGER);
    let (release, released) = confirmed(source, &answer).approved_by_person().release(b"view", None).unwrap();
    for at in 0..release.tag.len() {
        let mut changed = release.clone();
        changed.tag[at] ^= 1;
        assert_eq!(answered.open(&changed).unwrap_err(), Unconfirmed, "tag byte {at}");
    }
    // One bit in each: AES-GCM either notices all of them or none.
    for at in (0..release.view.len()).step_by(61).chain([release.view.len() - 1]) {
        let mut changed = release.clone();
        changed.view[at] ^= 1;
        assert_eq!(answered.open(&changed).unwrap_err(), Unconfirmed, "view byte {at}");
    }
    for class in [SizeClass::Medium, SizeClass::Large] {
        let other = Release { view: vec![0; class.bytes() + 16], ..release.clone() };
        assert_eq!(answered.open(&other).unwrap_err(), Unconfirmed);
    }
    let received = answered.receive(&release).unwrap();
    let (acknowledgement, sealer) = received.acknowledge(&[7; 32]);
    for (at, changed) in flips(&acknowledgement) {
        assert!(released.acknowledged(&changed).is_err(), "byte {at}");
    }
    assert!(released.acknowledged(&acknowledgement).is_ok(), "after forged ones, too");
    let opener = released.return_opener();
    let mut returned = sealer.seal(SizeClass::Small, b"back").unwrap();
    assert!(opener.open(&returned).is_ok());
    returned[3] ^= 1;
    assert!(opener.open(&returned).is_err());
    assert!(opener.open(&acknowledgement).is_err());
}

/// A message sent back to its sender, under either name, never confirms.
#[test]
fn nothing_reflected_is_taken() {
    let source = source(PLACE);
    let offer = offer(&source, Method::Code);
    let (real, answered) = answer(&source, Method::Code, &STRANGER);
    let own_share = Answer { share: offer.share, ..real.clone() };
    assert!(!takes(&source, &own_share));
    let release = Release { tag: real.tag, view: vec![0; SizeClass::Small.bytes() + 16] };
    assert_eq!(answered.open(&release).unwrap_err(), Unconfirmed, "its own confirmation comes back");
}

/// An answer, or what follows it, belongs to one attempt, one pairing and one server.
#[test]
fn replays_are_refused() {
    let first = source(PLACE);
    let (old, answered) = answer(&first, Method::Code, &STRANGER);
    let guess = Destination::new(PLACE)
        .answer(&mut rng(5), &wrong_secret(), &offer(&first, Method::Code), &STRANGER)
        .unwrap()
        .0;
    let second = refused(first, &guess).unwrap();
    let Judgement::Stale(second) = second.receive(&mut rng(3), &old) else { panic!("an old answer is stale") };
    assert_eq!(second.attempt(), 2, "and costs no guess");
    let renumbered = Answer { attempt: 2, ..old.clone() };
    assert!(!takes(&second, &renumbered));
    let as_link = Answer { method: Method::Link, attempt: 2, ..old };
    assert!(!takes(&second, &as_link));

    let (fresh, waiting) = answer(&second, Method::Code, &STRANGER);
    let (release, released) = confirmed(*second, &fresh).approved_by_person().release(b"view", None).unwrap();
    assert_eq!(answered.open(&release).unwrap_err(), Unconfirmed, "released to another attempt");
    let received = waiting.receive(&release).unwrap();
    assert!(released.acknowledged(&fresh.hello).is_err(), "a hello is no acknowledgement");
    assert!(released.acknowledged(&release.view).is_err(), "a view is no acknowledgement");
    released.acknowledged(&received.acknowledge(&[1; 32]).0).unwrap();
}

/// Two destinations that know the code answer one offer: the source takes one, and the other can open nothing.
#[test]
fn of_two_destinations_one_is_served() {
    let source = source(PLACE);
    let (one, first) = answer(&source, Method::Code, &STRANGER);
    let secret = typed(&source, Method::Code);
    let (_, second) =
        Destination::new(PLACE).answer(&mut rng(77), &secret, &offer(&source, Method::Code), &STRANGER).unwrap();
    assert_ne!(first.sas(), second.sas());
    let (release, _) = confirmed(source, &one).approved_by_person().release(b"view", None).unwrap();
    assert_eq!(second.receive(&release).map(|_| ()).unwrap_err(), Unconfirmed);
    assert!(first.receive(&release).is_ok());
}

#[test]
fn a_source_that_does_not_know_the_code_opens_nothing_and_is_not_believed() {
    let (real, liar) = (source(PLACE), Source::new(&mut rng(50), PLACE, SizeClass::Small, 300));
    let secret = typed(&real, Method::Code);
    let mut destination = Destination::new(PLACE);
    let (answer, _) = destination.answer(&mut rng(2), &secret, &offer(&liar, Method::Code), &STRANGER).unwrap();
    assert!(!takes(&liar, &answer), "so that it never reads the hello");
}

/// A relay that passes one pairing's messages off as another's, or of another server, or of another purpose.
#[test]
fn everything_is_bound_to_its_place() {
    let source = source(PLACE);
    let (offer, secret) = (offer(&source, Method::Code), typed(&source, Method::Code));
    for place in [Place { server_id: [0; 16], ..PLACE }, Place { hid: [0; 16], ..PLACE }] {
        let offer = Offer { hid: place.hid, ..offer.clone() };
        let (answer, _) = Destination::new(place).answer(&mut rng(2), &secret, &offer, &STRANGER).unwrap();
        assert!(!takes(&source, &answer), "{place:?}");
    }
}

/// A person who is told to type a handoff code into "link a device", or to scan its link there, links nothing.
#[test]
fn a_handoff_never_links_a_device() {
    let source = source(PLACE);
    let linking = Place { purpose: Purpose::Link, ..PLACE };
    for method in [Method::Code, Method::Link] {
        let (honest, secret) = (offer(&source, method), typed(&source, method));
        let mut destination = Destination::new(linking);
        let refused = destination.answer(&mut rng(2), &secret, &honest, &STRANGER).map(|_| ());
        assert_eq!(refused.unwrap_err(), Refused::OtherPurpose);
        let lied = Offer { purpose: Purpose::Link, ..honest };
        match destination.answer(&mut rng(2), &secret, &lied, &STRANGER) {
            Err(refused) => assert_eq!((method, refused), (Method::Code, Refused::OtherPurpose)),
            Ok((answer, _)) => assert!(method == Method::Link && !takes(&source, &answer)),
        }
    }
}

/// A code of 25 bits cannot be attacked through a link's offer, nor 128 bits be replaced by 25.
#[test]
fn one_method_is_never_taken_for_the_other() {
    let source = source(PLACE);
    for (method, other) in [(Method::Code, Method::Link), (Method::Link, Method::Code)] {
        let relabelled = Offer { method, ..offer(&source, other) };
        let secret = typed(&source, method);
        let (answer, _) = Destination::new(PLACE).answer(&mut rng(2), &secret, &relabelled, &STRANGER).unwrap();
        assert!(!takes(&source, &answer));
        assert!(!takes(&source, &Answer { method: other, ..answer }));
    }
}

/// A restarted source has other secrets: what was typed before leads nowhere.
#[test]
fn after_a_restart_the_old_code_is_worth_nothing() {
    let (before, after) = (source(PLACE), Source::new(&mut rng(40), PLACE, SizeClass::Small, 300));
    let secret = typed(&before, Method::Code);
    let (answer, _) =
        Destination::new(PLACE).answer(&mut rng(2), &secret, &offer(&after, Method::Code), &STRANGER).unwrap();
    assert!(!takes(&after, &answer));
}

/// SPEC D7: only an active full device of the source's own card goes without approval, and never where a device is added.
#[test]
fn approval_is_skipped_for_ones_own_active_device_only() {
    let [own, other, forged] = [2, 3, 9].map(|seed| DeviceKey::from_bytes(&[seed; 32]));
    let skips = |purpose, introduction: &Introduction<'_>, card: &segue_signed::KeyCard| {
        let source = source(Place { purpose, ..PLACE });
        let (answer, _) = answer(&source, Method::Link, introduction);
        confirmed(source, &answer).approve_own_device(card).is_ok()
    };
    let as_device = |user_id, device_id, key| Introduction { account: Some((user_id, device_id, key)), ..STRANGER };
    let honest = as_device("usr_ann", "dev_b", &own);
    let good = card(&[("dev_a", &other, DeviceKind::Full, None), ("dev_b", &own, DeviceKind::Full, None)]);
    assert!(skips(Purpose::Handoff, &honest, &good));
    assert!(!skips(Purpose::Link, &honest, &good), "linking is always approved");
    assert!(!skips(Purpose::Handoff, &STRANGER, &good));
    assert!(!skips(Purpose::Handoff, &as_device("usr_ben", "dev_b", &own), &good), "another person");
    assert!(!skips(Purpose::Handoff, &as_device("usr_ann", "dev_a", &own), &good), "another device's name");
    assert!(!skips(Purpose::Handoff, &as_device("usr_ann", "dev_b", &forged), &good));
    assert!(!skips(Purpose::Handoff, &honest, &card(&[("dev_b", &own, DeviceKind::Full, Some(5))])), "revoked");
    assert!(!skips(Purpose::Handoff, &honest, &card(&[("dev_b", &own, DeviceKind::Agent, None)])), "an agent");
}

/// A signature of one exchange proves nothing in another, nor in the other role.
#[test]
fn a_device_signature_belongs_to_its_exchange_and_role() {
    let (laptop, phone) = (DeviceKey::from_bytes(&[1; 32]), DeviceKey::from_bytes(&[2; 32]));
    let card = card(&[("dev_l", &laptop, DeviceKind::Full, None), ("dev_p", &phone, DeviceKind::Full, None)]);
    let th = [7; 64];
    for (label, other) in
        [(hello::SOURCE_LABEL, hello::DESTINATION_LABEL), (hello::DESTINATION_LABEL, hello::SOURCE_LABEL)]
    {
        let signature = laptop.sign(label, &th);
        assert_eq!(hello::signer(&card, label, &th, &signature).unwrap().id, "dev_l");
        assert_eq!(hello::signer(&card, other, &th, &signature), None);
        assert_eq!(hello::signer(&card, label, &[8; 64], &signature), None);
    }
}

#[test]
fn a_hello_that_is_half_signed_or_strange_is_refused() {
    use segue_signed::lv::Writer;
    let hello = |name: &str, kind: &str, user: &str, device: &str, signature: &[u8]| {
        let bytes = Writer::default().text(name).text(kind).text(user).text(device).bytes(signature).finish();
        Hello::parse(&bytes).is_ok()
    };
    assert!(hello("", "cli", "", "", &[]) && hello("n", "web", "u", "d", &[1; 64]));
    assert!(!hello("n", "fridge", "", "", &[]));
    assert!(!hello("n", "cli", "u", "", &[1; 64]) && !hello("n", "cli", "", "d", &[1; 64]));
    assert!(!hello("n", "cli", "u", "d", &[]) && !hello("n", "cli", "", "", &[1; 64]));
    assert!(!hello("n", "cli", "u", "d", &[1; 63]) && !hello(&"n".repeat(101), "cli", "", "", &[]));
}
