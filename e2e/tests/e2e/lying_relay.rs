//! A server that lies, between two real command lines (`docs/protocol.md` §6; the table in `docs/testing.md`).
//!
//! After each lie the same must hold, and [`Scene::holds`] looks at it: nothing arrived that nobody let in, nothing readable went
//! to the server, the source has its chat, and who failed was told so with a word, a sentence and what to do.

mod between;
mod coming_back;
mod counters;
mod drops;
mod flips;
mod links;
mod replays;
mod scene;
mod states;

use anyhow::{Context as _, Result, ensure};
use segue_e2e::liar::{Fate, Passing, Side, Step, Way};

use scene::{SESSION, Scene, Waits};

/// What becomes of what passes.
type Lie = Box<dyn FnMut(&mut Passing) -> Fate + Send>;

/// Exit code and word of the error; 0 and no word where it succeeds.
type Ended = (i32, &'static str);

const WELL: Ended = (0, "");
/// Ctrl-C before anybody was let in.
const STOPPED: Ended = (130, "revoked");
/// Ctrl-C behind the claim, or on a guest.
const LEFT: Ended = (130, "interrupted");
const UNREACHABLE: Ended = (6, "unreachable");
const UNVERIFIED: Ended = (9, "verification_failed");
const MISMATCH: Ended = (9, "code_mismatch");

/// A lie, who waits on because of it, and how the source and the guest end.
struct Case {
    name: String,
    waits: Waits,
    lie: Lie,
    source: Ended,
    guest: Ended,
}

impl Case {
    fn new(name: impl Into<String>, lie: Lie, waits: Waits, source: Ended, guest: Ended) -> Self {
        Self { name: name.into(), waits, lie, source, guest }
    }
}

/// Tells each lie to a source and a guest of their own, and nothing but the truth to the last.
fn tell(scene: &Scene, cases: Vec<Case>) -> Result<()> {
    for Case { name, waits, lie, source, guest } in cases {
        scene.liar.lie(lie);
        let met = scene.meet(waits).with_context(|| name.clone())?;
        met.ended(&name, source, guest);
        scene.holds(&met).context(name)?;
    }
    works(scene)
}

/// A fresh code works, and the chat is where it was.
fn works(scene: &Scene) -> Result<()> {
    scene.liar.be_honest();
    let met = scene.meet(Waits::Nobody)?;
    assert_eq!((met.source.code, met.guest.code), (0, 0), "{}{}", met.source.stderr, met.guest.stderr);
    scene.holds(&met)?;
    let resumed = scene.ann.run(&["resume", SESSION, "--print"])?;
    ensure!(resumed.code == 0, "the source has lost its chat: {}", resumed.stderr);
    Ok(())
}

/// The same fate for one thing.
fn on(side: Side, step: Step, way: Way, fate: Fate) -> Lie {
    Box::new(move |passing| if passing.is(side, step, way) { fate.clone() } else { Fate::Pass })
}

/// Another answer, or another request, for one thing.
fn changed(side: Side, step: Step, way: Way, mut change: impl FnMut(&mut Passing) + Send + 'static) -> Lie {
    Box::new(move |passing| {
        if passing.is(side, step, way) {
            change(passing);
        }
        Fate::Pass
    })
}

/// Other events for one side.
fn events(side: Side, change: impl FnMut(&mut Passing) + Send + 'static) -> Lie {
    changed(side, Step::Live, Way::Event, change)
}
