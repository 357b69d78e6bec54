//! What passes, and what becomes of it.

use axum::http::{HeaderMap, Method};
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

/// Who asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Side {
    /// Who shows the code, or asks for something else.
    #[default]
    Source,
    /// Who presents a pairing's token.
    Destination,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Step {
    /// Which server it is.
    Server,
    /// `POST pairings`
    Issue,
    /// `POST pairings/lease`
    Lease,
    /// `POST …/answer`
    Answer,
    /// `POST …/refuse`
    Refuse,
    /// `POST …/claim`
    Claim,
    /// `POST …/acknowledge`
    Acknowledge,
    /// `POST …/complete`
    Complete,
    /// `POST …/return`
    Return,
    /// `POST …/received`
    Received,
    /// `POST …/revoke`
    Revoke,
    /// `POST …/take-back`
    TakeBack,
    /// `POST …/device`
    Device,
    /// `PUT …/bundle`
    Put,
    /// `GET …/bundle`
    Bundle,
    /// `GET …/bundle/manifest`
    Manifest,
    /// `GET …/bundle/packs/{pack_id}`
    Pack,
    /// `GET pairings/{id}`
    See,
    /// `GET …/live`
    Live,
    /// Nothing of a pairing.
    #[default]
    Other,
}

/// Which way it goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    #[default]
    Asked,
    /// Back.
    Answered,
    /// Back, as one event of a live stream.
    Event,
}

/// What becomes of what passes.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It passes, as the rule has left it.
    Pass,
    /// The connection breaks off. What is asked does not reach the server.
    Cut,
    /// This is said instead, with a status; what is asked does not reach the server.
    Say(u16, Value),
    /// An event is not told. For anything else as [`Cut`](Self::Cut).
    Swallow,
    /// An event is told again and again until nobody listens. For anything else as [`Cut`](Self::Cut).
    Repeat,
}

/// Something that passes.
#[derive(Debug, Clone, Default)]
pub struct Passing {
    /// Who asked.
    pub side: Side,
    /// What for.
    pub step: Step,
    /// Which way it goes.
    pub way: Way,
    /// The status of an answer.
    pub status: u16,
    /// Where it goes, from the first `/`.
    pub path: String,
    /// What it carries; of an event its data.
    pub body: Vec<u8>,
    /// Whether the server does not hear who asks.
    pub as_stranger: bool,
    /// Told behind an event.
    pub more: Vec<Value>,
}

impl Passing {
    pub(super) fn asked(method: &Method, path: String, headers: &HeaderMap, body: Vec<u8>) -> Self {
        let is_destination = headers.contains_key("segue-pairing-token");
        let side = if is_destination { Side::Destination } else { Side::Source };
        Self { side, step: step(method, &path), path, body, ..Self::default() }
    }

    /// Whether this is it.
    pub fn is(&self, side: Side, step: Step, way: Way) -> bool {
        (self.side, self.step, self.way) == (side, step, way)
    }

    /// What it carries; null where that is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether it has a field that is not null.
    pub fn has(&self, field: &str) -> bool {
        !self.json()[field].is_null()
    }

    /// Puts a value in a field's place; null takes it away.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        let (mut whole, value) = (self.json(), value.into());
        match whole.as_object_mut() {
            Some(object) if value.is_null() => drop(object.remove(field)),
            Some(object) => drop(object.insert(field.to_owned(), value)),
            None => {}
        }
        self.body = whole.to_string().into_bytes();
    }

    /// The bytes that stand in a field as base64url.
    pub fn bytes(&self, field: &str) -> Option<Vec<u8>> {
        BASE64URL_NOPAD.decode(self.json()[field].as_str()?.as_bytes()).ok()
    }

    /// Puts bytes in a field's place.
    pub fn set_bytes(&mut self, field: &str, bytes: &[u8]) {
        self.set(field, BASE64URL_NOPAD.encode(bytes));
    }
}

fn step(method: &Method, path: &str) -> Step {
    let Some(rest) = path.strip_prefix("/api/v1/").filter(|rest| !rest.is_empty()) else { return Step::Other };
    let words: Vec<&str> = rest.split('/').collect();
    match (method.as_str(), words.as_slice()) {
        ("GET", ["server"]) => Step::Server,
        ("POST", ["pairings"]) => Step::Issue,
        ("POST", ["pairings", "lease"]) => Step::Lease,
        ("GET", ["pairings", _]) => Step::See,
        ("GET", ["pairings", _, "live"]) => Step::Live,
        ("PUT", ["pairings", _, "bundle"]) => Step::Put,
        ("GET", ["pairings", _, "bundle"]) => Step::Bundle,
        ("GET", ["pairings", _, "bundle", "manifest"]) => Step::Manifest,
        ("GET", ["pairings", _, "bundle", "packs", _]) => Step::Pack,
        ("POST", ["pairings", _, word]) => match *word {
            "answer" => Step::Answer,
            "refuse" => Step::Refuse,
            "claim" => Step::Claim,
            "acknowledge" => Step::Acknowledge,
            "complete" => Step::Complete,
            "return" => Step::Return,
            "received" => Step::Received,
            "revoke" => Step::Revoke,
            "take-back" => Step::TakeBack,
            "device" => Step::Device,
            _ => Step::Other,
        },
        _ => Step::Other,
    }
}
