//! Adding a device through a server that lies: no device that nobody let in, no keys to anybody else, no account taken over.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use segue_e2e::{
    liar::{
        Fate, Passing,
        Side::{Destination, Source},
        Step,
        Way::{Answered, Asked, Event},
    },
    person::Person,
    showing::Showing,
    story::id,
};
use segue_signed::pairing::{Offer, Purpose};
use serde_json::Value;

use super::{
    Ended, LEFT, Lie, MISMATCH, STOPPED, UNREACHABLE, UNVERIFIED, WELL, changed, events, on,
    scene::{Met, SESSION, Scene, Waits, both, enter, word},
};

impl Scene {
    fn show_link(&self) -> Result<Showing> {
        Showing::of(&self.ann, &["link", "--link"])
    }

    fn join(&self, machine: &Person, code: &str) -> Result<Showing> {
        let entering = machine.clone().with("SEGUE_DEVICE_CODE", code);
        Showing::of(&entering, &["join", "--code", self.liar.url(), "--device", "laptop"])
    }

    fn link(&self, machine: &Person, waits: Waits) -> Result<Met> {
        let mut showing = self.show_link()?;
        let code = showing.code()?;
        both(showing, self.join(machine, &code)?, waits)
    }

    /// How many devices Ann's account has.
    fn devices(&self) -> Result<usize> {
        self.liar.be_honest();
        // What was added is followed first.
        self.ann.json(&["whoami"])?;
        Ok(self.ann.json(&["devices"])?["devices"].as_array().map_or(0, Vec::len))
    }
}

/// A lie, who waits, how both end, and how many devices are new.
type Told = (&'static str, Lie, Waits, Ended, Ended, usize);

fn tell(scene: &Scene, cases: Vec<Told>) -> Result<()> {
    let mut devices = scene.devices()?;
    for (number, (name, lie, waits, source, guest, new)) in cases.into_iter().enumerate() {
        let machine = scene.machine(&format!("laptop-{number}"))?;
        scene.liar.lie(lie);
        let met = scene.link(&machine, waits).context(name)?;
        met.ended(name, source, guest);
        holds(scene, &met).context(name)?;
        scene.liar.be_honest();
        // What came half way is finished by the same command, or was nothing.
        let is_begun = machine.segue_home().join("link.json").exists();
        let again = machine.run(&["join", "--code", scene.liar.url(), "--no-input"])?;
        assert_eq!(again.code == 0, is_begun, "{name}: {}{}", again.stdout, again.stderr);
        let has_account = machine.segue_home().join("account.json").exists();
        assert_eq!(has_account, new == 1, "{name}: whether there is an account");
        devices += new;
        assert_eq!(scene.devices()?, devices, "{name}");
    }
    Ok(())
}

fn holds(scene: &Scene, met: &Met) -> Result<()> {
    let source = met.source.events()?;
    let said = |name: &str| source.iter().any(|event| event["event"] == name);
    ensure!(!said("claimed") || said("approval"), "keys went to a device that nobody let in: {source:?}");
    for ran in [&met.source, &met.guest] {
        super::scene::is_honest(ran)?;
    }
    // The keys themselves: nothing that the account's file keeps secret was sent.
    let account: Value = serde_json::from_slice(&fs::read(scene.ann.segue_home().join("account.json"))?)?;
    let sent = String::from_utf8_lossy(&scene.liar.bytes()).into_owned();
    for field in ["root", "device_key"] {
        let secret = account[field].as_str().with_context(|| format!("no {field} in {account}"))?;
        ensure!(!sent.contains(&secret[2..secret.len() - 2]), "the {field} was sent");
    }
    Ok(())
}

fn state(state: &'static str, reason: &'static str) -> impl FnMut(&mut Passing) + Send + 'static {
    move |event| {
        event.set("state", state);
        event.set("reason", reason);
        event.set("release", Value::Null);
    }
}

/// Behind the claim, and without the sealed word.
fn done(event: &mut Passing) {
    if event.json()["state"] == "claimed" {
        event.set("reason", "completed");
        event.set("acknowledgement", Value::Null);
    }
}

/// Changes a bit in the middle of a field.
fn flip(field: &'static str) -> impl FnMut(&mut Passing) + Send + 'static {
    move |passing| {
        if let Some(mut bytes) = passing.bytes(field) {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            passing.set_bytes(field, &bytes);
        }
    }
}

#[test]
fn no_lie_adds_a_device_that_was_not_let_in() -> Result<()> {
    let scene = Scene::begin()?;
    let refused = (9, "unverified");
    let (released, answered) = (events(Destination, flip("release")), events(Source, flip("answer")));
    let new_card = changed(Destination, Step::Device, Asked, flip("key_card"));
    let joined = on(Destination, Step::Device, Answered, Fate::Cut);
    tell(
        &scene,
        vec![
            ("it is claimed", events(Source, state("claimed", "delivering")), Waits::Guest, UNVERIFIED, LEFT, 0),
            ("all is done", events(Source, done), Waits::Nobody, (10, "not_arrived"), WELL, 1),
            ("the answer is changed", answered, Waits::Source, STOPPED, MISMATCH, 0),
            ("the keys are changed", released, Waits::Delivering, LEFT, UNVERIFIED, 0),
            ("the new card is changed", new_card, Waits::Delivering, LEFT, refused, 0),
            ("the new device is not answered", joined, Waits::Delivering, LEFT, UNREACHABLE, 1),
        ],
    )
}

#[test]
#[ignore = "long: more of the same, one pair of processes for each lie"]
fn no_further_lie_adds_a_device_that_was_not_let_in() -> Result<()> {
    let scene = Scene::begin()?;
    let card = another_card(&scene)?;
    let another = changed(Destination, Step::Device, Asked, move |passing| passing.set("key_card", card.as_str()));
    let removed = events(Source, state("revoked", "device_removed"));
    let kept_back = events(Destination, |event| event.set("release", Value::Null));
    let offered = changed(Destination, Step::Lease, Answered, flip("offer"));
    let unheard = on(Destination, Step::Device, Asked, Fate::Cut);
    let last_words = on(Destination, Step::Acknowledge, Asked, Fate::Cut);
    tell(
        &scene,
        vec![
            ("this device was removed", removed, Waits::Guest, (10, "device_removed"), LEFT, 0),
            (
                "it is over",
                events(Destination, state("expired", "unanswered")),
                Waits::Delivering,
                LEFT,
                (10, "expired"),
                0,
            ),
            ("the keys are kept back", kept_back, Waits::Delivering, LEFT, UNVERIFIED, 0),
            ("the offer is changed", offered, Waits::Source, STOPPED, MISMATCH, 0),
            ("the new card is another's", another, Waits::Delivering, LEFT, (9, "unverified"), 0),
            ("the new device is not heard of", unheard, Waits::Delivering, LEFT, UNREACHABLE, 1),
            ("the last words are lost", last_words, Waits::Nobody, (10, "not_arrived"), WELL, 1),
        ],
    )
}

/// The signed card of somebody else on the same server.
fn another_card(scene: &Scene) -> Result<String> {
    let stranger = scene.machine("stranger")?;
    stranger.json(&["join", &id(&scene.ann.json(&["invite", "eve@example.com"])?, "link")?])?;
    let account: Value = serde_json::from_slice(&fs::read(stranger.segue_home().join("account.json"))?)?;
    id(&account, "key_card")
}

/// The screen says what a code is for, and every key: a server that says otherwise makes it a wrong guess.
#[test]
fn no_server_turns_a_code_for_a_chat_into_one_for_an_account() -> Result<()> {
    let scene = Scene::begin()?;
    for (shown, screen, path, entered) in
        [(Purpose::Handoff, Purpose::Link, "/h#", "/l#"), (Purpose::Link, Purpose::Handoff, "/l#", "/h#")]
    {
        scene.liar.lie(move |passing| {
            if passing.is(Destination, Step::Lease, Asked) {
                passing.set("purpose", shown.as_str());
            }
            if passing.is(Destination, Step::Lease, Answered)
                && let Ok(offer) = Offer::parse(&passing.bytes("offer").unwrap_or_default())
            {
                passing.set_bytes("offer", &Offer { purpose: screen, ..offer }.encode());
            }
            if passing.way == Event {
                passing.set("purpose", screen.as_str());
            }
            Fate::Pass
        });
        let mut source = match shown {
            Purpose::Handoff => scene.show_this_link()?,
            Purpose::Link => scene.show_link()?,
        };
        let link = id(&source.until("issued")?, "link")?;
        assert!(link.contains(path), "{link}");
        let link = link.replace(path, entered);
        let machine = scene.machine(screen.as_str())?;
        let guest = match screen {
            Purpose::Link => scene.join(&machine, &link)?,
            Purpose::Handoff => enter(&machine, &link, scene.liar.url())?,
        };
        let met = both(source, guest, Waits::Source)?;
        assert_eq!((met.guest.code, word(&met.guest)), (9, "code_mismatch".to_owned()), "{}", met.guest.stderr);
        let said = met.source.events()?;
        assert!(said.iter().any(|event| event["event"] == "wrong_code"), "{said:?}");
        assert!(said.iter().all(|event| event["event"] != "approval"), "{said:?}");
        holds(&scene, &met)?;
        assert!(!machine.segue_home().join("account.json").exists());
    }
    assert_eq!(scene.devices()?, 1);
    let resumed = scene.ann.run(&["resume", SESSION, "--print"])?;
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    Ok(())
}
