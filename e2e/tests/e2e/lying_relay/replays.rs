//! What was said before, said again; and what belongs to another pairing.

use std::{
    collections::HashMap,
    sync::{Arc, Barrier, Mutex},
};

use anyhow::Result;
use segue_e2e::liar::{
    Fate, Passing,
    Side::{Destination, Source},
    Step,
    Way::{Answered, Asked, Event},
};
use serde_json::Value;

use super::{
    Case, LEFT, Lie, MISMATCH, STOPPED, UNVERIFIED, WELL, changed, events,
    scene::{Scene, Waits, both, both_beside, enter, word},
    tell, works,
};

/// Every event of a stream is told twice, and all earlier ones behind it, the newest first.
#[test]
fn events_that_come_twice_late_or_out_of_order_change_nothing() -> Result<()> {
    let scene = Scene::begin()?;
    let mut told: HashMap<bool, Vec<Value>> = HashMap::new();
    scene.liar.lie(move |passing| {
        if passing.step == Step::Live && passing.way == Event {
            let before = told.entry(passing.side == Source).or_default();
            before.push(passing.json());
            passing.more = before.iter().rev().cloned().collect();
        }
        Fate::Pass
    });
    let met = scene.meet(Waits::Nobody)?;
    assert_eq!((met.source.code, met.guest.code), (0, 0), "{}{}", met.source.stderr, met.guest.stderr);
    let approvals = met.source.events()?.iter().filter(|event| event["event"] == "approval").count();
    assert_eq!(approvals, 1, "one answer is judged once");
    scene.holds(&met)
}

/// What passed in another pairing, by what it is.
type Kept = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// Keeps what the other side is told, field by field.
fn keep(kept: &Kept) -> Lie {
    let kept = Arc::clone(kept);
    Box::new(move |passing| {
        let mut kept = kept.lock().expect("nobody panics who keeps");
        for field in ["offer", "answer", "release", "acknowledgement"] {
            if let Some(bytes) = passing.bytes(field) {
                kept.insert(field.to_owned(), bytes);
            }
        }
        if passing.way == Answered && matches!(passing.step, Step::Bundle | Step::Manifest | Step::Pack) {
            kept.insert(format!("{:?}", passing.step), passing.body.clone());
        }
        Fate::Pass
    })
}

/// A server that has seen one pairing to its end gives parts of it to the next.
#[test]
fn nothing_of_another_pairing_is_taken_for_this_one() -> Result<()> {
    let scene = Scene::begin()?;
    let (kept, other) = (Kept::default(), scene.another_chat()?);
    scene.liar.lie(keep(&kept));
    let mut showing = scene.show_this(&other)?;
    let guest = enter(&scene.guest, &showing.code()?, scene.liar.url())?;
    both(showing, guest, Waits::Nobody)?.ended("another pairing", WELL, WELL);
    scene.ann.json(&["device", "take-back", &other])?;
    let kept = kept.lock().expect("nobody panics who keeps").clone();
    let other = |what: &str| kept[what].clone();
    let event = |side, field: &'static str, waits, source, guest| {
        let bytes = other(field);
        let lie = events(side, move |event| {
            if event.has(field) {
                event.set_bytes(field, &bytes);
            }
        });
        Case::new(format!("the {field} of another pairing"), lie, waits, source, guest)
    };
    let body = |step| {
        let bytes = other(&format!("{step:?}"));
        let lie = changed(Destination, step, Answered, move |answer| answer.body.clone_from(&bytes));
        Case::new(format!("the {step:?} of another pairing"), lie, Waits::Nobody, (10, "not_taken"), UNVERIFIED)
    };
    let offer = other("offer");
    tell(
        &scene,
        vec![
            Case::new(
                "the offer of another pairing",
                changed(Destination, Step::Lease, Answered, move |answer| answer.set_bytes("offer", &offer)),
                Waits::Source,
                STOPPED,
                UNVERIFIED,
            ),
            event(Source, "answer", Waits::Source, STOPPED, MISMATCH),
            event(Destination, "release", Waits::Delivering, LEFT, UNVERIFIED),
            event(Source, "acknowledgement", Waits::Nobody, (10, "not_taken"), WELL),
            body(Step::Bundle),
            body(Step::Manifest),
            body(Step::Pack),
        ],
    )
}

/// The answer and the offer of the first attempt, said again at the second.
#[test]
fn nothing_of_an_earlier_attempt_is_taken_for_the_next() -> Result<()> {
    let scene = Scene::begin()?;
    for (number, renumbered) in [(1, false), (2, true)] {
        let mut first: Option<Vec<u8>> = None;
        scene.liar.lie(events(Source, move |event| {
            let Some(answer) = event.bytes("answer") else { return };
            let first = first.get_or_insert(answer);
            if event.json()["attempt"] == 2 {
                if renumbered && let Ok(mut again) = segue_signed::pairing::Answer::parse(first) {
                    again.attempt = 2;
                    *first = again.encode();
                }
                event.set_bytes("answer", first);
                let mut over = event.json();
                over["state"] = "expired".into();
                over["answer"] = Value::Null;
                event.more.push(over);
            }
        }));
        let mut showing = scene.show()?;
        let code = showing.code()?;
        let wrong = crate::device::wrong(&code, 1);
        let ran = enter(&scene.guest, &wrong, scene.liar.url())?.end()?;
        assert_eq!(ran.code, 9, "{}", ran.stderr);
        assert_eq!(showing.until("wrong_code")?["attempt"], 1);
        let met = both(
            showing,
            enter(&scene.guest, &code, scene.liar.url())?,
            if renumbered { Waits::Nobody } else { Waits::Guest },
        )?;
        let ended = ((met.source.code, word(&met.source)), met.guest.code);
        assert_eq!(ended, ((10, "expired".to_owned()), if renumbered { 9 } else { 130 }), "{}", met.source.stderr);
        let guesses = met.source.events()?.iter().filter(|event| event["event"] == "wrong_code").count();
        assert_eq!(guesses, number, "an answer to replaced offers is no guess, one to these offers is");
        scene.holds(&met)?;
    }
    let mut first: Option<Vec<u8>> = None;
    scene.liar.lie(changed(Destination, Step::Lease, Answered, move |lease| {
        let offer = lease.bytes("offer").unwrap_or_default();
        lease.set_bytes("offer", first.get_or_insert(offer));
    }));
    let mut showing = scene.show()?;
    let code = showing.code()?;
    assert_eq!(enter(&scene.guest, &crate::device::wrong(&code, 1), scene.liar.url())?.end()?.code, 9);
    let met = both(showing, enter(&scene.guest, &code, scene.liar.url())?, Waits::Source)?;
    assert_eq!((met.source.code, met.guest.code, word(&met.guest)), (130, 5, "conflict".to_owned()));
    scene.holds(&met)?;
    works(&scene)
}

/// Two chats are shown at once, and each guest is led to the other's.
#[test]
fn two_codes_that_are_shown_at_once_are_not_taken_for_each_other() -> Result<()> {
    let scene = Scene::begin()?;
    let other = scene.another_chat()?;
    for swapped in ["nameplates", "offers", "answers", "releases"] {
        scene.liar.be_honest();
        let mut sources = [scene.show()?, scene.show_this(&other)?];
        let codes = [sources[0].code()?, sources[1].code()?];
        let mut ids: Vec<String> = Vec::new();
        for source in &sources {
            ids.push(segue_e2e::story::id(&source.said[0], "pairing_id")?);
        }
        scene.liar.lie(swap(swapped, &codes, ids));
        let guests = [
            enter(&scene.guest, &codes[0], scene.liar.url())?,
            enter(&scene.machine("guest-two")?, &codes[1], scene.liar.url())?,
        ];
        let waits = if swapped == "releases" { Waits::Delivering } else { Waits::Source };
        let together = Barrier::new(2);
        let met: Vec<_> = std::thread::scope(|scope| {
            let pairs: Vec<_> = sources
                .into_iter()
                .zip(guests)
                .map(|(source, guest)| scope.spawn(|| both_beside(source, guest, waits, &together)))
                .collect();
            pairs.into_iter().map(|pair| pair.join().expect("watching does not panic")).collect::<Result<_>>()
        })?;
        for met in &met {
            let expected = match swapped {
                "nameplates" | "answers" => (MISMATCH, STOPPED),
                "offers" => (UNVERIFIED, STOPPED),
                _ => (UNVERIFIED, LEFT),
            };
            met.ended(swapped, expected.1, expected.0);
        }
        if swapped == "releases" {
            scene.liar.be_honest();
            scene.ann.json(&["device", "take-back", &other])?;
        }
        scene.holds(&met[0])?;
    }
    works(&scene)
}

fn swap(what: &'static str, codes: &[String; 2], ids: Vec<String>) -> Lie {
    let nameplates = codes.clone().map(|code| code[..4].to_owned());
    let kept: Kept = Kept::default();
    Box::new(move |passing: &mut Passing| {
        let which = ids.iter().position(|id| passing.path.contains(id.as_str()));
        match what {
            "nameplates" if passing.is(Destination, Step::Lease, Asked) => {
                let own = passing.json()["nameplate"] == nameplates[0].as_str();
                passing.set("nameplate", nameplates[usize::from(own)].as_str());
            }
            "offers" if passing.is(Destination, Step::Lease, Answered) => {
                let own = passing.json()["pairing_id"] == ids[0].as_str();
                let other = segue_signed::pairing::Offer::parse(&passing.bytes("offer").unwrap_or_default());
                if let Ok(mut offer) = other {
                    let id: Result<segue_domain::PairingId, _> = ids[usize::from(own)].parse();
                    offer.hid = id.map_or([0; 16], |id| *id.as_bytes());
                    passing.set_bytes("offer", &offer.encode());
                }
            }
            "answers" | "releases" if passing.step == Step::Live && passing.way == Event => {
                let (side, field) = if what == "answers" { (Source, "answer") } else { (Destination, "release") };
                let (Some(which), Some(own)) = (which, passing.bytes(field)) else { return Fate::Pass };
                if passing.side == side {
                    let mut kept = kept.lock().expect("nobody panics who keeps");
                    kept.insert(which.to_string(), own.clone());
                    // The first to come is given its own with another end; the second what the first was due.
                    let mut other = kept.get(&(1 - which).to_string()).cloned().unwrap_or(own);
                    if let Some(last) = other.last_mut().filter(|_| kept.len() == 1) {
                        *last ^= 1;
                    }
                    passing.set_bytes(field, &other);
                }
            }
            _ => {}
        }
        Fate::Pass
    })
}
