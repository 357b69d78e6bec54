//! Attempts that a server miscounts, and guesses that it makes: both sides count by themselves.

use anyhow::Result;
use segue_e2e::liar::{
    Fate, Passing,
    Side::Source,
    Step,
    Way::{Answered, Asked, Event},
};
use segue_signed::pairing::{Answer, Method};
use serde_json::{Value, json};

use super::{
    events,
    scene::{Scene, Waits, error, word},
    works,
};

/// An answer that is well made and from nobody.
fn guess(attempt: u8) -> Vec<u8> {
    let answer =
        Answer { method: Method::Code, attempt, share: [9; 32], nonce: [1; 16], tag: [2; 64], hello: vec![3; 200] };
    answer.encode()
}

/// The right answer, under a number that is not its own; then the end, so that it was surely heard.
#[test]
fn an_answer_under_another_number_is_not_judged() -> Result<()> {
    let scene = Scene::begin()?;
    for attempt in [0, 2, 255] {
        scene.liar.lie(events(Source, move |event| {
            if event.has("answer") {
                event.set("attempt", attempt);
                event.more.push(over(event));
            }
        }));
        let met = scene.meet(Waits::Guest)?;
        let source = (met.source.code, word(&met.source));
        assert_eq!((source, met.guest.code), ((10, "expired".to_owned()), 130), "{attempt}: {}", met.source.stderr);
        let asked = met.source.events()?.into_iter().any(|event| event["event"] == "approval");
        assert!(!asked, "attempt {attempt} was judged");
        scene.holds(&met)?;
    }
    scene.liar.lie(events(Source, |event| {
        if event.has("answer") {
            event.set_bytes("answer", b"segue/pair/answer/1");
        }
    }));
    let met = scene.meet(Waits::Nobody)?;
    let ended = (met.source.code, word(&met.source), met.guest.code, word(&met.guest));
    let expected = (9, "verification_failed".to_owned(), 10, "revoked".to_owned());
    assert_eq!(ended, expected, "what is no answer is no guess, and nobody waits for time to end it");
    let guessed = met.source.events()?.into_iter().any(|event| event["event"] == "wrong_code");
    assert!(!guessed);
    works(&scene)
}

fn over(event: &Passing) -> Value {
    let mut over = event.json();
    over["state"] = "expired".into();
    over
}

/// Whether or not it hears of them, and whatever it says then.
#[test]
fn the_third_guess_burns_the_code_whatever_the_server_says() -> Result<()> {
    for deaf in [Fate::Say(200, json!({})), Fate::Cut] {
        let scene = Scene::begin()?;
        let mut last = None;
        let fate = deaf.clone();
        scene.liar.lie(move |passing| {
            if passing.is(Source, Step::Live, Event) {
                let mut told = passing.json();
                passing.set_bytes("answer", &guess(1));
                for attempt in 2..=9 {
                    told["attempt"] = attempt.into();
                    told["answer"] = data_encoding::BASE64URL_NOPAD.encode(&guess(attempt)).into();
                    passing.more.push(told.clone());
                }
            }
            if passing.is(Source, Step::Issue, Answered) {
                last = Some(passing.json());
            }
            match (&fate, &last) {
                (Fate::Say(..), Some(last)) if passing.is(Source, Step::Refuse, Asked) => Fate::Say(200, last.clone()),
                (Fate::Cut, _) if passing.is(Source, Step::Refuse, Asked) => Fate::Cut,
                _ => Fate::Pass,
            }
        });
        let mut showing = scene.show()?;
        showing.until("issued")?;
        let said = showing.until("wrong_code")?;
        assert_eq!((said["attempt"].as_u64(), said["of"].as_u64()), (Some(1), Some(3)));
        if deaf == Fate::Cut {
            // The first that cannot be told to the server ends the code: its next offers are known to nobody.
            let ended = showing.end()?;
            assert_eq!((ended.code, error(&ended)["code"].as_str()), (6, Some("unreachable")), "{}", ended.stderr);
            continue;
        }
        assert_eq!(showing.until("wrong_code")?["attempt"], 2);
        assert_eq!(showing.until("wrong_code")?["attempt"], 3);
        let ended = showing.end()?;
        assert_eq!((ended.code, error(&ended)["code"].as_str()), (10, Some("too_many_guesses")), "{}", ended.stderr);
    }
    Ok(())
}
