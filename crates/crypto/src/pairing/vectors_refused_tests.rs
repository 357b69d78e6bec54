//! pairing_refused.json: what each side must refuse in the first pairing of pairing.json.

use super::*;

type Refusal = (&'static str, Vec<u8>);

/// `bytes` with the first `from` replaced.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// An answer by somebody with this secret and place to a changed offer.
fn answer_to(place: Place, secret: &PairingSecret, offer: &Offer) -> Answer {
    let introduction = Introduction { name: "Mallory", kind: ClientKind::Cli, account: None };
    Destination::new(place).answer(&mut rng(90), secret, offer, &introduction).unwrap().0
}

/// Answers that the source takes for wrong guesses, or for none.
fn answers(case: &Case, source: &Source) -> Vec<Refusal> {
    let ((offer, secret), place) = (case.offer_and_secret(source), case.place());
    let good = case.answer(source).0;
    let wrong = PairingSecret::Code(CodeSecret::generate(&mut rng(91), case.purpose));
    let other = Place { server_id: [0; 16], ..place };
    let other_hid = Place { hid: [0; 16], ..place };
    let linking = Place { purpose: Purpose::Link, ..place };
    let link_secret = flow_tests::typed(source, Method::Link);
    let link_offer = flow_tests::offer(source, Method::Link);
    let as_code = Offer { method: Method::Link, ..offer.clone() };
    let to = |place, offer: Offer| answer_to(place, &secret, &offer);
    let relabelled = |answer: Answer| Answer { method: Method::Code, ..answer };
    let stranger = to(place, offer.clone());
    let changed: Vec<(&'static str, Answer)> = vec![
        ("wrong code", answer_to(place, &wrong, &offer)),
        ("another server", to(other, offer.clone())),
        ("another pairing", to(other_hid, Offer { hid: [0; 16], ..offer.clone() })),
        (
            "another purpose",
            relabelled(answer_to(linking, &link_secret, &Offer { purpose: Purpose::Link, ..as_code.clone() })),
        ),
        ("the link's secret for the code's offer", relabelled(answer_to(place, &link_secret, &as_code))),
        ("the link's offer for the code's", relabelled(answer_to(place, &link_secret, &link_offer))),
        ("another nonce in the offer", to(place, Offer { nonce: [0; 16], ..offer.clone() })),
        ("another lifetime in the offer", to(place, Offer { lifetime_seconds: 900, ..offer.clone() })),
        ("another size class in the offer", to(place, Offer { size_class: SizeClass::Large, ..offer.clone() })),
        ("another share in the offer", to(place, Offer { share: link_offer.share, ..offer.clone() })),
        ("another attempt, renumbered", Answer { attempt: 1, ..to(place, Offer { attempt: 2, ..offer.clone() }) }),
        ("the identity as share", Answer { share: [0; 32], ..good.clone() }),
        ("a share that is no point", Answer { share: [0xff; 32], ..good.clone() }),
        ("the source's own share", Answer { share: offer.share, ..good.clone() }),
        ("another nonce", Answer { nonce: [0; 16], ..good.clone() }),
        ("another tag", Answer { tag: [0; 64], ..good.clone() }),
        ("another exchange's tag", Answer { tag: stranger.tag, ..good.clone() }),
        ("another exchange's hello", Answer { hello: stranger.hello.clone(), ..good.clone() }),
    ];
    let mut answers: Vec<Refusal> = changed.into_iter().map(|(why, answer)| (why, answer.encode())).collect();
    let bytes = good.encode();
    answers.push(("an unknown version", replaced(&bytes, b"\x03dst\x01\x01", b"\x03dst\x01\x02")));
    answers.push(("the source's role", replaced(&bytes, b"\x03dst", b"\x03src")));
    answers.push(("a trailing byte", [&bytes[..], &[0]].concat()));
    answers
}

/// Offers that the destination does not answer: with its own screen, its own code, and the pairing it asked for.
fn offers(good: &Offer) -> Vec<Refusal> {
    let changed = [
        ("another purpose", Offer { purpose: Purpose::Link, ..good.clone() }),
        ("another method", Offer { method: Method::Link, ..good.clone() }),
        ("another pairing", Offer { hid: [0; 16], ..good.clone() }),
        ("the identity as share", Offer { share: [0; 32], ..good.clone() }),
        ("a share that is no point", Offer { share: [0xff; 32], ..good.clone() }),
        ("attempt 0", Offer { attempt: 0, ..good.clone() }),
    ];
    let mut offers: Vec<Refusal> = changed.into_iter().map(|(why, offer)| (why, offer.encode())).collect();
    let bytes = good.encode();
    for (why, from, to) in [
        ("an unknown suite", &b"offer/1\x01\x01"[..], &b"offer/1\x01\x02"[..]),
        ("an unknown label", b"offer/1", b"offer/2"),
        ("an unknown purpose", b"handoff", b"handofg"),
        ("an unknown version", b"\x03src\x01\x01", b"\x03src\x01\x02"),
        ("an unknown size class", b"\x03src\x01\x01\x01\x00", b"\x03src\x01\x01\x01\x03"),
        ("the destination's role", b"\x03src", b"\x03dst"),
    ] {
        offers.push((why, replaced(&bytes, from, to)));
    }
    offers.push(("a trailing byte", [&bytes[..], &[0]].concat()));
    offers
}

#[test]
fn pairing_refused() {
    let case = &CASES[0];
    let source = case.source();
    let (offer, secret) = case.offer_and_secret(&source);
    let (answer, answered) = case.answer(&source);
    let answers = answers(case, &source);
    for (why, bytes) in &answers {
        let taken = Answer::parse(bytes).is_ok_and(|answer| source.judge(&answer).is_some());
        assert!(!taken, "{why}");
    }
    let offers = offers(&offer);
    for (why, bytes) in &offers {
        let mut destination = Destination::new(case.place());
        let introduction = Introduction { name: "", kind: ClientKind::Cli, account: None };
        let answer = Offer::parse(bytes).map(|offer| destination.answer(&mut rng(92), &secret, &offer, &introduction));
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.is_err()), "{why}");
        assert_eq!(destination.tries_left(), TRIES_MAX, "{why}");
    }
    let (_, schedule) = exchange(case, &offer, &secret, &answer);
    let good = source.judge(&answer).unwrap();
    let (release, _) = Box::new(good).approved_by_person().release(b"view", None).unwrap();
    let mut padded = frame(SizeClass::Small, b"view", None).unwrap();
    padded[100] = 1;
    let padded = Message::View.seal(&schedule.sd, &schedule.th, &padded);
    let by_other_type =
        Message::Return.seal(&schedule.sd, &schedule.th, &frame(SizeClass::Small, b"view", None).unwrap());
    let by_other_key = Message::View.seal(&schedule.ds, &schedule.th, &frame(SizeClass::Small, b"view", None).unwrap());
    let larger = Message::View.seal(&schedule.sd, &schedule.th, &frame(SizeClass::Medium, b"view", None).unwrap());
    let releases = [
        ("another tag", Release { tag: [0; 64], ..release.clone() }),
        ("the destination's own tag", Release { tag: answer.tag, ..release.clone() }),
        ("padding that is not zero", Release { view: padded, ..release.clone() }),
        ("sealed as a return", Release { view: by_other_type, ..release.clone() }),
        ("sealed under the destination's key", Release { view: by_other_key, ..release.clone() }),
        ("another size class than the offer's", Release { view: larger, ..release.clone() }),
    ];
    assert!(answered.open(&release).is_ok());
    for (why, release) in &releases {
        assert_eq!(answered.open(release).unwrap_err(), Unconfirmed, "{why}");
    }
    let list = |refusals: &[Refusal], name: &str| -> Vec<Value> {
        refusals.iter().map(|(why, bytes)| json!({ "why": why, name: hex(bytes) })).collect()
    };
    let releases: Vec<Refusal> = releases.iter().map(|(why, release)| (*why, release.encode())).collect();
    compare(
        "pairing_refused",
        &json!({
            "about": "For the first pairing of pairing.json. answers: the source with its first offers takes none. offers: the destination \
                      with that code answers none and uses no try. releases: the destination that sent that answer opens none.",
            "answers": list(&answers, "answer"),
            "offers": list(&offers, "offer"),
            "releases": list(&releases, "release"),
        }),
    );
}
