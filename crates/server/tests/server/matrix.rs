//! Who meets what: every documented route, every kind of asker, every kind of id, every state (`docs/protocol.md` §5, Existence;
//! SPEC T14). What is not an asker's gets the one 404, byte for byte, whether it is there or not.
//!
//! The routes come from the OpenAPI document. One that is new fails here until `routes` knows its ids, its body and, where it
//! concerns a handoff, whose it is.

pub(crate) mod cases;
pub(crate) mod routes;
pub(crate) mod world;

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt as _, stream};
use reqwest::Method;
use segue_api::{UPLOAD_OFFSET, pairings::FETCH_TOKEN};
use serde_json::{Value, json};

use crate::harness::{HOUR_MS, Person, TestServer, person::Answer};
use cases::{Case, Role, To};
use routes::{METHODS, Route, strange};
use world::World;

/// Requests at once: with more, the machine is no faster.
const AT_ONCE: usize = 8;

/// Status, headers and body, without the date.
pub(crate) type Face = (u16, BTreeMap<String, Vec<u8>>, Vec<u8>);

pub(crate) fn face(answer: &Answer) -> Face {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
    let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    (answer.status.as_u16(), headers, answer.body.clone())
}

pub(crate) async fn ask(asker: &Person, method: &Method, path: &str, body: &Value) -> Answer {
    let request = asker.http.request(method.clone(), format!("{}{path}", asker.url)).header(UPLOAD_OFFSET, 0);
    let request = if asker.token.is_empty() { request } else { request.bearer_auth(&asker.token) };
    Answer::of(request.json(body)).await
}

/// One answer for all methods: what HEAD gets is the same without its body.
#[derive(Clone)]
pub(crate) struct One(Face);

impl One {
    /// What `asker` gets for an id that nobody has.
    async fn of(asker: &Person, status: u16) -> Self {
        let one = face(&asker.get("/api/v1/handoffs/hnd_00000000000000000000000000").await);
        assert_eq!(one.0, status);
        assert!(one.1.contains_key("cache-control") && one.1.contains_key("x-content-type-options"));
        Self(one)
    }

    fn to(&self, method: &Method) -> Face {
        let mut face = self.0.clone();
        if *method == Method::HEAD {
            face.2.clear();
        }
        face
    }
}

/// Who asks without the token that a route knows its askers by is told so, whatever the id; with one that is nobody's, an id
/// that is not there is the one 404 for everybody.
async fn capability(world: &World, not_found: &One, route: &Route, method: &Method, header: &str) {
    let (real, foreign) = (route.ids(&world.anns), route.ids(&world.fays));
    let body = route.body(method, &world.fay);
    let everybody = || world.refused.iter().map(|(nobody, _)| nobody).chain([&world.fay, &world.ann]);
    let one = face(&ask(&world.fay, method, &route.at(&real), &body).await);
    assert_eq!(one.0, 401, "{method} {}", route.path);
    for asker in everybody() {
        for ids in [&real, &foreign].into_iter().cloned().chain(strange(&real, 2)) {
            assert_eq!(face(&ask(asker, method, &route.at(&ids), &body).await), one, "{method} {} {ids:?}", route.path);
        }
        for ids in strange(&real, usize::MAX).into_iter().chain((header == FETCH_TOKEN).then(|| real.clone())) {
            let request = asker.http.request(method.clone(), format!("{}{}", asker.url, route.at(&ids)));
            let request = request.bearer_auth(&asker.token).header(header, "A".repeat(43)).json(&body);
            assert_eq!(face(&Answer::of(request).await), not_found.to(method), "{method} {} {ids:?}", route.path);
        }
    }
}

/// Everybody who asks for what is not theirs, on one route.
async fn sweep(world: Arc<World>, not_found: One, route: Route) {
    let (real, foreign) = (route.ids(&world.anns), route.ids(&world.fays));
    for method in &METHODS {
        let get = async |asker: &Person, ids: &[String]| {
            let body = if route.takes(method) { route.body(method, asker) } else { json!({}) };
            face(&ask(asker, method, &route.at(ids), &body).await)
        };
        if !route.takes(method) {
            // That is said to everybody, whatever the id.
            let one = get(&world.fay, &real).await;
            assert_eq!(one.0, 405, "{method} {}", route.path);
            assert_eq!(get(&world.refused[0].0, &real).await, one, "{method} {}", route.path);
            for ids in strange(&real, 2) {
                assert_eq!(get(&world.fay, &ids).await, one, "{method} {} {ids:?}", route.path);
            }
            continue;
        }
        if let Some(header) = route.capability(method) {
            capability(&world, &not_found, &route, method, header).await;
            continue;
        }
        for (nobody, one) in &world.refused {
            for ids in [&real, &foreign].into_iter().cloned().chain(strange(&real, 2)) {
                assert_eq!(get(nobody, &ids).await, one.to(method), "{method} {} {ids:?} by nobody", route.path);
            }
        }
        // A token without the scope says so whatever is asked for, even when it is its owner's.
        for program in [world.unscoped(&route), &world.fays_program] {
            let one = get(program, &real).await;
            assert!(
                one.0 == 403 || (program.email == world.fay.email && one == not_found.to(method)),
                "{method} {}",
                route.path
            );
            for ids in
                [&real, &foreign].into_iter().cloned().chain(strange(&real, 2)).skip(usize::from(one.0 == 404) * 2)
            {
                assert_eq!(get(program, &ids).await, one, "{method} {} {ids:?} by a token", route.path);
            }
        }
        // An upload under another's id is an upload like any other: see `existence`.
        if *method == Method::PUT && route.path == "/api/v1/packs/{id}" {
            continue;
        }
        // A parcel must be its sender's before anything is looked up: see `pairings`.
        if *method == Method::PUT && route.path == "/api/v1/pairings/{id}/bundle" {
            continue;
        }
        // Those who have nothing to do with Ann's things ask for hers, and she and hers for Fay's.
        let mut asked: Vec<_> = strange(&real, usize::MAX).into_iter().map(|ids| (&world.fay, ids)).collect();
        asked.extend([&world.fay, &world.dan, &world.eve].map(|outsider| (outsider, real.clone())));
        for party in [&world.ann, &world.ben, &world.cy] {
            asked.push((party, foreign.clone()));
            asked.extend(strange(&real, 2).into_iter().map(|ids| (party, ids)));
        }
        for (asker, ids) in asked {
            let found = get(asker, &ids).await;
            assert_eq!(found, not_found.to(method), "{method} {} {ids:?} by {}", route.path, asker.email);
        }
    }
}

/// Somebody who asks for something of a handoff.
struct Probe<'a> {
    role: Role,
    asker: &'a Person,
    method: &'a Method,
    route: &'a Route,
    case: &'a Case,
}

impl Probe<'_> {
    async fn ask(&self) -> Face {
        let path = self.route.at(&self.route.ids(&self.case.real));
        face(&ask(self.asker, self.method, &path, &self.route.body(self.method, self.asker)).await)
    }

    fn name(&self) -> String {
        let (to, state) = (self.case.to, self.case.state);
        format!("{} {} by {:?}, to {to:?}, {state:?}", self.method, self.route.path, self.role)
    }

    fn is_allowed(&self) -> bool {
        self.case.may(self.role, self.method, &self.route.path)
    }

    /// Whether asking changes nothing that the next one could notice: a claim is tried with a proof that opens nothing.
    fn is_harmless(&self) -> bool {
        *self.method == Method::GET || self.route.path.ends_with("/claim")
    }
}

/// Everybody's rights to handoffs, as they stand.
async fn rights(server: &TestServer, not_found: &One, world: &World, cases: &[&Case]) {
    // The sweep notices by itself what is over.
    let happened = "SELECT COUNT(*) FROM events WHERE kind <> 'expired'";
    let routes: Vec<_> = Route::documented().into_iter().filter(Route::is_of_handoff).collect();
    let mut probes = Vec::new();
    for (case, route) in cases.iter().flat_map(|case| routes.iter().map(move |route| (*case, route))) {
        for (role, asker) in case.people(world) {
            probes.extend(route.methods.iter().map(|method| Probe { role, asker, method, route, case }));
        }
    }
    let (allowed, refused): (Vec<_>, Vec<_>) = probes.iter().partition(|probe| probe.is_allowed());
    let events = server.count(happened).await;
    let mut found = stream::iter(refused).map(async |probe| (probe, probe.ask().await)).buffer_unordered(AT_ONCE);
    while let Some((probe, found)) = found.next().await {
        assert_eq!(found, not_found.to(probe.method), "{}", probe.name());
    }
    assert_eq!(server.count(happened).await, events, "somebody who may not changed something");
    let harmless = allowed.into_iter().filter(|probe| probe.is_harmless());
    let mut found = stream::iter(harmless).map(async |probe| (probe, probe.ask().await)).buffer_unordered(AT_ONCE);
    while let Some((probe, found)) = found.next().await {
        assert_ne!(found.0, 404, "{}", probe.name());
    }
}

on_both! {
    async fn what_is_not_ones_own_is_one_answer_on_every_route(server: TestServer) {
        let world = Arc::new(Box::pin(World::begin(&server)).await);
        let not_found = One::of(&world.fay, 404).await;
        let with_ids: Vec<_> = Route::documented().into_iter().filter(|route| !route.parameters().is_empty()).collect();
        assert!(with_ids.len() >= 24, "{}", with_ids.len());
        let tasks: Vec<_> =
            with_ids.into_iter().map(|route| tokio::spawn(sweep(Arc::clone(&world), not_found.clone(), route))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(server.column("SELECT kind FROM events ORDER BY kind").await, ["created"; 2]);
    }

    async fn who_is_not_signed_in_gets_one_401_wherever_that_is_asked(server: TestServer) {
        let world = Box::pin(World::begin(&server)).await;
        for route in Route::documented().iter().filter(|route| route.parameters().is_empty()) {
            for method in METHODS.iter().filter(|method| route.takes(method)) {
                for (nobody, one) in &world.refused {
                    let found = face(&ask(nobody, method, &route.path, &json!({})).await);
                    let account = !route.open && route.capability(method).is_none();
                    assert_eq!(found == one.to(method), account, "{method} {}", route.path);
                }
            }
        }
    }

    async fn a_handoff_is_there_for_its_parties_only_whatever_its_state(server: TestServer) {
        let mut world = Box::pin(World::begin(&server)).await;
        let not_found = One::of(&world.fay, 404).await;
        let cases = Case::all(&server, &world).await;
        rights(&server, &not_found, &world, &cases.iter().collect::<Vec<_>>()).await;
        // Others come, and others leave.
        world.team.remove(&server, &world.cy).await;
        let gus = world.ann.bring("gus@example.com").await;
        world.team.add(&server, &gus).await;
        world.dan = std::mem::replace(&mut world.cy, gus);
        rights(&server, &not_found, &world, &cases.iter().filter(|case| case.to == To::Team).collect::<Vec<_>>()).await;
        // Before anybody has noticed that the time is over, and after.
        server.clock.advance(168 * HOUR_MS);
        let open: Vec<_> = cases.iter().filter(|case| case.is_open()).collect();
        for _ in 0..2 {
            rights(&server, &not_found, &world, &open).await;
            for case in &open {
                assert_eq!(world.ann.get(&case.path()).await.ok::<Value>()["status"], "expired");
            }
        }
    }

    async fn an_id_in_a_body_says_no_more_than_one_in_a_path(server: TestServer) {
        let world = Box::pin(World::begin(&server)).await;
        let (not_found, ann, eve) = (One::of(&world.fay, 404).await, &world.ann, &world.eve);
        let (session, project) = (&world.anns.session, format!("/api/v1/sessions/{}/project", world.anns.session));
        for id in [world.fays.session.as_str(), "ses_00000000000000000000000000", "x", ""] {
            let body = json!({"session_id": id, "to_email": eve.email});
            assert_eq!(face(&ann.post("/api/v1/handoffs/reserve", &body).await), not_found.0, "{id}");
        }
        for id in [world.fays.team.as_str(), "team_00000000000000000000000000", "x"] {
            let body = json!({"session_id": session, "to_team_id": id});
            assert_eq!(face(&ann.post("/api/v1/handoffs/reserve", &body).await), not_found.0, "{id}");
        }
        for id in [world.fays.project.as_str(), "prj_00000000000000000000000000", "x", ""] {
            assert_eq!(face(&ann.put(&project, &json!({"project_id": id})).await), not_found.0, "{id}");
        }
    }
}
