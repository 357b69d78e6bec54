//! What a server says of a pairing that is not so, and texts that would deceive a terminal.

use anyhow::Result;
use segue_e2e::liar::{
    Fate, Passing,
    Side::{Destination, Source},
    Step,
    Way::{Answered, Asked, Event},
};
use serde_json::{Value, json};

use super::{
    Case, LEFT, Lie, MISMATCH, STOPPED, UNVERIFIED, WELL, changed, events, on,
    scene::{SESSION, Scene, Waits, enter, error, unreadable},
    tell,
};

const GONE: &str = "\u{1b}[2J\u{202e}gone\nready";

fn said(state: &'static str, reason: Option<&'static str>) -> impl FnMut(&mut Passing) + Send + 'static {
    move |event| {
        event.set("state", state);
        event.set("reason", reason);
    }
}

/// Before anybody was let in.
#[test]
fn a_code_that_is_said_to_be_over_is_over_and_nothing_was_given_away() -> Result<()> {
    let scene = Scene::begin()?;
    let source = |state, reason, ended| {
        Case::new(
            format!("the source hears {state} {reason:?}"),
            events(Source, said(state, reason)),
            Waits::Guest,
            ended,
            LEFT,
        )
    };
    let guest = |state, reason, ended| {
        Case::new(
            format!("the guest hears {state} {reason:?}"),
            events(Destination, said(state, reason)),
            Waits::Delivering,
            LEFT,
            ended,
        )
    };
    tell(
        &scene,
        vec![
            source("claimed", Some("delivering"), UNVERIFIED),
            source("claimed", Some("completed"), UNVERIFIED),
            source("revoked", Some("too_many_guesses"), (10, "too_many_guesses")),
            source("revoked", Some(GONE), (10, "revoked")),
            source("expired", Some("unclaimed"), (10, "expired")),
            source(GONE, None, (10, "revoked")),
            guest("claimed", Some("taken"), (5, "already_claimed")),
            guest("claimed", Some("taken_back"), (10, "taken_back")),
            guest("revoked", Some("not_approved"), (10, "not_approved")),
            guest("expired", Some("unanswered"), (10, "expired")),
            guest(GONE, Some(GONE), (10, "revoked")),
            Case::new(
                "the guest hears that it was refused",
                events(Destination, |event| event.set("refused", true)),
                Waits::Delivering,
                LEFT,
                MISMATCH,
            ),
        ],
    )
}

/// Behind the claim. Only the sealed acknowledgement makes the source say "ready there".
#[test]
fn a_delivery_that_is_said_to_be_over_is_taken_back() -> Result<()> {
    let scene = Scene::begin()?;
    let source = |state, reason, word| {
        let lie = events(Source, move |event| {
            if event.json()["state"] == "claimed" {
                event.set("state", state);
                event.set("reason", reason);
                event.set("acknowledgement", Value::Null);
            }
        });
        Case::new(format!("the source hears {state} {reason}"), lie, Waits::Nobody, (10, word), WELL)
    };
    let guest = |reason: &'static str| {
        // It has the view, and is told that nothing follows.
        let lie = events(Destination, move |event| {
            if event.json()["state"] == "claimed" {
                event.set("bundle_ready", false);
                let mut over = event.json();
                over["reason"] = reason.into();
                over["release"] = Value::Null;
                event.more.push(over);
            }
        });
        Case::new(format!("the guest hears {reason}"), lie, Waits::Nobody, (10, "not_taken"), (10, "taken_back"))
    };
    let kept_back = events(Destination, |event| event.set("release", Value::Null));
    tell(
        &scene,
        vec![
            source("claimed", "taken_back", "not_arrived"),
            source("claimed", "lapsed", "not_arrived"),
            source("claimed", "completed", "not_taken"),
            source("revoked", "user", "not_arrived"),
            source("expired", "unclaimed", "not_arrived"),
            guest("taken_back"),
            guest("completed"),
            Case::new("the view is kept back", kept_back, Waits::Delivering, LEFT, UNVERIFIED),
            Case::new(
                "the bundle is said to be there too early",
                Box::new(|passing| {
                    if passing.is(Destination, Step::Live, Event) {
                        passing.set("bundle_ready", true);
                    }
                    if passing.is(Destination, Step::Bundle, Asked) { no_such_thing() } else { Fate::Pass }
                }),
                Waits::Nobody,
                (10, "not_taken"),
                (4, "not_found"),
            ),
        ],
    )
}

fn honest() -> Lie {
    Box::new(|_| Fate::Pass)
}

fn no_such_thing() -> Fate {
    Fate::Say(404, json!({"type": GONE, "code": "not_found", "title": GONE, "status": 404, "detail": ""}))
}

/// What is said of the server and of nameplates; and events that make no sense.
#[test]
fn a_server_that_makes_no_sense_is_not_followed() -> Result<()> {
    let scene = Scene::begin()?;
    let issued = |field: &'static str, value: Value| {
        changed(Source, Step::Issue, Answered, move |answer| answer.set(field, value.clone()))
    };
    let nothing = (0, "");
    tell(
        &scene,
        vec![
            Case::new(
                "the source is told another server",
                changed(Source, Step::Server, Answered, |answer| answer.set_bytes("server_id", &[7; 16])),
                Waits::Source,
                STOPPED,
                MISMATCH,
            ),
            Case::new(
                "the guest is told another server",
                changed(Destination, Step::Lease, Answered, |answer| answer.set_bytes("server_id", &[7; 16])),
                Waits::Source,
                STOPPED,
                MISMATCH,
            ),
            Case::new(
                "no server at all",
                changed(Source, Step::Server, Answered, |answer| answer.set_bytes("server_id", &[7; 15])),
                Waits::Nobody,
                (6, "answer"),
                nothing,
            ),
            Case::new("no nameplate", issued("nameplate", GONE.into()), Waits::Nobody, (6, "answer"), nothing),
            Case::new(
                "another nameplate",
                issued("nameplate", "0000".into()),
                Waits::Source,
                STOPPED,
                (4, "not_found"),
            ),
            Case::new(
                "events that are none, to the source",
                events(Source, |event| event.body = b"{\"state\":\"\x1b[2J\"}".to_vec()),
                Waits::Guest,
                (6, "answer"),
                LEFT,
            ),
            Case::new(
                "events that are none, to the guest",
                events(Destination, |event| event.body = b"{}".to_vec()),
                Waits::Delivering,
                LEFT,
                (6, "answer"),
            ),
        ],
    )
}

/// What was there a moment ago is not found.
#[test]
fn who_is_refused_what_is_theirs_is_told_what_to_do() -> Result<()> {
    let scene = Scene::begin()?;
    tell(
        &scene,
        vec![
            Case::new(
                "no such stream, to the source",
                on(Source, Step::Live, Asked, no_such_thing()),
                Waits::Guest,
                (4, "not_found"),
                LEFT,
            ),
            Case::new(
                "no such stream, to the guest",
                on(Destination, Step::Live, Asked, no_such_thing()),
                Waits::Delivering,
                LEFT,
                (4, "not_found"),
            ),
            Case::new(
                "the lease is refused",
                on(Destination, Step::Lease, Asked, no_such_thing()),
                Waits::Source,
                STOPPED,
                (4, "not_found"),
            ),
            Case::new(
                "the claim is refused",
                on(Source, Step::Claim, Asked, no_such_thing()),
                Waits::Guest,
                (4, "not_found"),
                LEFT,
            ),
            Case::new(
                "the bundle is refused",
                on(Source, Step::Put, Asked, no_such_thing()),
                Waits::Guest,
                (4, "not_found"),
                LEFT,
            ),
        ],
    )
}

/// Both clocks count: a server can make the source's time shorter, not longer, and who never stops talking does not stop it.
#[test]
fn no_server_makes_a_code_live_longer() -> Result<()> {
    let scene = Scene::begin()?;
    scene.liar.lie(|passing| {
        if passing.is(Source, Step::Server, Answered) {
            passing.set("pairing_seconds", u32::MAX);
        }
        if passing.is(Source, Step::Issue, Answered) {
            passing.set("expires_in_ms", i64::MAX);
        }
        Fate::Pass
    });
    let mut showing = scene.show()?;
    assert_eq!(showing.until("issued")?["expires_in_ms"], 900_000);
    showing.kill()?;
    // Its time is over before the first event, and events come for ever.
    scene.liar.lie(|passing| {
        if passing.is(Source, Step::Issue, Answered) {
            passing.set("expires_in_ms", -5_000);
        }
        if passing.is(Source, Step::Live, Event) { Fate::Repeat } else { Fate::Pass }
    });
    let mut showing = scene.show()?;
    showing.until("issued")?;
    let ended = showing.end()?;
    assert_eq!((ended.code, error(&ended)["code"].as_str()), (10, Some("expired")), "{}", ended.stderr);
    Ok(())
}

/// The whole chat is sealed while its view is on its way, and follows it: where that was not taken, nothing leaves.
#[test]
fn nothing_of_a_chat_leaves_before_its_view_was_taken() -> Result<()> {
    let scene = Scene::begin()?;
    for (lie, waits, source, guest, pushes) in [
        (on(Source, Step::Claim, Asked, no_such_thing()), Waits::Guest, (4, "not_found"), LEFT, 0),
        (honest(), Waits::Nobody, WELL, WELL, 1),
    ] {
        scene.liar.lie(lie);
        let met = scene.meet(waits)?;
        met.ended("the view", source, guest);
        assert_eq!(scene.liar.count(Source, Step::Other), pushes);
        scene.holds(&met)?;
    }
    Ok(())
}

/// Moving a chat tells nobody its title, however often it is moved.
#[test]
fn a_chat_that_is_moved_again_is_as_unknown_as_before() -> Result<()> {
    let scene = Scene::begin()?;
    for _ in 0..2 {
        scene.liar.lie(|_| Fate::Pass);
        let met = scene.meet(Waits::Nobody)?;
        assert_eq!((met.source.code, met.guest.code), (0, 0), "{}{}", met.source.stderr, met.guest.stderr);
        unreadable(&scene.liar.bytes())?;
        scene.ann.json(&["device", "take-back", SESSION])?;
    }
    Ok(())
}

/// What a server says of a chat that was moved is one line, however it is written.
#[test]
fn the_status_of_a_chat_cannot_be_written_over() -> Result<()> {
    let scene = Scene::begin()?;
    let mut showing = scene.show()?;
    let guest = enter(&scene.guest, &showing.code()?, scene.liar.url())?;
    let met = super::scene::both(showing, guest, Waits::Nobody)?;
    assert_eq!(met.source.code, 0, "{}", met.source.stderr);
    scene.liar.lie(changed(Source, Step::See, Answered, said("claimed", Some(GONE))));
    let status = scene.ann.run(&["device", "status"])?;
    assert_eq!((status.code, status.stdout.lines().count()), (0, 1), "{}", status.stdout);
    assert!(!status.stdout.contains('\u{1b}') && !status.stdout.contains('\u{202e}'), "{:?}", status.stdout);
    let revoked = scene.ann.run(&["--json", "device", "revoke", status_id(&scene)?.as_str()])?;
    assert_eq!(revoked.code, 5, "{}", revoked.stderr);
    scene.liar.lie(on(
        Source,
        Step::Revoke,
        Asked,
        Fate::Say(
            409,
            json!({"type": "", "code": "conflict", "title": GONE.repeat(9_000), "status": 409, "detail": GONE}),
        ),
    ));
    let long = scene.ann.run(&["device", "revoke", status_id(&scene)?.as_str()])?;
    assert!(long.stderr.len() < 2_000 && !long.stderr.contains('\u{1b}'), "{} bytes", long.stderr.len());
    scene.holds(&met)?;
    assert_eq!(scene.ann.run(&["device", "take-back", SESSION])?.code, 4, "it was taken back");
    Ok(())
}

fn status_id(scene: &Scene) -> Result<String> {
    segue_e2e::story::id(&scene.ann.json(&["device", "status"])?["moved"][0], "pairing_id")
}
