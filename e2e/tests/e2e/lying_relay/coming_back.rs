//! A chat that is given back through a server that lies: what came back is opened or nothing is changed, and nobody loses theirs.

use anyhow::{Context as _, Result};
use segue_e2e::{
    liar::{
        Fate,
        Side::{Destination, Source},
        Step,
        Way::{Answered, Asked},
    },
    person::Ran,
    story::id,
};
use serde_json::{Value, json};

use super::{
    changed, on,
    scene::{SESSION, Scene, Waits, error},
};

impl Scene {
    /// Moves the chat to the guest; its id there.
    fn moved(&self) -> Result<String> {
        self.liar.be_honest();
        let met = self.meet(Waits::Nobody)?;
        assert_eq!((met.source.code, met.guest.code), (0, 0), "{}{}", met.source.stderr, met.guest.stderr);
        id(met.guest.events()?.last().context("nothing was said")?, "session_id")
    }

    fn give_back(&self, away: &str) -> Result<Ran> {
        self.guest.run(&["--json", "device", "return", away])
    }

    fn take_back(&self) -> Result<Ran> {
        self.ann.run(&["--json", "--yes", "device", "take-back", SESSION])
    }

    /// The last that it said.
    fn took_back(&self, returned: bool) -> Result<Value> {
        self.liar.be_honest();
        let ran = self.take_back()?;
        let last = ran.events()?.pop().with_context(|| ran.stderr.clone())?;
        assert_eq!((ran.code, last["returned"].as_bool()), (0, Some(returned)), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(self.ann.run(&["resume", SESSION, "--print"])?.code, 0);
        Ok(last)
    }
}

fn is(ran: &Ran, code: i32, word: &str) {
    let error = error(ran);
    assert_eq!((ran.code, error["code"].as_str()), (code, Some(word)), "{}{}", ran.stdout, ran.stderr);
    assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "it does not say what to do: {}", ran.stderr);
}

#[test]
fn a_return_that_is_lost_is_sent_again_and_one_that_was_swallowed_leaves_two_whole_chats() -> Result<()> {
    let scene = Scene::begin()?;
    let away = scene.moved()?;
    scene.liar.lie(on(Destination, Step::Return, Answered, Fate::Cut));
    is(&scene.give_back(&away)?, 6, "unreachable");
    scene.liar.be_honest();
    let again = scene.give_back(&away)?;
    assert_eq!(again.code, 0, "{}", again.stderr);
    scene.took_back(true)?;
    // Swallowed: the guest believes that it was given back.
    let away = scene.moved()?;
    scene.liar.lie(on(Destination, Step::Return, Asked, Fate::Say(200, pairing())));
    let given = scene.give_back(&away)?;
    assert_eq!(given.code, 0, "{}", given.stderr);
    scene.took_back(false)?;
    assert_eq!(scene.guest.run(&["resume", &away, "--print"])?.code, 5, "it was given back");
    scene.guest.json(&["device", "fork", &away])?;
    assert_eq!(scene.guest.run(&["resume", &away, "--print"])?.code, 0, "the guest has all of it");
    Ok(())
}

fn pairing() -> Value {
    json!({"pairing_id": "par_x", "purpose": "handoff", "version": 9, "state": "claimed", "attempt": 1, "server_id": ""})
}

#[test]
fn a_return_that_was_changed_or_is_of_another_pairing_changes_nothing() -> Result<()> {
    let scene = Scene::begin()?;
    let away = scene.moved()?;
    assert_eq!(scene.give_back(&away)?.code, 0);
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = std::sync::Arc::clone(&kept);
    // The first is seen, and not heard of any more: the next take-back gets it again.
    scene.liar.lie(changed(Source, Step::TakeBack, Answered, move |answer| {
        *keep.lock().expect("nobody panics who keeps") = answer.bytes("returned").unwrap_or_default();
        answer.set_bytes("returned", b"none");
    }));
    is(&scene.take_back()?, 9, "verification_failed");
    let sealed = kept.lock().expect("nobody panics who keeps").clone();
    assert!(sealed.len() > 1_000, "something was given back");
    for byte in [0, sealed.len() / 2, sealed.len() - 1] {
        let mut flipped = sealed.clone();
        flipped[byte] ^= 1;
        scene.liar.lie(changed(Source, Step::TakeBack, Answered, move |answer| answer.set_bytes("returned", &flipped)));
        is(&scene.take_back()?, 9, "verification_failed");
    }
    assert_eq!(scene.ann.run(&["resume", SESSION, "--print"])?.code, 5, "nothing was changed: it is still away");
    scene.took_back(true)?;
    // It was received once; said again, it belongs to nothing.
    let again = sealed.clone();
    scene.liar.lie(changed(Source, Step::TakeBack, Answered, move |answer| answer.set_bytes("returned", &again)));
    assert_eq!(scene.take_back()?.code, 4, "it is not away any more");
    // And not to the next pairing of the same chat.
    scene.moved()?;
    scene.liar.lie(changed(Source, Step::TakeBack, Answered, move |answer| answer.set_bytes("returned", &sealed)));
    is(&scene.take_back()?, 9, "verification_failed");
    scene.took_back(false)?;
    Ok(())
}

#[test]
fn a_chat_that_is_said_to_be_back_stays_where_it_is() -> Result<()> {
    let scene = Scene::begin()?;
    let gone = Fate::Say(404, json!({"type": "", "code": "not_found", "title": "No.", "status": 404, "detail": ""}));
    let mut said = pairing();
    said["reason"] = "taken_back".into();
    for (step, fate) in [(Step::Return, gone), (Step::See, Fate::Say(200, said))] {
        let away = scene.moved()?;
        scene.liar.lie(on(Destination, step, Asked, fate));
        is(&scene.give_back(&away)?, 10, "taken_back");
        scene.liar.be_honest();
        assert_eq!(scene.guest.run(&["resume", &away, "--print"])?.code, 0, "the guest goes on with it");
        scene.took_back(false)?;
    }
    // A take-back that the server does not take, and one whose answer is lost.
    let away = scene.moved()?;
    assert_eq!(scene.give_back(&away)?.code, 0);
    scene.liar.lie(on(Source, Step::TakeBack, Answered, Fate::Cut));
    is(&scene.take_back()?, 6, "unreachable");
    scene.took_back(true)?;
    Ok(())
}
