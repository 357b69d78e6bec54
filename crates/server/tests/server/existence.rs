//! An answer depends on syntax and principal, never on existence (`docs/protocol.md` §5, Existence; SPEC T14).
//!
//! The routes come from the OpenAPI document, so a new one is met here by itself.

use std::collections::BTreeMap;

use reqwest::Method;
use segue_api::{
    UPLOAD_OFFSET,
    bundles::OwnWrap,
    handoffs::Claim,
    projects::{Project, Record},
    teams::PublishRoster,
};
use segue_signed::{MemberRole, WrapKind};
use serde_json::{Value, json};

use crate::harness::{
    Person, TestServer,
    person::Answer,
    roster,
    seal::{Draft, TestPack, draw, wrap},
};

/// Every method that a client might try.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::PATCH, Method::OPTIONS];

/// Status, headers and body, without the date.
fn face(answer: &Answer) -> (u16, BTreeMap<String, Vec<u8>>, Vec<u8>) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
    let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    (answer.status.as_u16(), headers, answer.body.clone())
}

/// Ids that exist, by what stands before them in a path.
struct Real {
    handoff: String,
    bundle: String,
    session: String,
    pack: String,
    project: String,
    member: String,
    ticket: String,
    team: String,
    token: String,
}

impl Real {
    fn of(&self, path: &str, parameter: &str) -> &str {
        match (path.split('/').nth(3).unwrap(), parameter) {
            (_, "user_id") => &self.member,
            (_, "kind") => "ticket",
            (_, "ref_id") => &self.ticket,
            ("projects", _) => &self.project,
            (_, "pack_id") | ("packs", _) => &self.pack,
            ("handoffs", _) => &self.handoff,
            ("bundles", _) => &self.bundle,
            ("sessions", _) => &self.session,
            ("teams", _) => &self.team,
            ("tokens", _) => &self.token,
            _ => panic!("{path} has an id that this test does not know"),
        }
    }
}

/// Ids that are not there, of every kind: unknown, of another kind, malformed, over-long, not even text.
fn strange(real: &str) -> Vec<String> {
    let unknown = segue_domain::HandoffId::from_bytes(draw()).to_string().replace("hnd_", &real[..4]);
    let mut ids = vec![unknown, format!("xyz_{}", &real[4..]), real.to_uppercase(), "a".repeat(65), "a".repeat(5_000)];
    ids.extend(["x", "%00", "%ff%fe", "'%20OR%201=1", "..%2f..%2fetc", "%F0%9F%92%A9", "nil"].map(str::to_owned));
    ids
}

/// The documented routes that have an id in their path.
fn routes_with_ids() -> Vec<(String, Vec<Method>)> {
    let document = serde_json::to_value(segue_server::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().clone();
    let methods =
        |item: &Value| item.as_object().unwrap().keys().map(|method| method.to_uppercase().parse().unwrap()).collect();
    let with_ids = paths.into_iter().filter(|(path, _)| path.contains('{'));
    with_ids.map(|(path, item)| (path, methods(&item))).collect()
}

fn body_for(path: &str, asker: &Person) -> Value {
    if path.ends_with("/claim") {
        return serde_json::to_value(Claim { claim_proof: vec![0; 32].into() }).unwrap();
    }
    if path.ends_with("/own-wrap") {
        let own = wrap(WrapKind::Own, asker.card()).encode();
        return serde_json::to_value(OwnWrap { wrap: own.into() }).unwrap();
    }
    if path.ends_with("/members") {
        return json!({"user_id": asker.user_id, "role": "member"});
    }
    if path.ends_with("/records/{kind}") {
        return json!({"title": "Mine"});
    }
    if path.ends_with("/{ref_id}") {
        return json!({"title": "Mine", "body": "", "version": 1});
    }
    if path.ends_with("/wraps") {
        return json!({"wrap": segue_api::Bytes(wrap(WrapKind::User, asker.card()).encode())});
    }
    if path.ends_with("/invite-proof") {
        return json!({"proof": segue_api::Bytes(vec![0; 32])});
    }
    for (end, body) in
        [("/revoke", json!({"reason": "x"})), ("/decline", json!({})), ("/comments", json!({"body": "x"}))]
    {
        if path.ends_with(end) {
            return body;
        }
    }
    if path.ends_with("/rosters") {
        // A roster that reads, signed by whoever asks: what is wrong with it is the team.
        let signed = asker.sign_roster(&roster::first(asker, &[(asker, MemberRole::Admin)])).encode().into();
        return serde_json::to_value(PublishRoster { roster: signed, keys: Vec::new(), name: None }).unwrap();
    }
    json!({})
}

async fn ask(asker: &Person, method: &Method, path: &str, body: &Value) -> Answer {
    Answer::of(asker.request(method.clone(), path).header(UPLOAD_OFFSET, 0).json(body)).await
}

/// Asks for a real thing and for strange ones; all answers must be one.
async fn same_face(asker: &Person, real: &Real, path: &str, method: &Method, documented: bool) {
    let body = body_for(path, asker);
    let parameters: Vec<_> = ["id", "pack_id", "user_id", "kind", "ref_id"]
        .into_iter()
        .filter(|name| path.contains(&format!("{{{name}}}")))
        .collect();
    let whole = |ids: &[&str]| {
        parameters.iter().zip(ids).fold(path.to_owned(), |path, (name, id)| path.replace(&format!("{{{name}}}"), id))
    };
    let reals: Vec<_> = parameters.iter().map(|name| real.of(path, name)).collect();
    let expected = face(&ask(asker, method, &whole(&reals), &body).await);
    let status = if documented { 404 } else { 405 };
    assert_eq!(expected.0, status, "{method} {path}");
    assert!(expected.1.contains_key("cache-control") && expected.1.contains_key("x-content-type-options"));
    for position in 0..parameters.len() {
        for strange in strange(reals[position]) {
            let mut ids = reals.clone();
            ids[position] = &strange;
            let answer = face(&ask(asker, method, &whole(&ids), &body).await);
            assert_eq!(answer, expected, "{method} {path} with {strange}");
        }
    }
}

on_both! {
    async fn a_stranger_meets_one_404_on_every_route_and_verb(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let cy = ann.bring("cy@example.com").await;
        let pack = TestPack::new(2_000);
        let (snapshot, session) = ann.push_new(&pack).await;
        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        let project: Project = ann.post("/api/v1/projects", &json!({"name": "Parser"})).await.ok();
        let tickets = format!("/api/v1/projects/{}/records/ticket", project.project_id);
        let ticket: Record = ann.post(&tickets, &json!({"title": "Fix it"})).await.ok();
        let handed = Real {
            handoff: handoff.handoff_id.clone(),
            bundle: draft.bundle_id().to_string(),
            session: session.session_id.clone(),
            pack: pack.id().to_string(),
            project: project.project_id,
            member: ann.user_id.clone(),
            ticket: ticket.entry.ref_id,
            team: roster::id(&ann.team_with(&[&ben]).await).to_string(),
            token: ann.by_token(&["handoffs:read"]).await.1,
        };
        let pushed = Real { bundle: session.bundle_id.clone(), ..Real { ..handed } };
        let routes = routes_with_ids();
        assert!(routes.len() >= 9, "{routes:?}");
        for (path, documented) in &routes {
            for method in &METHODS {
                let known = documented.contains(method) || (*method == Method::HEAD && documented.contains(&Method::GET));
                // An upload under another's id is an upload like any other: see below.
                if *method == Method::PUT && path == "/api/v1/packs/{id}" {
                    continue;
                }
                same_face(&cy, &pushed, path, method, known).await;
            }
        }
        assert_eq!(server.column("SELECT kind FROM events").await, ["created"]);
    }

    async fn a_bad_body_is_judged_before_the_id(server: TestServer) {
        let ann = server.owner().await;
        let cy = ann.bring("cy@example.com").await;
        let (_, session) = ann.push_new(&TestPack::new(2_000)).await;
        let others = wrap(WrapKind::Own, ann.card()).encode();
        for bad in [vec![0; 3], others] {
            let body = serde_json::to_value(OwnWrap { wrap: bad.into() }).unwrap();
            let path = |id: &str| format!("/api/v1/bundles/{id}/own-wrap");
            let expected = face(&ask(&cy, &Method::PUT, &path(&session.bundle_id), &body).await);
            assert_eq!(expected.0, 422);
            for strange in strange(&session.bundle_id) {
                assert_eq!(face(&ask(&cy, &Method::PUT, &path(&strange), &body).await), expected, "{strange}");
            }
        }
    }

    async fn a_party_in_the_wrong_role_or_too_early_is_a_stranger(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let pack = TestPack::new(2_000);
        let (snapshot, _) = ann.push_new(&pack).await;
        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        let unknown = segue_domain::HandoffId::from_bytes(draw()).to_string();
        // The sender in the recipient's role, with the right proof and with a wrong one, before and after the claim.
        let expected = face(&ann.claim(&unknown, draft.claim).await);
        assert_eq!(expected.0, 404);
        for proof in [draft.claim, [0; 32]] {
            assert_eq!(face(&ann.claim(&handoff.handoff_id, proof).await), expected);
        }
        // Sealed content before the claim: neither for the recipient nor for the sender.
        for asker in [&ann, &ben] {
            for rest in ["manifest".to_owned(), format!("packs/{}", pack.id())] {
                let real = asker.get(&format!("/api/v1/bundles/{}/{rest}", draft.bundle_id())).await;
                assert_eq!(face(&real), expected, "{rest}");
            }
        }
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        assert_eq!(face(&ann.claim(&handoff.handoff_id, draft.claim).await), expected);
        // And no route at all looks the same.
        for path in ["/api/v1/nothing", "/api", "/", "/api/v1/handoffs/", "/api/v2/handoffs"] {
            assert_eq!(face(&ann.get(path).await), expected, "{path}");
        }
    }

    async fn ids_that_clients_draw_are_free_whoever_else_uses_them(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let pack = TestPack::new(2_000);
        let (snapshot, session) = ann.push_new(&pack).await;
        // Ben uploads other bytes under the id of Ann's pack, and pushes a session under the id of Ann's.
        let mut own = TestPack::new(1_000);
        own.entry.id = pack.entry.id;
        assert_eq!(ben.upload(&own).await.status, 201);
        let (_, bens) = ben.push(&Draft::snapshot(&ben, &session.session_id, &[&own])).await;
        assert_eq!(bens.session_id, session.session_id);
        let fetched = ann.get(&format!("/api/v1/bundles/{}/packs/{}", session.bundle_id, pack.id())).await;
        assert!(fetched.body == pack.bytes);
        assert_eq!(ben.delete(&format!("/api/v1/sessions/{}", session.session_id)).await.status, 204);
        assert_eq!(ann.get(&format!("/api/v1/sessions/{}", session.session_id)).await.status, 200);
        // A pack of Ann's is not Ben's to list, even when he knows its id, hash and length.
        let stolen = Draft::snapshot(&ben, &segue_domain::SessionId::from_bytes(draw()).to_string(), &[&pack]);
        let answer = ben.post("/api/v1/bundles", &stolen.body(&stolen.sign(&ben))).await;
        assert_eq!(answer.refused(), (409, "pack_unusable".to_owned()));
        assert_eq!(snapshot.envelope.packs.len(), 1);
    }

    async fn a_revoked_device_is_out_at_once(server: TestServer) {
        let ann = server.owner().await;
        assert_eq!(ann.get("/api/v1/account").await.status, 200);
        server.damage("UPDATE devices SET revoked_at = 1").await;
        assert_eq!(ann.get("/api/v1/account").await.status, 401);
        assert_eq!(ann.upload(&TestPack::new(2_000)).await.status, 401);
    }

    async fn without_a_token_every_id_gets_the_same_401(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (_, handoff) = ann.hand(&snapshot, &ben).await;
        let nobody = Person { token: "A".repeat(43), ..ann.clone() };
        let expected = face(&nobody.get("/api/v1/handoffs/x").await);
        assert_eq!(expected.0, 401);
        let real = format!("/api/v1/handoffs/{}", handoff.handoff_id);
        assert_eq!(face(&nobody.get(&real).await), expected);
        let short = Person { token: "AAAA".to_owned(), ..ann.clone() };
        assert_eq!(face(&short.get(&real).await), expected);
    }
}
