//! What is lost on its way: the connection breaks off before the server hears it, or behind that.

use std::collections::HashSet;

use anyhow::Result;
use segue_e2e::liar::{
    Fate, Passing, Side,
    Side::{Destination, Source},
    Step, Way,
    Way::{Answered, Asked, Event},
};

use super::{
    Case, Ended, LEFT, Lie, STOPPED, UNREACHABLE, WELL, on,
    scene::{Scene, Waits},
    tell, works,
};

/// Lost however often it is sent.
fn lost(side: Side, step: Step, way: Way, waits: Waits, source: Ended, guest: Ended) -> Case {
    Case::new(format!("{step:?} is lost, {way:?}"), on(side, step, way, Fate::Cut), waits, source, guest)
}

/// The server did what was asked, and nobody hears of it.
#[test]
fn an_answer_that_is_always_lost_is_said_and_costs_nothing() -> Result<()> {
    tell(
        &Scene::begin()?,
        vec![
            lost(Destination, Step::Lease, Answered, Waits::Source, STOPPED, UNREACHABLE),
            lost(Destination, Step::Answer, Answered, Waits::Delivering, LEFT, UNREACHABLE),
            lost(Source, Step::Claim, Answered, Waits::Both, LEFT, LEFT),
            lost(Destination, Step::Complete, Answered, Waits::Nobody, WELL, WELL),
        ],
    )
}

#[test]
#[ignore = "long: what else both sides ask is lost three times, before and behind the server"]
fn whatever_is_always_lost_is_said_and_costs_nothing() -> Result<()> {
    let nobody = WELL;
    let mut cases = vec![
        lost(Destination, Step::Lease, Asked, Waits::Source, STOPPED, UNREACHABLE),
        lost(Destination, Step::Answer, Asked, Waits::Source, STOPPED, UNREACHABLE),
        lost(Destination, Step::Acknowledge, Asked, Waits::Delivering, LEFT, UNREACHABLE),
        lost(Destination, Step::Acknowledge, Answered, Waits::Nobody, WELL, UNREACHABLE),
        lost(Destination, Step::Complete, Asked, Waits::Nobody, WELL, WELL),
        // What follows the view is sent again for an hour.
        lost(Source, Step::Put, Asked, Waits::Both, LEFT, LEFT),
        lost(Source, Step::Put, Answered, Waits::Delivering, LEFT, WELL),
    ];
    for way in [Asked, Answered] {
        cases.push(lost(Source, Step::Server, way, Waits::Nobody, UNREACHABLE, nobody));
        cases.push(lost(Source, Step::Issue, way, Waits::Nobody, UNREACHABLE, nobody));
        for step in [Step::Bundle, Step::Manifest, Step::Pack] {
            cases.push(lost(Destination, step, way, Waits::Delivering, LEFT, UNREACHABLE));
        }
    }
    tell(&Scene::begin()?, cases)
}

/// A stream that breaks off begins anew and tells how it stands.
#[test]
fn what_is_lost_once_of_a_stream_is_heard_again() -> Result<()> {
    let scene = Scene::begin()?;
    scene.liar.lie(once(Event));
    works_all_the_same(&scene)
}

#[test]
#[ignore = "long: every request is lost once"]
fn what_is_lost_once_is_sent_again_and_everything_arrives() -> Result<()> {
    for way in [Asked, Answered] {
        let scene = Scene::begin()?;
        scene.liar.lie(once(way));
        works_all_the_same(&scene)?;
    }
    Ok(())
}

fn works_all_the_same(scene: &Scene) -> Result<()> {
    let met = scene.meet(Waits::Nobody)?;
    assert_eq!((met.source.code, met.guest.code), (0, 0), "{}{}", met.source.stderr, met.guest.stderr);
    scene.holds(&met)?;
    works(scene)
}

/// Breaks each connection off the first time that it is used for something, and each stream before its first event of a kind.
fn once(way: Way) -> Lie {
    let mut met = HashSet::new();
    Box::new(move |passing: &mut Passing| {
        if passing.way != way || passing.step == Step::Other {
            return Fate::Pass;
        }
        let now = passing.json();
        let kind = match way {
            Event => format!("{:?}{}{}{}", passing.side, now["state"], now["reason"], now["answer"].is_null()),
            Asked | Answered => format!("{:?}", passing.step),
        };
        if met.insert(kind) { Fate::Cut } else { Fate::Pass }
    })
}
