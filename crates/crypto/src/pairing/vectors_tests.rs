//! pairing.json, pairing_code.json, pairing_refused.json: every value of four exchanges, codes and links as people type them,
//! and what must be refused. These tests are here because keys are shown to no other crate.

use hkdf::Hkdf;
use rand_chacha::rand_core::Rng as _;
use segue_signed::sha256;
use serde_json::{Value, json};
use sha2::Sha512;

use super::{
    cpace::{Exchange, tests as parts},
    file::{compare, hex},
    hello::SOURCE_LABEL,
    message::{Message, frame},
    schedule::Schedule,
    *,
};
use crate::device::DeviceKey;

#[path = "vectors_refused_tests.rs"]
mod refused;

const SERVER_ID: [u8; 16] = [0x5e; 16];
const HID: [u8; 16] = [0x1d; 16];
const SOURCE_SEED: [u8; 32] = [0x51; 32];
const DESTINATION_SEED: [u8; 32] = [0xd5; 32];
const USER: &str = "usr_0000000000000000000000000a";
const DEVICE: &str = "dev_0000000000000000000000000b";
const HEAD: [u8; 32] = [0x4e; 32];

/// ChaCha20 of a number: what it draws is written into the file, the generator is not part of the protocol.
fn rng(seed: u64) -> rand_chacha::ChaCha20Rng {
    flow_tests::rng(seed)
}

/// One exchange: what is drawn, and by whom.
struct Case {
    purpose: Purpose,
    method: Method,
    /// Whether both devices are of one account and sign.
    same_account: bool,
    size_class: SizeClass,
    seed: u64,
}

const CASES: [Case; 4] = [
    Case {
        purpose: Purpose::Handoff,
        method: Method::Code,
        same_account: true,
        size_class: SizeClass::Small,
        seed: 10,
    },
    Case {
        purpose: Purpose::Handoff,
        method: Method::Link,
        same_account: false,
        size_class: SizeClass::Large,
        seed: 20,
    },
    Case { purpose: Purpose::Link, method: Method::Code, same_account: false, size_class: SizeClass::Small, seed: 30 },
    Case { purpose: Purpose::Link, method: Method::Link, same_account: false, size_class: SizeClass::Medium, seed: 40 },
];

impl Case {
    fn place(&self) -> Place {
        Place { purpose: self.purpose, server_id: SERVER_ID, hid: HID }
    }

    fn source(&self) -> Source {
        Source::new(&mut rng(self.seed), self.place(), self.size_class, 300)
    }

    fn answer(&self, source: &Source) -> (Answer, Answered) {
        let key = DeviceKey::from_bytes(&DESTINATION_SEED);
        let account = self.same_account.then_some((USER, DEVICE, &key));
        let introduction = Introduction { name: "Kim’s phone", kind: ClientKind::Web, account };
        let (offer, secret) = self.offer_and_secret(source);
        Destination::new(self.place()).answer(&mut rng(self.seed + 1), &secret, &offer, &introduction).unwrap()
    }

    fn offer_and_secret(&self, source: &Source) -> (Offer, PairingSecret) {
        (flow_tests::offer(source, self.method), flow_tests::typed(source, self.method))
    }

    fn signer(&self) -> Option<DeviceKey> {
        self.same_account.then(|| DeviceKey::from_bytes(&SOURCE_SEED))
    }

    /// The 64 bytes that became the source's scalar, found again among what the generator gave.
    fn source_wide(&self, nonce: &[u8; 16]) -> [u8; 64] {
        let mut drawn = [0; 7 + 16 + 2 * (16 + 64)];
        let mut at = rng(self.seed);
        let (code, rest) = drawn.split_at_mut(7);
        at.fill_bytes(code);
        let (link, rest) = rest.split_at_mut(16);
        at.fill_bytes(link);
        for offer in rest.chunks_mut(80) {
            let (nonce, wide) = offer.split_at_mut(16);
            at.fill_bytes(nonce);
            at.fill_bytes(wide);
        }
        let offers = rest.chunks(80).find(|offer| offer.starts_with(nonce)).unwrap();
        offers[16..].try_into().unwrap()
    }

    fn destination_wide(&self) -> [u8; 64] {
        let (mut nonce, mut wide, mut at) = ([0; 16], [0; 64], rng(self.seed + 1));
        at.fill_bytes(&mut nonce);
        at.fill_bytes(&mut wide);
        wide
    }
}

/// Everything between the code and the keys, computed again from what was drawn.
fn exchange(case: &Case, offer: &Offer, secret: &PairingSecret, answer: &Answer) -> (Value, Schedule) {
    let (prs, ci, sid) = (secret.password(), case.place().channel(case.method), offer.session_id());
    let (source_wide, destination_wide) = (case.source_wide(&offer.nonce), case.destination_wide());
    let ours = parts::from_wide(&source_wide, &prs, &ci, &sid);
    let theirs = parts::from_wide(&destination_wide, &prs, &ci, &sid);
    assert_eq!((ours.share(), theirs.share()), (&offer.share, &answer.share));
    let [generator, source_scalar, k] = parts::shown(&prs, &ci, &sid, &ours, theirs.share());
    let [_, destination_scalar, same_k] = parts::shown(&prs, &ci, &sid, &theirs, ours.share());
    assert_eq!(k, same_k);
    let (ada, adb) = (offer.associated_data(), answer.associated_data());
    let public = Exchange { sid: &sid, ya: &offer.share, ada: &ada, yb: &answer.share, adb: &adb };
    let isk = ours.shared_secret(theirs.share(), public).unwrap();
    let schedule = Schedule::derive(case.purpose, &ci, public, &isk);
    let (prk, _) = Hkdf::<Sha512>::extract(Some(&schedule.th), isk.as_slice());
    let value = json!({
        "prs": hex(&*prs),
        "ci": hex(&ci),
        "sid": hex(&sid),
        "generator": hex(generator),
        "source_wide": hex(source_wide),
        "ya": hex(source_scalar),
        "share_a": hex(offer.share),
        "ad_a": hex(&ada),
        "destination_wide": hex(destination_wide),
        "yb": hex(destination_scalar),
        "share_b": hex(answer.share),
        "ad_b": hex(&adb),
        "k": hex(k),
        "isk": hex(isk.as_slice()),
        "mac_key": hex(parts::mac_key(&schedule.mac)),
        "tag_a": hex(schedule.mac.tag(&offer.share, &ada)),
        "tag_b": hex(answer.tag),
        "th": hex(schedule.th),
        "prk": hex(prk),
        "key_sd": hex(*schedule.sd),
        "key_ds": hex(*schedule.ds),
        "key_back": hex(*schedule.back),
        "sas": schedule.sas(),
    });
    (value, schedule)
}

/// Long sealed bytes: whole in the first case, by their hash in the others.
fn long(case: &Case, bytes: &[u8]) -> Value {
    if case.same_account { json!(hex(bytes)) } else { json!({ "bytes": bytes.len(), "sha256": hex(sha256(bytes)) }) }
}

fn describe(case: &Case) -> Value {
    let source = case.source();
    let (offer, secret) = case.offer_and_secret(&source);
    let nameplate = Nameplate::from_number(0x1_2345);
    let (code, fragment) = (source.code(nameplate), source.fragment(nameplate));
    let (answer, answered) = case.answer(&source);
    let (values, schedule) = exchange(case, &offer, &secret, &answer);
    let hello = Message::Hello.open(&schedule.ds, &schedule.th, &answer.hello).unwrap();
    let confirmed = flow_tests::confirmed(source, &answer);
    assert_eq!((confirmed.sas(), answered.sas()), (schedule.sas(), schedule.sas()));
    let view = "the view: {\"head\":1}";
    let signer = case.signer();
    let (release, released) = confirmed.approved_by_person().release(view.as_bytes(), signer.as_ref()).unwrap();
    let signature = signer.as_ref().map(|key| key.sign(SOURCE_LABEL, &schedule.th));
    let framed = frame(case.size_class, view.as_bytes(), signature.as_ref()).unwrap();
    assert_eq!(release.view, Message::View.seal(&schedule.sd, &schedule.th, &framed));
    let (acknowledgement, sealer) = answered.receive(&release).unwrap().acknowledge(&HEAD);
    let returned = sealer.seal(SizeClass::Small, b"back").unwrap();
    let (head, opener) = (released.acknowledged(&acknowledgement).unwrap(), released.return_opener());
    assert_eq!((head, opener.open(&returned).unwrap().as_slice()), (HEAD, &b"back"[..]));
    json!({
        "purpose": case.purpose.as_str(),
        "method": case.method.as_str(),
        "server_id": hex(SERVER_ID),
        "hid": hex(HID),
        "attempt": offer.attempt,
        "nonce_a": hex(offer.nonce),
        "nonce_b": hex(answer.nonce),
        "size_class": offer.size_class.number(),
        "lifetime_seconds": offer.lifetime_seconds,
        "nameplate": nameplate.as_str(),
        "code": *code,
        "fragment": *fragment,
        "exchange": values,
        "offer": hex(offer.encode()),
        "hello": {
            "name": "Kim’s phone",
            "kind": "web",
            "user_id": if case.same_account { USER } else { "" },
            "device_id": if case.same_account { DEVICE } else { "" },
            "device_seed": case.same_account.then(|| hex(DESTINATION_SEED)),
            "plain": hex(&*hello),
            "sealed": hex(&answer.hello),
        },
        "answer": hex(answer.encode()),
        "view": {
            "content": view,
            "device_seed": case.same_account.then(|| hex(SOURCE_SEED)),
            "signature": signature.map(hex),
            "plain": { "bytes": framed.len(), "sha256": hex(sha256(&framed)) },
            "sealed": long(case, &release.view),
        },
        "release": long(case, &release.encode()),
        "acknowledgement": { "head": hex(HEAD), "sealed": hex(&acknowledgement) },
        "return": { "content": "back", "size_class": 0, "sealed": long(case, &returned) },
    })
}

#[test]
fn pairing() {
    compare(
        "pairing",
        &json!({
            "about": "Four pairings, every value of them. wide: the 64 random bytes of a scalar. Long bytes are whole in the first \
                      pairing and known by length and SHA-256 in the others. Any changed byte of offer, answer, release, \
                      acknowledgement and return is refused.",
            "pairings": CASES.iter().map(describe).collect::<Vec<_>>(),
        }),
    );
}

fn code(purpose: Purpose, seed: u64, number: u32) -> Value {
    let (secret, nameplate) = (CodeSecret::generate(&mut rng(seed), purpose), Nameplate::from_number(number));
    let shown = secret.show(nameplate);
    let typed = [
        shown.to_lowercase().replace('-', ""),
        format!(" {}\n", shown.replace('-', " \u{2013} ").replace('0', "o").replace('1', "I")),
        shown.replace('-', "_").replace('0', "O").replace('1', "l"),
    ];
    for text in &typed {
        assert_eq!(CodeSecret::parse(purpose, text).unwrap().1.show(nameplate), shown, "{text}");
    }
    let secret = PairingSecret::Code(secret);
    json!({
        "purpose": purpose.as_str(),
        "nameplate": nameplate.as_str(),
        "prs": hex(&*secret.password()),
        "code": *shown,
        "typed": typed,
    })
}

fn refused_code(purpose: Purpose, text: &str) -> Value {
    let why = match CodeSecret::parse(purpose, text).unwrap_err() {
        NotACode::Symbol(_) => "symbol",
        NotACode::Count { .. } => "count",
        NotACode::Typo => "typo",
        NotACode::OtherPurpose(_) => "other_purpose",
        NotACode::TooLong => "too_long",
    };
    json!({ "purpose": purpose.as_str(), "text": text, "why": why })
}

#[test]
fn pairing_code() {
    let (handoff, linking) = (Purpose::Handoff, Purpose::Link);
    let (link, nameplate) = (LinkSecret::generate(&mut rng(70)), Nameplate::from_number(0x5_4321));
    let fragment = link.fragment(nameplate);
    let cut = &fragment[..fragment.len() - 1];
    let refused_links =
        [String::new(), cut.to_owned(), format!("{cut}B"), format!("{}==", *fragment), fragment.replacen('1', "2", 1)];
    for text in &refused_links {
        assert!(LinkSecret::parse(text).is_err(), "{text}");
    }
    let linking_code = CodeSecret::generate(&mut rng(64), linking).show(Nameplate::from_number(5));
    let (wide, long) = ("5\u{3000}ABR5726RT", " ".repeat(65));
    compare(
        "pairing_code",
        &json!({
            "about": "Codes as they are shown and typed; `refused` says why. Links by their fragments.",
            "codes": [
                code(handoff, 60, 0), code(handoff, 61, 0xf_ffff), code(handoff, 62, 0x1_0842),
                code(linking, 63, 0x2_0001), code(linking, 64, 0x0_0400),
            ],
            "refused": [
                refused_code(handoff, ""),
                refused_code(handoff, "5ABR5-726R"),
                refused_code(handoff, "5ABR5-726RTT"),
                refused_code(handoff, "5ABR5-726RU"),
                refused_code(handoff, wide),
                refused_code(handoff, "5ABR5-7\u{131}6RT"),
                refused_code(handoff, "5ABR5-762RT"),
                refused_code(handoff, "5ABR5-726RV"),
                refused_code(handoff, &long),
                refused_code(handoff, &linking_code),
                refused_code(linking, "5ABR5-726RT"),
            ],
            "link": {
                "fragment": *fragment,
                "nameplate": nameplate.as_str(),
                "prs": hex(&*PairingSecret::Link(link).password()),
                "refused": refused_links,
            },
        }),
    );
}

/// A return key as it is stored.
#[test]
fn a_stored_return_key_is_the_key_and_th() {
    let case = &CASES[0];
    let source = case.source();
    let (offer, secret) = case.offer_and_secret(&source);
    let (answer, answered) = case.answer(&source);
    let (_, schedule) = exchange(case, &offer, &secret, &answer);
    let confirmed = flow_tests::confirmed(source, &answer);
    let (release, _) = confirmed.approved_by_person().release(b"view", None).unwrap();
    let (_, sealer) = answered.receive(&release).unwrap().acknowledge(&HEAD);
    let stored = [schedule.back.as_slice(), &schedule.th].concat();
    assert_eq!(sealer.expose().as_slice(), stored);
}
