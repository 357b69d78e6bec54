//! The source's side: it shows the code and releases the view.

use rand_core::CryptoRng;
use segue_signed::{
    KeyCard,
    pairing::{Answer, Method, Nameplate, Offer, Release, SizeClass},
};
use zeroize::Zeroizing;

use super::{
    GUESSES_MAX, Place,
    code::CodeSecret,
    cpace::{Exchange, Party},
    hello::{Hello, SOURCE_LABEL},
    link::LinkSecret,
    message::{Message, TooLong, frame, room},
    returning::ReturnOpener,
    schedule::Schedule,
    secret::PairingSecret,
};
use crate::{device::DeviceKey, sealing::Unopened, secret::redacted};

/// A pairing that waits for a destination, with one offer for each method. It lives in memory only: whoever starts anew
/// revokes the pairing.
pub struct Source {
    place: Place,
    size_class: SizeClass,
    lifetime_seconds: u32,
    attempt: u8,
    code: CodeSecret,
    link: LinkSecret,
    offers: [(Offer, Party); 2],
}

redacted!(Source);

/// What came of an answer.
#[must_use = "the source inside is the only one"]
pub enum Judgement {
    /// The destination knows the secret.
    Confirmed(Box<Confirmed>),
    /// It does not: tell the relay and publish the offers of the source inside.
    Refused(Box<Source>),
    /// It does not, and this was the last guess: the secret is gone, and the pairing must be revoked.
    Burned,
    /// It answers an offer that was replaced. Nothing was tried.
    Stale(Box<Source>),
}

impl Source {
    /// Draws the secrets of a new pairing and its first offers.
    pub fn new(rng: &mut dyn CryptoRng, place: Place, size_class: SizeClass, lifetime_seconds: u32) -> Self {
        let (code, link) = (CodeSecret::generate(rng, place.purpose), LinkSecret::generate(rng));
        Self::begin(rng, place, (size_class, lifetime_seconds), code, link, 1)
    }

    pub(super) fn begin(
        rng: &mut dyn CryptoRng,
        place: Place,
        (size_class, lifetime_seconds): (SizeClass, u32),
        code: CodeSecret,
        link: LinkSecret,
        attempt: u8,
    ) -> Self {
        let mut offer = |secret: &PairingSecret| {
            let mut nonce = [0; 16];
            rng.fill_bytes(&mut nonce);
            let method = secret.method();
            let Place { purpose, hid, .. } = place;
            let mut offer =
                Offer { purpose, method, hid, attempt, nonce, share: [0; 32], size_class, lifetime_seconds };
            let party = Party::start(rng, &secret.password(), &place.channel(method), &offer.session_id());
            offer.share = *party.share();
            (offer, party)
        };
        let offers = [offer(&PairingSecret::Code(code.clone())), offer(&PairingSecret::Link(link.clone()))];
        Self { place, size_class, lifetime_seconds, attempt, code, link, offers }
    }

    /// The offers to publish, one for each method.
    pub fn offers(&self) -> [&Offer; 2] {
        self.offers.each_ref().map(|(offer, _)| offer)
    }

    /// Number of the offers, from 1.
    pub fn attempt(&self) -> u8 {
        self.attempt
    }

    /// The code to show, with the nameplate that the relay gave.
    pub fn code(&self, nameplate: Nameplate) -> Zeroizing<String> {
        self.code.show(nameplate)
    }

    /// What stands behind the `#` of the link to show.
    pub fn fragment(&self, nameplate: Nameplate) -> Zeroizing<String> {
        self.link.fragment(nameplate)
    }

    /// Judges an answer. An answer that is no fair one counts as a wrong guess: no honest destination sends it.
    pub fn receive(self, rng: &mut dyn CryptoRng, answer: &Answer) -> Judgement {
        if answer.attempt != self.attempt {
            return Judgement::Stale(Box::new(self));
        }
        match self.judge(answer) {
            Some(confirmed) => Judgement::Confirmed(Box::new(confirmed)),
            None if self.attempt >= GUESSES_MAX => Judgement::Burned,
            None => {
                let terms = (self.size_class, self.lifetime_seconds);
                Judgement::Refused(Box::new(Self::begin(
                    rng,
                    self.place,
                    terms,
                    self.code,
                    self.link,
                    self.attempt + 1,
                )))
            }
        }
    }

    /// What `answer` leads to; nothing when it is not from who knows the secret.
    pub(super) fn judge(&self, answer: &Answer) -> Option<Confirmed> {
        let (offer, party) = &self.offers[usize::from(answer.method == Method::Link)];
        let (sid, ada, adb) = (offer.session_id(), offer.associated_data(), answer.associated_data());
        let exchange = Exchange { sid: &sid, ya: &offer.share, ada: &ada, yb: &answer.share, adb: &adb };
        let isk = party.shared_secret(&answer.share, exchange).ok()?;
        let channel = self.place.channel(offer.method);
        let schedule = Schedule::derive(self.place.purpose, &channel, exchange, &isk);
        if !schedule.mac.confirms(&answer.tag, &answer.share, &adb) {
            return None;
        }
        let hello = Message::Hello.open(&schedule.ds, &schedule.th, &answer.hello).ok()?;
        let hello = Hello::parse(&hello).ok()?;
        let tag = schedule.mac.tag(&offer.share, &ada);
        Some(Confirmed { place: self.place, size_class: self.size_class, hello, tag, schedule })
    }
}

/// A destination that has shown that it knows the secret. Nothing was sent to it yet.
pub struct Confirmed {
    place: Place,
    size_class: SizeClass,
    hello: Hello,
    tag: [u8; 64],
    schedule: Schedule,
}

redacted!(Confirmed);

impl Confirmed {
    /// What the destination says about itself.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Four symbols that both screens show when a person is asked to approve.
    pub fn sas(&self) -> String {
        self.schedule.sas()
    }

    /// Goes on without asking when the destination is an active full device in `card`, the source's own card, which the caller
    /// has verified. Linking is always asked about (SPEC D7).
    ///
    /// # Errors
    /// Itself: ask, then [`Self::approved_by_person`].
    pub fn approve_own_device(self: Box<Self>, card: &KeyCard) -> Result<Approved, Box<Self>> {
        let own = self.place.purpose == super::Purpose::Handoff && self.hello.device(&self.schedule.th, card).is_some();
        if own { Ok(Approved(self)) } else { Err(self) }
    }

    /// A person at the source said yes, having seen [`Self::hello`] and [`Self::sas`].
    pub fn approved_by_person(self: Box<Self>) -> Approved {
        Approved(self)
    }
}

/// A destination that may have the view.
pub struct Approved(Box<Confirmed>);

redacted!(Approved);

impl Approved {
    /// Bytes of a view that fit into what the offer promised.
    pub fn room(&self) -> usize {
        room(self.0.size_class)
    }

    /// Confirms to the destination and seals `view` for it; `signer` is the source's device key where the destination is a
    /// device of the same account. A retry sends the same bytes.
    pub fn release(self, view: &[u8], signer: Option<&DeviceKey>) -> Result<(Release, Released), TooLong> {
        let Confirmed { size_class, tag, schedule, .. } = *self.0;
        let signature = signer.map(|key| key.sign(SOURCE_LABEL, &schedule.th));
        let frame = frame(size_class, view, signature.as_ref())?;
        let view = Message::View.seal(&schedule.sd, &schedule.th, &frame);
        Ok((Release { tag, view }, Released(schedule)))
    }
}

/// A view that is on its way.
pub struct Released(Schedule);

redacted!(Released);

impl Released {
    /// Opens the acknowledgement: the head hash that the destination arrived at. Only now is it "ready there". What does not
    /// open is not from the destination: wait for the one that is.
    pub fn acknowledged(&self, sealed: &[u8]) -> Result<[u8; 32], Unopened> {
        let head = Message::Acknowledgement.open(&self.0.ds, &self.0.th, sealed)?;
        head.as_slice().try_into().map_err(|_| Unopened)
    }

    /// What is kept of the pairing: the key of the return. It may be stored before the view is sent, so that what comes back
    /// opens whenever this process ends.
    pub fn return_opener(&self) -> ReturnOpener {
        ReturnOpener::of(&self.0)
    }
}
