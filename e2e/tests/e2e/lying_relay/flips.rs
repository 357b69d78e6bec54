//! One bit of what passes is another: nothing of it opens.

use anyhow::{Context as _, Result, ensure};
use segue_e2e::liar::{
    Side::{Destination, Source},
    Step,
    Way::{Answered, Asked, Event},
};

use super::{
    Lie, changed, events,
    scene::{Scene, Waits, error},
    works,
};

/// Bytes of each field that all the tests together change.
const OFFER_BYTES: usize = 155;
const ANSWER_BYTES: usize = 260;
const RELEASE_BYTES: usize = 65_640;
const ACKNOWLEDGEMENT_BYTES: usize = 48;

/// A field, and which bit of it.
#[derive(Debug, Clone, Copy)]
struct Flip {
    field: &'static str,
    byte: usize,
    bit: u8,
}

impl Flip {
    fn lie(self) -> Lie {
        let flip = move |passing: &mut segue_e2e::liar::Passing| {
            if let Some(mut bytes) = passing.bytes(self.field) {
                let at = self.byte.min(bytes.len().saturating_sub(1));
                bytes[at] ^= 1 << self.bit;
                passing.set_bytes(self.field, &bytes);
            }
        };
        match self.field {
            "offer" => changed(Destination, Step::Lease, Answered, flip),
            // On both ways: to a server that would notice, and behind one that did not.
            "answer" if self.bit.is_multiple_of(2) => changed(Destination, Step::Answer, Asked, flip),
            "acknowledgement" if self.bit.is_multiple_of(2) => changed(Destination, Step::Acknowledge, Asked, flip),
            "answer" | "acknowledgement" => events(Source, flip),
            _ => changed(Destination, Step::Live, Event, flip),
        }
    }

    fn is_refused(self, scene: &Scene) -> Result<()> {
        scene.liar.lie(self.lie());
        // An acknowledgement that does not open leaves nobody waiting: the end of the delivery is heard.
        let waits = if self.field == "acknowledgement" { Waits::Nobody } else { Waits::Source };
        let met = scene.meet(waits)?;
        let word = error(&met.guest)["code"].as_str().unwrap_or_default().to_owned();
        if self.field == "acknowledgement" {
            let source = error(&met.source)["code"].as_str().unwrap_or_default().to_owned();
            ensure!((met.source.code, &*source) == (10, "not_taken"), "{}{}", met.source.stdout, met.source.stderr);
        } else {
            let known = [
                (9, "verification_failed"),
                (9, "code_mismatch"),
                (10, "revoked"),
                (6, "answer"),
                (5, "conflict"),
                (2, "invalid"),
            ];
            ensure!(known.contains(&(met.guest.code, &word)), "{} {}", met.guest.code, met.guest.stderr);
            let arrived = met.guest.events()?.into_iter().any(|event| event["event"] == "arrived");
            ensure!(!arrived, "something arrived all the same");
        }
        scene.holds(&met)
    }
}

fn sweep(flips: impl Iterator<Item = Flip>) -> Result<()> {
    let mut scene = Scene::begin()?;
    for (number, flip) in flips.enumerate() {
        if number % PER_ACCOUNT == PER_ACCOUNT - 1 {
            works(&scene)?;
            scene = Scene::begin()?;
        }
        flip.is_refused(&scene).with_context(|| format!("{flip:?}"))?;
    }
    works(&scene)
}

/// Codes that are shown before another account takes its turn: an account shows 200 an hour.
const PER_ACCOUNT: usize = 150;

#[test]
fn one_changed_bit_is_refused() -> Result<()> {
    let few = [
        // Method, attempt, nonce, share, lifetime.
        ("offer", [32, 50, 60, 90, 154].as_slice()),
        // Attempt, share, tag, hello.
        ("answer", &[26, 40, 110, 200]),
        ("release", &[30, 90, RELEASE_BYTES - 1]),
        ("acknowledgement", &[0, 47]),
    ];
    let flips = few.into_iter().flat_map(|(field, bytes)| {
        bytes.iter().enumerate().map(move |(number, &byte)| Flip {
            field,
            byte,
            bit: u8::try_from(number % 8).unwrap_or(0),
        })
    });
    sweep(flips)
}

#[test]
#[ignore = "long: some 300 pairings, one for each changed bit"]
fn every_changed_bit_is_refused() -> Result<()> {
    let every = |field, bytes: usize, step: usize| {
        (0..bytes).step_by(step).map(move |byte| Flip { field, byte, bit: u8::try_from(byte * 5 % 8).unwrap_or(0) })
    };
    sweep(
        every("offer", OFFER_BYTES, 2)
            .chain(every("answer", ANSWER_BYTES, 3))
            .chain(every("release", RELEASE_BYTES, 1_313))
            .chain(every("acknowledgement", ACKNOWLEDGEMENT_BYTES, 1)),
    )
}
