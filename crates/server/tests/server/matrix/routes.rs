//! The documented routes, and what is asked of them.

use std::collections::BTreeMap;

use reqwest::Method;
use segue_api::{
    Bytes,
    bundles::OwnWrap,
    handoffs::{Claim, InviteProof, LateWrap},
    pairings::AnswerPairing,
    teams::PublishRoster,
};
use segue_domain::HandoffId;
use segue_signed::{
    MemberRole, WrapKind,
    pairing::{Answer, Method as Way},
};
use serde_json::{Value, json};

use crate::harness::{
    Person, pairing, roster,
    seal::{draw, wrap},
};

/// Every method that a client might try.
pub(crate) const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::PATCH, Method::OPTIONS];

/// Ids that exist, of one person's things.
#[derive(Debug, Clone)]
pub(crate) struct Real {
    pub(crate) handoff: String,
    pub(crate) bundle: String,
    pub(crate) session: String,
    pub(crate) pack: String,
    pub(crate) project: String,
    pub(crate) member: String,
    pub(crate) ticket: String,
    pub(crate) team: String,
    pub(crate) token: String,
    pub(crate) pairing: String,
}

impl Real {
    fn of(&self, path: &str, parameter: &str) -> &str {
        match (path.split('/').nth(3).unwrap(), parameter) {
            ("projects", "user_id") => &self.member,
            ("projects", "kind") => "ticket",
            ("projects", "ref_id") => &self.ticket,
            ("projects", "id") => &self.project,
            ("bundles" | "pairings", "pack_id") | ("packs", "id") => &self.pack,
            ("pairings", "id") => &self.pairing,
            ("handoffs", "id") => &self.handoff,
            ("bundles", "id") => &self.bundle,
            ("sessions", "id") => &self.session,
            ("teams", "id") => &self.team,
            ("tokens", "id") => &self.token,
            _ => panic!("{path} has an id {parameter} that this test does not know"),
        }
    }
}

/// The same ids with one that is not there, in every place and of every kind, but at most `kinds`: unknown, not even text, of another
/// kind, in other letters, over-long, malformed.
pub(crate) fn strange(real: &[String], kinds: usize) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for place in 0..real.len() {
        let id = &real[place];
        let prefix = id.split_inclusive('_').next().unwrap();
        let unknown = HandoffId::from_bytes(draw()).to_string().replace("hnd_", prefix);
        let mut ids = vec![unknown, "%ff%fe".to_owned(), format!("xyz_{}", &id[prefix.len()..]), id.to_uppercase()];
        ids.extend(["a".repeat(65), "a".repeat(5_000)]);
        ids.extend(["x", "%00", "'%20OR%201=1", "..%2f..%2fetc", "%F0%9F%92%A9", "nil"].map(str::to_owned));
        all.extend(ids.into_iter().take(kinds).map(|strange| {
            let mut ids = real.to_vec();
            ids[place] = strange;
            ids
        }));
    }
    all
}

/// A documented path.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) methods: Vec<Method>,
    /// Whether it asks who asks.
    pub(crate) open: bool,
    /// The header by which each method knows its asker, where that is not an account.
    capabilities: BTreeMap<String, String>,
}

impl Route {
    /// All there are.
    pub(crate) fn documented() -> Vec<Self> {
        let document = serde_json::to_value(segue_server::openapi()).unwrap();
        let read = |(path, item): (&String, &Value)| {
            let operations = item.as_object().unwrap();
            let methods = operations.keys().map(|method| method.to_uppercase().parse().unwrap()).collect();
            let open = operations.values().all(|operation| operation["security"] == json!([{}]));
            let capability = |(method, operation): (&String, &Value)| {
                let scheme = operation["security"][0].as_object()?.keys().next()?;
                let header = document["components"]["securitySchemes"][scheme]["name"].as_str()?;
                Some((method.to_uppercase(), header.to_owned()))
            };
            let capabilities = operations.iter().filter_map(capability).collect();
            Self { path: path.clone(), methods, open, capabilities }
        };
        document["paths"].as_object().unwrap().iter().map(read).collect()
    }

    /// The names of the ids in its path.
    pub(crate) fn parameters(&self) -> Vec<&str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
    }

    /// Those of somebody's things.
    pub(crate) fn ids(&self, real: &Real) -> Vec<String> {
        self.parameters().into_iter().map(|name| real.of(&self.path, name).to_owned()).collect()
    }

    /// The path with these in it.
    pub(crate) fn at(&self, ids: &[String]) -> String {
        let names = self.parameters().into_iter().map(|name| format!("{{{name}}}"));
        names.zip(ids).fold(self.path.clone(), |path, (name, id)| path.replace(&name, id))
    }

    /// The header with the token by which this method knows its asker, where that is not an account.
    pub(crate) fn capability(&self, method: &Method) -> Option<&str> {
        let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
        self.capabilities.get(method).map(String::as_str)
    }

    /// Whether the method is documented; HEAD is wherever GET is.
    pub(crate) fn takes(&self, method: &Method) -> bool {
        self.methods.contains(method) || (*method == Method::HEAD && self.methods.contains(&Method::GET))
    }

    /// Whether it is about a handoff or what is handed over.
    pub(crate) fn is_of_handoff(&self) -> bool {
        ["/api/v1/handoffs/{id}", "/api/v1/bundles/{id}"].iter().any(|start| self.path.starts_with(start))
    }

    /// What it takes, so that only its ids are wrong.
    pub(crate) fn body(&self, method: &Method, asker: &Person) -> Value {
        let bytes = |bytes: Vec<u8>| Bytes::from(bytes);
        let body = match (method.as_str(), self.path.as_str()) {
            // The bundle of a pairing is a parcel: see `pairings`.
            ("GET" | "HEAD" | "DELETE", _)
            | ("PUT" | "PATCH", "/api/v1/packs/{id}")
            | ("PUT", "/api/v1/pairings/{id}/bundle")
            | ("POST", "/api/v1/handoffs/{id}/decline") => Ok(json!({})),
            ("PUT", "/api/v1/bundles/{id}/own-wrap") => {
                serde_json::to_value(OwnWrap { wrap: bytes(wrap(WrapKind::Own, asker.card()).encode()) })
            }
            ("POST", "/api/v1/pairings/{id}/answer") => {
                let answer = Answer {
                    method: Way::Code,
                    attempt: 1,
                    share: [1; 32],
                    nonce: [1; 16],
                    tag: [1; 64],
                    hello: vec![1; 60],
                };
                serde_json::to_value(AnswerPairing { answer: bytes(answer.encode()) })
            }
            ("POST", "/api/v1/pairings/{id}/claim") => Ok(json!({"attempt": 1, "release": bytes(pairing::release())})),
            ("POST", "/api/v1/pairings/{id}/refuse") => Ok(json!({"attempt": 1})),
            ("POST", "/api/v1/pairings/{id}/revoke") => Ok(json!({"reason": "user"})),
            ("POST", "/api/v1/pairings/{id}/acknowledge") => Ok(json!({"acknowledgement": bytes(vec![1; 48])})),
            ("POST", "/api/v1/pairings/{id}/return") => Ok(json!({"returned": bytes(vec![1; 16 * 1024 + 16])})),
            ("POST", "/api/v1/pairings/{id}/device") => Ok(json!({
                "key_card": bytes(asker.signed_card.encode()), "device_name": "phone",
                "device_token_hash": bytes(vec![1; 32]),
            })),
            ("POST", path) if path.starts_with("/api/v1/pairings/{id}/") => Ok(json!({})),
            ("PUT", "/api/v1/sessions/{id}/project") => Ok(json!({"project_id": null})),
            ("PUT", "/api/v1/projects/{id}/records/{kind}/{ref_id}") => {
                Ok(json!({"title": "Mine", "body": "", "version": 1}))
            }
            ("POST", "/api/v1/projects/{id}/records/{kind}") => Ok(json!({"title": "Mine"})),
            ("POST", "/api/v1/projects/{id}/members") => Ok(json!({"user_id": asker.user_id, "role": "member"})),
            ("POST", "/api/v1/handoffs/{id}/claim") => {
                serde_json::to_value(Claim { claim_proof: bytes(vec![0; 32]), own_wrap: None })
            }
            ("POST", "/api/v1/handoffs/{id}/revoke") => Ok(json!({"reason": "x"})),
            ("POST", "/api/v1/handoffs/{id}/comments") => Ok(json!({"body": "x"})),
            ("POST", "/api/v1/handoffs/{id}/wraps") => {
                serde_json::to_value(LateWrap { wrap: bytes(wrap(WrapKind::User, asker.card()).encode()) })
            }
            ("POST", "/api/v1/handoffs/{id}/invite-proof") => {
                serde_json::to_value(InviteProof { proof: bytes(vec![0; 32]) })
            }
            ("POST", "/api/v1/teams/{id}/rosters") => {
                // A roster that reads, signed by whoever asks: what is wrong with it is the team.
                let signed = asker.sign_roster(&roster::first(asker, &[(asker, MemberRole::Admin)]));
                serde_json::to_value(PublishRoster { roster: bytes(signed.encode()), keys: Vec::new(), name: None })
            }
            (method, path) => panic!("{method} {path} takes a body that this test does not know"),
        };
        body.unwrap()
    }
}
