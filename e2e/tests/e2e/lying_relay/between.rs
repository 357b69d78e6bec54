//! A server that plays both sides, with the real protocol and without the code; and peers that have the code and lie about who they
//! are.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use segue_crypto::{
    DeviceKey,
    pairing::{
        ClientKind, CodeSecret, Destination as Guest, Introduction, Judgement, Offer, PairingSecret, Place, Purpose,
        Release, SizeClass, Source as Shower,
    },
};
use segue_e2e::liar::{
    Fate, Passing,
    Side::{Destination, Source},
    Step,
    Way::{Answered, Asked, Event},
};
use serde_json::{Value, json};

use super::{
    MISMATCH, UNVERIFIED,
    scene::{Scene, Waits, both, enter, word},
    works,
};

fn place(passing: &Passing, hid: [u8; 16]) -> Place {
    let server_id = passing.bytes("server_id").and_then(|id| id.try_into().ok()).unwrap_or_default();
    Place { purpose: Purpose::Handoff, server_id, hid }
}

/// To the guest it is a source, to the source a guest; it knows the nameplate and everything that passes.
#[test]
fn a_server_between_the_two_gets_a_guess_from_each_and_no_more() -> Result<()> {
    let scene = Scene::begin()?;
    for releases in [false, true] {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let mut offer = None;
        let (mut shower, found) = (None, Arc::new(Mutex::new(Vec::new())));
        let judged = Arc::clone(&found);
        scene.liar.lie(move |passing| {
            if passing.is(Destination, Step::Lease, Answered) {
                let Ok(real) = Offer::parse(&passing.bytes("offer").unwrap_or_default()) else { return Fate::Pass };
                let own = Shower::new(&mut rng, place(passing, real.hid), SizeClass::Large, real.lifetime_seconds);
                let forged = own.offers()[0].encode();
                offer = Some((place(passing, real.hid), real));
                shower = Some(own);
                passing.set_bytes("offer", &forged);
            }
            if passing.is(Destination, Step::Answer, Asked) {
                let answer = segue_crypto::pairing::Answer::parse(&passing.bytes("answer").unwrap_or_default());
                if let (Some(own), Ok(answer)) = (shower.take(), answer) {
                    let is_right = matches!(own.receive(&mut rng, &answer), Judgement::Confirmed(_));
                    judged.lock().expect("nobody panics").push(is_right);
                }
                if let Some((place, offer)) = &offer {
                    let guess = PairingSecret::Code(CodeSecret::generate(&mut rng, Purpose::Handoff));
                    let name = Introduction { name: "the guest", kind: ClientKind::Cli, account: None };
                    let made = Guest::new(*place).answer(&mut rng, &guess, offer, &name);
                    passing.set_bytes("answer", &made.map(|(answer, _)| answer.encode()).unwrap_or_default());
                }
            }
            if releases && passing.is(Destination, Step::Live, Event) {
                let forged = Release { tag: [5; 64], view: vec![6; SizeClass::Large.bytes() + 16] };
                passing.set_bytes("release", &forged.encode());
                passing.set("refused", false);
            }
            Fate::Pass
        });
        let met = scene.meet(Waits::Source)?;
        let ended = (met.guest.code, word(&met.guest));
        let expected = if releases { UNVERIFIED } else { MISMATCH };
        assert_eq!(ended, (expected.0, expected.1.to_owned()), "{}", met.guest.stderr);
        let said = met.source.events()?;
        assert!(said.iter().any(|event| event["event"] == "wrong_code" && event["attempt"] == 1), "{said:?}");
        assert_eq!(*found.lock().expect("nobody panics"), [false], "its guess at the guest's code");
        scene.holds(&met)?;
    }
    works(&scene)
}

/// Whoever has the code may say what they like about themselves: what counts is who is approved.
#[test]
fn who_has_the_code_is_let_in_by_a_person_alone_whatever_they_call_themselves() -> Result<()> {
    let scene = Scene::begin()?;
    let whoami: Value = scene.ann.json(&["whoami"])?;
    let (user, device) = (segue_e2e::story::id(&whoami, "user_id")?, segue_e2e::story::id(&whoami, "device_id")?);
    let name = "\u{1b}[2J\u{202e}laptop\nReady on “laptop”. ".repeat(5);
    for as_own in [false, true] {
        let mut showing = scene.show()?;
        let code = showing.code()?;
        let (_, secret) = CodeSecret::parse(Purpose::Handoff, &code)?;
        let mut rng = ChaCha20Rng::seed_from_u64(8);
        let key = DeviceKey::generate(&mut rng);
        let (mut offer, account, name) = (None, as_own.then(|| (user.clone(), device.clone())), name.clone());
        scene.liar.lie(move |passing| {
            if passing.is(Destination, Step::Lease, Answered) {
                let real = Offer::parse(&passing.bytes("offer").unwrap_or_default());
                offer = real.ok().map(|real| (place(passing, real.hid), real));
            }
            if let Some((place, offer)) = offer.as_ref().filter(|_| passing.is(Destination, Step::Answer, Asked)) {
                let account = account.as_ref().map(|(user, device)| (user.as_str(), device.as_str(), &key));
                let introduction = Introduction { name: &name, kind: ClientKind::Web, account };
                let secret = PairingSecret::Code(secret.clone());
                let made = Guest::new(*place).answer(&mut rng, &secret, offer, &introduction);
                passing.set_bytes("answer", &made.map(|(answer, _)| answer.encode()).unwrap_or_default());
            }
            Fate::Pass
        });
        let guest = enter(&scene.guest, &code, scene.liar.url())?;
        let met = both(showing, guest, Waits::Source)?;
        let said = met.source.events()?;
        let asked = said.iter().find(|event| event["event"] == "approval");
        assert!(asked.is_some() && said.iter().all(|event| event["event"] != "own_device"), "{said:?}");
        let shown = asked.and_then(|event| event["name"].as_str()).unwrap_or_default();
        assert!(shown.chars().count() <= 60 && !shown.contains(['\n', '\u{1b}', '\u{202e}']), "{shown:?}");
        assert_eq!(word(&met.guest), "verification_failed", "what was released is for who was approved");
        scene.holds(&met)?;
    }
    works(&scene)
}

/// A device that was removed keeps its key, and a server may forget that it was removed.
#[test]
fn a_device_that_was_removed_is_not_let_in_by_itself() -> Result<()> {
    let scene = Scene::begin()?;
    let laptop = scene.machine("laptop")?;
    let device = segue_e2e::story::id(&crate::linking::link(&scene.ann, &laptop, scene.liar.url())?, "device_id")?;
    scene.ann.json(&["devices", "remove", &device, "--yes"])?;
    scene.liar.lie(|passing| {
        passing.as_stranger = passing.side == Destination;
        Fate::Pass
    });
    let mut showing = scene.show()?;
    let mut guest = enter(&laptop, &showing.code()?, scene.liar.url())?;
    showing.until("approval")?;
    assert!(showing.said.iter().all(|event| event["event"] != "own_device"), "{:?}", showing.said);
    showing.type_line("no")?;
    assert_eq!(word(&showing.end()?), "not_approved");
    assert!(guest.until("arrived").is_err());
    assert_eq!(word(&guest.end()?), "not_approved");
    // The server does not hear of it, and nobody is let in all the same.
    scene.liar.lie(|passing| {
        passing.as_stranger = passing.side == Destination;
        if passing.is(Source, Step::Revoke, Asked) { Fate::Say(500, json!({})) } else { Fate::Pass }
    });
    let mut showing = scene.show()?;
    let mut guest = enter(&laptop, &showing.code()?, scene.liar.url())?;
    showing.until("approval")?;
    showing.type_line("no")?;
    assert_eq!(word(&showing.end()?), "not_approved");
    guest.until("waiting")?;
    guest.kill()
}
