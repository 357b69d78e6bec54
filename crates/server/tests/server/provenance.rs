//! Tickets, personas and attachments of handoffs: checked when one is created, and again for whom it is claimed (SPEC T15,
//! T16).

use segue_api::{
    handoffs::{Claimed, Dropped, DroppedBecause, Events, Handoff},
    projects::{Project, Record},
    sessions::Session,
};
use segue_signed::{Header, SignedEnvelope};
use serde_json::{Value, json};

use crate::harness::{
    Person, TestServer,
    person::Answer,
    seal::{Draft, TestPack},
    team::Team,
};

/// Ann's project with a record of each kind, and a session of hers in it.
struct Scene {
    ann: Person,
    ben: Person,
    project: String,
    ticket: String,
    snapshot: SignedEnvelope,
}

impl Scene {
    async fn set(server: &TestServer) -> Self {
        let (ann, ben) = server.ann_and_ben().await;
        let body = json!({"name": "SDK", "git_remote": "git@github.com:acme/sdk.git"});
        let project: Project = ann.post("/api/v1/projects", &body).await.ok();
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let project = project.project_id;
        let mut scene = Self { ann, ben, project, ticket: String::new(), snapshot };
        scene.ticket = scene.make("ticket", json!({"title": "Fix the parser"})).await;
        scene.make("persona", json!({"ref_id": "reviewer", "title": "Reviews"})).await;
        scene.make("wiki_page", json!({"ref_id": "deploy", "title": "Deploy"})).await;
        scene.make("kb_entry", json!({"title": "Learned"})).await;
        let session = &scene.snapshot.envelope.header.session_id;
        let into = json!({"project_id": scene.project});
        assert_eq!(scene.ann.put(&format!("/api/v1/sessions/{session}/project"), &into).await.status, 204);
        scene
    }

    fn at(&self, rest: &str) -> String {
        format!("/api/v1/projects/{}/{rest}", self.project)
    }

    async fn make(&self, kind: &str, body: Value) -> String {
        self.ann.post(&self.at(&format!("records/{kind}")), &body).await.ok::<Record>().entry.ref_id
    }

    async fn let_in(&self, person: &Person) {
        let body = json!({"user_id": person.user_id, "role": "member"});
        assert_eq!(self.ann.post(&self.at("members"), &body).await.status, 200);
    }

    async fn hand(&self, change: impl FnOnce(&mut Header)) -> (Draft, Answer) {
        let session = &self.snapshot.envelope.header.session_id;
        let reservation = self.ann.reserve(session, &self.ben.email).await;
        let (id, not_after) = (&reservation.handoff_id, reservation.not_after);
        let mut draft = Draft::handoff(&self.ann, &self.snapshot, id, not_after, &[self.ben.card()]);
        change(&mut draft.envelope.header);
        let answer = self.ann.post("/api/v1/handoffs", &draft.body(&draft.sign(&self.ann))).await;
        (draft, answer)
    }

    /// With ticket, persona and one attachment of each kind.
    async fn hand_all(&self) -> (Draft, Handoff) {
        let (draft, answer) = self.hand(|header| self.refer(header)).await;
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        (draft, answer.ok())
    }

    fn refer(&self, header: &mut Header) {
        header.ticket.clone_from(&self.ticket);
        "reviewer".clone_into(&mut header.persona);
        header.attachments = self.attachments();
    }

    fn attachments(&self) -> Vec<String> {
        vec!["wiki_page:deploy".to_owned(), "kb_entry:1".to_owned(), format!("ticket:{}", self.ticket)]
    }

    async fn claim(&self, draft: &Draft, handoff: &Handoff) -> Claimed {
        self.ben.claim(&handoff.handoff_id, draft.claim).await.ok()
    }

    /// The payloads of what was dropped, as the log has them.
    async fn logged(&self, handoff: &Handoff) -> Vec<Value> {
        let events: Events = self.ben.get(&format!("/api/v1/handoffs/{}/events", handoff.handoff_id)).await.ok();
        let dropped = events.events.iter().filter(|event| event.kind == "attachment_dropped");
        dropped.map(|event| serde_json::from_str(&event.payload).unwrap()).collect()
    }
}

fn dropped(kind: &str, ref_id: &str, reason: DroppedBecause) -> Dropped {
    Dropped { kind: kind.to_owned(), ref_id: ref_id.to_owned(), reason }
}

on_both! {
    async fn a_member_is_given_everything(server: TestServer) {
        let scene = Scene::set(&server).await;
        scene.let_in(&scene.ben).await;
        let (draft, handoff) = scene.hand_all().await;
        let seen: Handoff = scene.ben.get(&format!("/api/v1/handoffs/{}", handoff.handoff_id)).await.ok();
        assert_eq!((seen.ticket.as_ref(), seen.persona.as_deref()), (Some(&scene.ticket), Some("reviewer")));
        assert_eq!(seen.attachments, scene.attachments());
        let claimed = scene.claim(&draft, &handoff).await;
        assert!(claimed.dropped.is_empty() && scene.logged(&handoff).await.is_empty());
        let active = claimed.active_ticket.clone().unwrap();
        assert_eq!((active.project_id.as_str(), active.project_name.as_str()), (scene.project.as_str(), "SDK"));
        assert_eq!(active.git_remote.as_deref(), Some("github.com/acme/sdk"));
        assert_eq!((active.ticket_id.as_ref(), active.persona.as_deref()), (Some(&scene.ticket), Some("reviewer")));
        assert_eq!(active.ticket_title.as_deref(), Some("Fix the parser"));
        let copy: Session = scene.ben.get(&format!("/api/v1/sessions/{}", claimed.session_id)).await.ok();
        assert_eq!(copy.parent_session_id, Some(handoff.session_id.clone()));
        let of = (copy.project_id.as_ref(), copy.ticket.as_ref(), copy.persona.as_deref());
        assert_eq!(of, (Some(&scene.project), Some(&scene.ticket), Some("reviewer")));
        assert_eq!(scene.claim(&draft, &handoff).await, claimed);
    }

    async fn who_is_not_a_member_is_told_of_each_that_is_dropped(server: TestServer) {
        let scene = Scene::set(&server).await;
        let (draft, handoff) = scene.hand_all().await;
        let claimed = scene.claim(&draft, &handoff).await;
        let not = |kind, ref_id| dropped(kind, ref_id, DroppedBecause::NotAccessible);
        let expected = [
            not("ticket", &scene.ticket),
            not("persona", "reviewer"),
            not("wiki_page", "deploy"),
            not("kb_entry", "1"),
            not("ticket", &scene.ticket),
        ];
        assert_eq!(claimed.dropped, expected);
        assert_eq!(claimed.active_ticket, None);
        let expected = serde_json::to_value(expected).unwrap();
        assert_eq!(Value::Array(scene.logged(&handoff).await), expected);
        let copy: Session = scene.ben.get(&format!("/api/v1/sessions/{}", claimed.session_id)).await.ok();
        assert_eq!((copy.project_id, copy.ticket, copy.persona), (None, None, None));
        // A repeat says the same, even when Ben could be given it by now, and records nothing more.
        scene.let_in(&scene.ben).await;
        assert_eq!(scene.claim(&draft, &handoff).await, claimed);
        assert_eq!(scene.logged(&handoff).await.len(), 5);
    }

    async fn what_was_deleted_meanwhile_is_dropped_and_the_rest_is_given(server: TestServer) {
        let scene = Scene::set(&server).await;
        scene.let_in(&scene.ben).await;
        let (draft, handoff) = scene.hand_all().await;
        for deleted in ["records/wiki_page/deploy", "records/persona/reviewer"] {
            assert_eq!(scene.ann.delete(&scene.at(deleted)).await.status, 204);
        }
        let claimed = scene.claim(&draft, &handoff).await;
        let gone = |kind, ref_id| dropped(kind, ref_id, DroppedBecause::Deleted);
        assert_eq!(claimed.dropped, [gone("persona", "reviewer"), gone("wiki_page", "deploy")]);
        let active = claimed.active_ticket.unwrap();
        assert_eq!((active.ticket_id.as_ref(), active.persona), (Some(&scene.ticket), None));
        assert_eq!(scene.logged(&handoff).await.len(), 2);
    }

    async fn a_former_member_is_given_nothing_and_so_is_nobody_of_a_deleted_project(server: TestServer) {
        let scene = Scene::set(&server).await;
        scene.let_in(&scene.ben).await;
        let (first, left) = scene.hand_all().await;
        let (second, deleted) = scene.hand_all().await;
        assert_eq!(scene.ann.delete(&scene.at(&format!("members/{}", scene.ben.user_id))).await.status, 204);
        assert_eq!(scene.claim(&first, &left).await.dropped.len(), 5);
        scene.let_in(&scene.ben).await;
        assert_eq!(scene.ann.delete(&format!("/api/v1/projects/{}", scene.project)).await.status, 204);
        let claimed = scene.claim(&second, &deleted).await;
        assert!(claimed.dropped.iter().all(|one| one.reason == DroppedBecause::NotAccessible));
        assert_eq!((claimed.dropped.len(), claimed.active_ticket), (5, None));
    }

    async fn only_live_records_of_the_sessions_project_can_be_handed_over(server: TestServer) {
        let scene = Scene::set(&server).await;
        let other: Project = scene.ann.post("/api/v1/projects", &json!({"name": "Other"})).await.ok();
        let tickets = format!("/api/v1/projects/{}/records/ticket", other.project_id);
        let elsewhere: Record = scene.ann.post(&tickets, &json!({"title": "Elsewhere"})).await.ok();
        let gone = scene.make("kb_entry", json!({"title": "Wrong"})).await;
        assert_eq!(scene.ann.delete(&scene.at(&format!("records/kb_entry/{gone}"))).await.status, 204);
        for (change, named) in [
            (json!({"ticket": "tkt_00000000000000000000000000"}), "tkt_00000000000000000000000000"),
            (json!({"ticket": "tkt_1"}), "tkt_1"),
            (json!({"ticket": elsewhere.entry.ref_id}), elsewhere.entry.ref_id.as_str()),
            (json!({"persona": "nobody"}), "nobody"),
            (json!({"attach": "kb_entry:99"}), "99"),
            (json!({"attach": format!("kb_entry:{gone}")}), gone.as_str()),
            (json!({"attach": "wiki_page:../etc"}), "../etc"),
        ] {
            let text = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
            let (_, answer) = scene.hand(|header| {
                (header.ticket, header.persona) = (text("ticket"), text("persona"));
                header.attachments = Some(text("attach")).filter(|text| !text.is_empty()).into_iter().collect();
            }).await;
            assert!(String::from_utf8_lossy(&answer.body).contains(named), "{change}");
            assert_eq!(answer.refused(), (422, "not_in_project".to_owned()), "{change}");
        }
        for unknown in ["file:/etc/passwd", "persona:reviewer", "deploy"] {
            let (_, answer) = scene.hand(|header| header.attachments = vec![unknown.to_owned()]).await;
            assert_eq!(answer.refused(), (422, "invalid".to_owned()), "{unknown}");
        }
        assert_eq!(server.count("SELECT COUNT(*) FROM handoffs").await, 0);
    }

    async fn whose_session_is_in_no_project_refers_to_nothing(server: TestServer) {
        let scene = Scene::set(&server).await;
        let session = &scene.snapshot.envelope.header.session_id;
        let out = scene.ann.put(&format!("/api/v1/sessions/{session}/project"), &json!({"project_id": null})).await;
        assert_eq!(out.status, 204);
        let (_, answer) = scene.hand(|header| header.ticket.clone_from(&scene.ticket)).await;
        assert_eq!(answer.refused(), (422, "not_in_project".to_owned()));
        let (_, answer) = scene.hand(|_| ()).await;
        assert_eq!(answer.status, 201);
        let tagged = json!({"project_id": scene.project, "ticket": "tkt_00000000000000000000000000"});
        let answer = scene.ann.put(&format!("/api/v1/sessions/{session}/project"), &tagged).await;
        assert_eq!(answer.refused(), (422, "not_in_project".to_owned()));
        let homeless = json!({"ticket": scene.ticket});
        let answer = scene.ann.put(&format!("/api/v1/sessions/{session}/project"), &homeless).await;
        assert_eq!(answer.refused(), (422, "invalid".to_owned()));
    }

    async fn of_a_team_whoever_claims_is_given_what_they_may_see(server: TestServer) {
        let scene = Scene::set(&server).await;
        let cy = scene.ann.bring("cy@example.com").await;
        scene.let_in(&scene.ben).await;
        let team = Team::of(&server, &scene.ann, &[scene.ben.clone(), cy.clone()]).await;
        for (claimer, member) in [(&scene.ben, true), (&cy, false)] {
            let mut draft = scene.ann.seal_for_team(&scene.snapshot, &team).await;
            scene.refer(&mut draft.envelope.header);
            let handoff: Handoff = scene.ann.post("/api/v1/handoffs", &draft.body(&draft.sign(&scene.ann))).await.ok();
            let claimed: Claimed = claimer.claim(&handoff.handoff_id, draft.claim).await.ok();
            // Ticket, persona and three attachments.
            assert_eq!((claimed.dropped.len(), claimed.active_ticket.is_some()), if member { (0, true) } else { (5, false) });
            let session: Session = claimer.get(&format!("/api/v1/sessions/{}", claimed.session_id)).await.ok();
            assert_eq!(session.ticket.as_ref(), Some(&scene.ticket).filter(|_| member));
        }
    }

    // As when a newer server, which knows more kinds, was taken back.
    async fn a_kind_that_the_server_no_longer_knows_is_dropped(server: TestServer) {
        let scene = Scene::set(&server).await;
        scene.let_in(&scene.ben).await;
        let (draft, handoff) = scene.hand_all().await;
        server.damage("UPDATE handoffs SET provenance = '{\"attachments\": [\"diagram:7\", \"kb_entry:1\"]}'").await;
        let claimed = scene.claim(&draft, &handoff).await;
        assert_eq!(claimed.dropped, [dropped("diagram", "7", DroppedBecause::UnknownKind)]);
    }
}
