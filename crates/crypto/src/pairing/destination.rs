//! The destination's side: it is given the code and receives the view.

use rand_core::CryptoRng;
use segue_signed::{
    Device, KeyCard, Signature,
    pairing::{Answer, Offer, Release, SizeClass},
};
use zeroize::Zeroizing;

use super::{
    Place, TRIES_MAX,
    cpace::{Exchange, Party},
    hello::{Introduction, SOURCE_LABEL, signer},
    message::{Framed, Message, unframe},
    returning::ReturnSealer,
    schedule::Schedule,
    secret::PairingSecret,
};
use crate::secret::redacted;

/// One pairing as a destination sees it. It counts how often a confirmation was sent, whatever was typed.
#[derive(Debug)]
pub struct Destination {
    place: Place,
    tries: u8,
}

/// Why an offer is not answered. Nothing was sent, no try was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has confirmed often enough here.
    #[error("the code did not match: if it was typed correctly, somebody may be interfering; make a new code")]
    TooManyTries,
    /// The offer is for something else than this screen, or than this code.
    #[error("this code is for something else")]
    OtherPurpose,
    /// The offer is of another pairing, or for the other way of giving the secret.
    #[error("the server answered with another pairing")]
    OtherPairing,
    /// The source's share is no fair one.
    #[error("the server sent a forged offer")]
    BadShare,
}

/// The source did not confirm, or what it sent does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other side does not know this code, or somebody changed what it sent: make a new code")]
pub struct Unconfirmed;

impl Destination {
    /// The pairing that the relay named for the nameplate. Keep it for as long as the same `hid` is asked for again.
    pub fn new(place: Place) -> Self {
        Self { place, tries: 0 }
    }

    /// Confirmations that it would still send.
    pub fn tries_left(&self) -> u8 {
        TRIES_MAX - self.tries
    }

    /// Answers `offer` with a confirmation.
    pub fn answer(
        &mut self,
        rng: &mut dyn CryptoRng,
        secret: &PairingSecret,
        offer: &Offer,
        introduction: &Introduction<'_>,
    ) -> Result<(Answer, Answered), Refused> {
        let place = self.place;
        if offer.purpose != place.purpose || secret.purpose().is_some_and(|purpose| purpose != place.purpose) {
            return Err(Refused::OtherPurpose);
        }
        if offer.hid != place.hid || offer.method != secret.method() {
            return Err(Refused::OtherPairing);
        }
        if self.tries >= TRIES_MAX {
            return Err(Refused::TooManyTries);
        }
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let (sid, channel) = (offer.session_id(), place.channel(offer.method));
        let party = Party::start(rng, &secret.password(), &channel, &sid);
        let mut answer = Answer {
            method: offer.method,
            attempt: offer.attempt,
            share: *party.share(),
            nonce,
            tag: [0; 64],
            hello: Vec::new(),
        };
        let (ada, adb) = (offer.associated_data(), answer.associated_data());
        let exchange = Exchange { sid: &sid, ya: &offer.share, ada: &ada, yb: &answer.share, adb: &adb };
        let isk = party.shared_secret(&offer.share, exchange).map_err(|_| Refused::BadShare)?;
        let schedule = Schedule::derive(place.purpose, &channel, exchange, &isk);
        self.tries += 1;
        answer.tag = schedule.mac.tag(&answer.share, &adb);
        answer.hello = Message::Hello.seal(&schedule.ds, &schedule.th, &introduction.encode(&schedule.th));
        Ok((answer, Answered { size_class: offer.size_class, share: offer.share, ada, schedule }))
    }
}

/// A confirmation that waits for the source's.
pub struct Answered {
    size_class: SizeClass,
    share: [u8; 32],
    ada: Vec<u8>,
    schedule: Schedule,
}

redacted!(Answered);

impl Answered {
    /// Four symbols that both screens show when a person at the source is asked to approve.
    pub fn sas(&self) -> String {
        self.schedule.sas()
    }

    /// Checks the source's confirmation, and only then opens the view.
    pub fn receive(self, release: &Release) -> Result<Received, Unconfirmed> {
        let (view, signature) = self.open(release)?;
        Ok(Received { view, signature, schedule: self.schedule })
    }

    pub(super) fn open(&self, release: &Release) -> Result<Framed, Unconfirmed> {
        if !self.schedule.mac.confirms(&release.tag, &self.share, &self.ada) {
            return Err(Unconfirmed);
        }
        let frame = Message::View.open(&self.schedule.sd, &self.schedule.th, &release.view).map_err(|_| Unconfirmed)?;
        unframe(self.size_class, &frame).map_err(|_| Unconfirmed)
    }
}

/// A view that arrived from who knows the secret.
pub struct Received {
    view: Zeroizing<Vec<u8>>,
    signature: Option<Signature>,
    schedule: Schedule,
}

redacted!(Received);

impl Received {
    /// The view. Hostile text all the same.
    pub fn view(&self) -> &[u8] {
        &self.view
    }

    /// The device of `card`, this person's own card, which the caller has verified, that the view comes from. None: ask the
    /// person before anything is made of the view.
    pub fn own_source<'a>(&self, card: &'a KeyCard) -> Option<&'a Device> {
        signer(card, SOURCE_LABEL, &self.schedule.th, self.signature.as_ref()?)
    }

    /// Tells the source at which head hash this device arrived: after comparing it with the view's (SPEC D11).
    pub fn acknowledge(self, head: &[u8; 32]) -> (Vec<u8>, ReturnSealer) {
        let sealed = Message::Acknowledgement.seal(&self.schedule.ds, &self.schedule.th, head);
        (sealed, ReturnSealer::of(&self.schedule))
    }
}
