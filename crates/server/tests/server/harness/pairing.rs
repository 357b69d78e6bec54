//! The two sides of a pairing as the relay sees them: random bytes in the envelopes of offers, answers and releases.

use std::net::Ipv4Addr;

use data_encoding::BASE64URL_NOPAD;
use reqwest::{Method, RequestBuilder};
use segue_api::pairings::{
    AcknowledgeView, AnswerPairing, FETCH_TOKEN, IssuePairing, LeasePairing, Leased, PAIRING_TOKEN, Pairing,
    RefuseAnswer, ReleaseView, RevokePairing,
};
use segue_domain::{PairingId, SessionId};
use segue_signed::{
    BundleKind, Wrap, WrapKind,
    pairing::{Answer as PairingAnswer, Method as Way, Offer, Purpose, Release, SizeClass},
    sha256,
    wrap::OWN_KEY_FP,
};
use serde::Serialize;

use super::{
    Person,
    live::Live,
    person::Answer,
    seal::{Draft, TestPack, draw},
};

/// A code that somebody shows.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) source: Person,
    pub(crate) hid: [u8; 16],
    pub(crate) purpose: Purpose,
    pub(crate) nameplate: String,
}

/// Who is given a code.
#[derive(Clone)]
pub(crate) struct Guest {
    url: String,
    http: reqwest::Client,
    pub(crate) token: [u8; 32],
    /// Whose account it is signed in to, if any.
    bearer: Option<String>,
    /// Where it comes from, to a server that trusts its proxy.
    address: Option<Ipv4Addr>,
}

fn offers(hid: [u8; 16], purpose: Purpose, attempt: u8) -> [Vec<u8>; 2] {
    [Way::Code, Way::Link].map(|method| {
        let (nonce, share) = (draw(), draw());
        let size_class = SizeClass::Small;
        Offer { purpose, method, hid, attempt, nonce, share, size_class, lifetime_seconds: 300 }.encode()
    })
}

/// What a source asks to show a code with.
pub(crate) fn issue(hid: [u8; 16], purpose: Purpose, chat: u8) -> IssuePairing {
    let [code, link] = offers(hid, purpose, 1);
    IssuePairing { chat_tag: vec![chat; 32].into(), code_offer: code.into(), link_offer: link.into() }
}

/// A release of random bytes.
pub(crate) fn release() -> Vec<u8> {
    let mut view = vec![0; SizeClass::Small.bytes() + 16];
    view[..32].copy_from_slice(&draw::<32>());
    Release { tag: [1; 64], view }.encode()
}

/// An answer of random bytes.
pub(crate) fn answer(attempt: u8) -> Vec<u8> {
    let (share, nonce, tag, hello) = (draw(), draw(), [2; 64], vec![4; 60]);
    PairingAnswer { method: Way::Code, attempt, share, nonce, tag, hello }.encode()
}

/// What releases a view.
pub(crate) fn releasing(attempt: u8, release: &[u8], fetch_token: Option<&[u8; 32]>) -> ReleaseView {
    let fetch_token_hash = fetch_token.map(|token| sha256(token).to_vec().into());
    ReleaseView { attempt, release: release.to_vec().into(), fetch_token_hash }
}

impl Person {
    /// Shows a code for a chat.
    pub(crate) async fn show(&self, chat: u8) -> Shown {
        self.show_for(Purpose::Handoff, chat).await
    }

    pub(crate) async fn show_for(&self, purpose: Purpose, chat: u8) -> Shown {
        let hid = draw();
        let seen: Pairing = self.post("/api/v1/pairings", &issue(hid, purpose, chat)).await.ok();
        assert_eq!((seen.state.as_str(), seen.reason, seen.attempt), ("issued", None, 1));
        assert_eq!(seen.pairing_id, PairingId::from_bytes(hid).to_string());
        Shown { source: self.clone(), hid, purpose, nameplate: seen.nameplate.unwrap() }
    }
}

impl Shown {
    /// The same at another server of the same database.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { source: self.source.at(url), ..self.clone() }
    }

    pub(crate) fn id(&self) -> String {
        PairingId::from_bytes(self.hid).to_string()
    }

    pub(crate) fn path(&self, end: &str) -> String {
        format!("/api/v1/pairings/{}{end}", self.id())
    }

    pub(crate) async fn see(&self) -> Pairing {
        self.source.get(&self.path("")).await.ok()
    }

    /// State and reason, as the source sees them.
    pub(crate) async fn state(&self) -> (String, Option<String>) {
        let seen = self.see().await;
        (seen.state, seen.reason)
    }

    pub(crate) async fn listen(&self) -> Live {
        Live::of(self.source.request(Method::GET, &self.path("/live")).send().await.unwrap())
    }

    /// Releases a view to who answered.
    pub(crate) async fn claim(&self, attempt: u8, release: &[u8], fetch_token: Option<&[u8; 32]>) -> Answer {
        self.source.post(&self.path("/claim"), &releasing(attempt, release, fetch_token)).await
    }

    /// Refuses the answer that waits, and shows fresh offers.
    pub(crate) async fn refuse(&self, attempt: u8) -> Answer {
        let [code, link] = offers(self.hid, self.purpose, attempt + 1);
        let body = RefuseAnswer { attempt, code_offer: Some(code.into()), link_offer: Some(link.into()) };
        self.source.post(&self.path("/refuse"), &body).await
    }

    pub(crate) async fn revoke(&self) -> Answer {
        self.source.post(&self.path("/revoke"), &RevokePairing { reason: "user".to_owned() }).await
    }

    /// A bundle over `pack` for who claimed, as it is sent.
    pub(crate) fn bundle(&self, pack: &TestPack) -> Draft {
        let mut draft = Draft::snapshot(&self.source, &SessionId::from_bytes(draw()).to_string(), &[pack]);
        draft.envelope.header.kind = BundleKind::Device;
        draft.envelope.header.handoff_id = self.id();
        let id = self.id();
        draft.wraps = vec![Wrap { kind: WrapKind::Own, id, key_fp: OWN_KEY_FP, epoch: 1, enc: None, ct: [3; 48] }];
        draft
    }

    pub(crate) async fn put_bundle(&self, draft: &Draft) -> Answer {
        use super::person::Payload as _;
        let body = draft.body(&draft.sign(&self.source));
        Answer::of(body.onto(self.source.request(Method::PUT, &self.path("/bundle")))).await
    }
}

impl Guest {
    /// Somebody without an account.
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), http: reqwest::Client::new(), token: draw(), bearer: None, address: None }
    }

    /// Another without an account, over the same connections.
    pub(crate) fn another(&self) -> Self {
        Self { token: draw(), ..self.clone() }
    }

    /// So many without an account, each from an address of its own.
    pub(crate) fn crowd(url: &str, count: u32) -> Vec<Self> {
        let one = Self::new(url);
        let from = |number| Some(Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 1).to_bits() + number));
        (0..count).map(|number| Self { address: from(number), ..one.another() }).collect()
    }

    /// The same at another server of the same database.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// A device of `person`.
    pub(crate) fn of(person: &Person) -> Self {
        Self { bearer: Some(person.token.clone()), ..Self::new(&person.url) }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = request.header(PAIRING_TOKEN, BASE64URL_NOPAD.encode(&self.token));
        let request = match &self.bearer {
            Some(bearer) => request.bearer_auth(bearer),
            None => request,
        };
        match self.address {
            Some(address) => request.header("x-forwarded-for", address.to_string()),
            None => request,
        }
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn see(&self, shown: &Shown) -> Pairing {
        Answer::of(self.request(Method::GET, &shown.path(""))).await.ok()
    }

    pub(crate) async fn listen(&self, shown: &Shown) -> Live {
        Live::of(self.request(Method::GET, &shown.path("/live")).send().await.unwrap())
    }

    pub(crate) async fn ask_lease(&self, nameplate: &str, purpose: &str) -> Answer {
        let (purpose, method) = (purpose.to_owned(), "code".to_owned());
        self.post("/api/v1/pairings/lease", &LeasePairing { nameplate: nameplate.to_owned(), purpose, method }).await
    }

    /// Takes a lease, and reads the offer.
    pub(crate) async fn lease(&self, shown: &Shown) -> Offer {
        let leased: Leased = self.ask_lease(&shown.nameplate, shown.purpose.as_str()).await.ok();
        assert_eq!((leased.pairing_id, leased.server_id.0.len()), (shown.id(), 16));
        Offer::parse(&leased.offer.0).unwrap()
    }

    /// Answers an offer with random bytes.
    pub(crate) async fn answer(&self, shown: &Shown, attempt: u8) -> Answer {
        self.send_answer(shown, &answer(attempt)).await
    }

    pub(crate) async fn send_answer(&self, shown: &Shown, answer: &[u8]) -> Answer {
        self.post(&shown.path("/answer"), &AnswerPairing { answer: answer.to_vec().into() }).await
    }

    pub(crate) async fn acknowledge(&self, shown: &Shown) -> Answer {
        self.post(&shown.path("/acknowledge"), &AcknowledgeView { acknowledgement: vec![5; 48].into() }).await
    }

    /// Reads something of the bundle with the token of the view.
    pub(crate) async fn fetch(&self, shown: &Shown, token: &[u8; 32], end: &str) -> Answer {
        let request = self.http.get(format!("{}{}", self.url, shown.path(&format!("/bundle{end}"))));
        Answer::of(request.header(FETCH_TOKEN, BASE64URL_NOPAD.encode(token))).await
    }
}

/// A code that was claimed, with who has it and the token that reads its bundle.
pub(crate) async fn claimed(source: &Person) -> (Shown, Guest, [u8; 32]) {
    let (shown, guest, fetch) = (source.show(1).await, Guest::new(&source.url), draw());
    guest.lease(&shown).await;
    assert_eq!(guest.answer(&shown, 1).await.status, 200);
    assert_eq!(shown.claim(1, &release(), Some(&fetch)).await.status, 200);
    (shown, guest, fetch)
}

/// The next word of a live stream.
pub(crate) async fn next(live: &mut Live) -> Pairing {
    let sent = live.next().await.expect("the stream has ended");
    assert_eq!(sent.kind, "pairing");
    serde_json::from_str(&sent.data).unwrap()
}

/// State and reason.
pub(crate) fn words(seen: &Pairing) -> (&str, &str) {
    (&seen.state, seen.reason.as_deref().unwrap_or_default())
}
