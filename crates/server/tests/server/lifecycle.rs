//! What parties do to a handoff: revoke, decline, write to each other, read its log (SPEC T9–T14).

use segue_api::handoffs::{Comment, Comments, Event, Events, Handoff, Handoffs};
use segue_signed::{lv::Writer, sha256};
use serde_json::{Value, json};

use crate::harness::{
    HOUR_MS, Person, TestServer,
    person::Answer,
    seal::{Draft, TestPack},
    team::Team,
};

impl Person {
    pub(crate) async fn act(&self, handoff: &Handoff, deed: &str, body: Value) -> Answer {
        self.post(&format!("/api/v1/handoffs/{}/{deed}", handoff.handoff_id), &body).await
    }

    pub(crate) async fn revoke(&self, handoff: &Handoff) -> Answer {
        self.act(handoff, "revoke", json!({"reason": "stale"})).await
    }

    pub(crate) async fn decline(&self, handoff: &Handoff) -> Answer {
        self.act(handoff, "decline", json!({"reason": "wrong queue"})).await
    }

    pub(crate) async fn comment(&self, handoff: &Handoff, body: &str) -> Answer {
        self.act(handoff, "comments", json!({ "body": body })).await
    }

    pub(crate) async fn see(&self, handoff: &Handoff) -> Answer {
        self.get(&format!("/api/v1/handoffs/{}", handoff.handoff_id)).await
    }

    /// Every event of a handoff's log, page by page.
    pub(crate) async fn log(&self, handoff: &Handoff) -> Vec<Event> {
        let (mut events, mut cursor) = (Vec::new(), "0".to_owned());
        loop {
            let path = format!("/api/v1/handoffs/{}/events?limit=2&cursor={cursor}", handoff.handoff_id);
            let page: Events = self.get(&path).await.ok();
            events.extend(page.events);
            let Some(next) = page.next else { return events };
            cursor = next;
        }
    }

    pub(crate) async fn inbox(&self) -> Vec<Handoff> {
        self.get("/api/v1/handoffs?box=inbox").await.ok::<Handoffs>().handoffs
    }
}

async fn handed(server: &TestServer) -> (Person, Person, Draft, Handoff) {
    let (ann, ben) = server.ann_and_ben().await;
    let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
    let (draft, handoff) = ann.hand(&snapshot, &ben).await;
    (ann, ben, draft, handoff)
}

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

on_both! {
    async fn a_sender_takes_back_and_says_why(server: TestServer) {
        let (ann, ben, draft, handoff) = handed(&server).await;
        for reason in [json!({}), json!({"reason": ""}), json!({"reason": " \n"}), json!({"reason": "x".repeat(501)})] {
            assert_eq!(ann.act(&handoff, "revoke", reason).await.status, 422);
        }
        assert_eq!(ben.see(&handoff).await.status, 200);
        let revoked: Handoff = ann.act(&handoff, "revoke", json!({"reason": "ü".repeat(500)})).await.ok();
        assert_eq!((revoked.status.as_str(), revoked.reason.as_deref()), ("revoked", Some("ü".repeat(500).as_str())));
        let seen: Handoff = ben.see(&handoff).await.ok();
        assert_eq!((seen.status.as_str(), seen.reason), ("revoked", revoked.reason));
        for answer in [ann.revoke(&handoff).await, ben.decline(&handoff).await, ben.claim(&handoff.handoff_id, draft.claim).await] {
            assert_eq!(answer.refused(), refusal(409, "revoked"));
        }
        assert_eq!(kinds(&ann.log(&handoff).await), ["created", "viewed", "revoked"]);
        assert_eq!(server.column("SELECT kind FROM outbox ORDER BY created_at, kind").await, ["created", "revoked"]);
        assert_eq!(server.count("SELECT COUNT(*) FROM bundles WHERE kind = 'handoff' AND manifest IS NOT NULL").await, 0);
        assert_eq!(server.count("SELECT COUNT(*) FROM wraps w JOIN bundles b ON b.id = w.bundle_id WHERE b.kind = 'handoff'").await, 0);
    }

    async fn a_recipient_refuses_with_or_without_a_reason(server: TestServer) {
        let (ann, ben, draft, handoff) = handed(&server).await;
        assert_eq!(ben.act(&handoff, "decline", json!({"reason": "x".repeat(501)})).await.status, 422);
        let declined: Handoff = ben.decline(&handoff).await.ok();
        assert_eq!((declined.status.as_str(), declined.reason.as_deref()), ("declined", Some("wrong queue")));
        for answer in [ann.revoke(&handoff).await, ben.decline(&handoff).await, ben.claim(&handoff.handoff_id, draft.claim).await] {
            assert_eq!(answer.refused(), refusal(409, "declined"));
        }
        let log = ann.log(&handoff).await;
        assert_eq!(kinds(&log), ["created", "declined"]);
        assert_eq!(log[1].payload, r#"{"reason":"wrong queue"}"#);
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (_, other) = ann.hand(&snapshot, &ben).await;
        assert_eq!(ben.act(&other, "decline", json!({})).await.ok::<Handoff>().reason, None);
    }

    async fn nothing_but_the_expiry_happens_to_what_is_over(server: TestServer) {
        let (ann, ben, _, handoff) = handed(&server).await;
        server.clock.advance(168 * HOUR_MS);
        for _ in 0..2 {
            assert_eq!(ann.revoke(&handoff).await.refused(), refusal(410, "expired"));
            assert_eq!(ben.decline(&handoff).await.refused(), refusal(410, "expired"));
        }
        let seen: Handoff = ann.see(&handoff).await.ok();
        assert_eq!((seen.status.as_str(), seen.reason), ("expired", None));
        assert_eq!(kinds(&ann.log(&handoff).await), ["created", "expired"]);
    }

    async fn a_late_deed_answers_its_repeat_like_itself(server: TestServer) {
        let (ann, _, _, handoff) = handed(&server).await;
        server.clock.advance(168 * HOUR_MS);
        let path = format!("/api/v1/handoffs/{}/revoke", handoff.handoff_id);
        for _ in 0..2 {
            let answer = ann.post_once(&path, "late", &json!({"reason": "stale"})).await;
            assert_eq!(answer.refused(), refusal(410, "expired"));
        }
    }

    async fn both_parties_write_whatever_the_state(server: TestServer) {
        let (ann, ben, draft, handoff) = handed(&server).await;
        for body in ["", " \n\t", &"x".repeat(10_001)] {
            assert_eq!(ann.comment(&handoff, body).await.status, 422);
        }
        assert_eq!(ann.comment(&handoff, &"ü".repeat(10_000)).await.status, 201);
        let said: Comment = ben.comment(&handoff, "which branch?").await.ok();
        assert_eq!((said.author.email.as_str(), said.body.as_str()), (ben.email.as_str(), "which branch?"));
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        assert_eq!(ann.comment(&handoff, "main").await.status, 201);
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (_, revoked) = ann.hand(&snapshot, &ben).await;
        assert_eq!(ann.revoke(&revoked).await.status, 200);
        assert_eq!(ben.comment(&revoked, "why?").await.status, 201);
        assert_eq!(server.column("SELECT kind FROM outbox WHERE kind = 'commented'").await.len(), 4, "each told the other");
    }

    async fn a_comment_on_what_is_over_is_kept_and_the_expiry_too(server: TestServer) {
        let (ann, ben, _, handoff) = handed(&server).await;
        server.clock.advance(168 * HOUR_MS);
        assert_eq!(ben.comment(&handoff, "too late, sorry").await.status, 201);
        assert_eq!(kinds(&ann.log(&handoff).await), ["created", "expired", "commented"]);
    }

    async fn no_comment_is_unreachable(server: TestServer) {
        let (ann, ben, _, handoff) = handed(&server).await;
        for number in 0..205 {
            assert_eq!(ann.comment(&handoff, &format!("c{number}")).await.status, 201);
        }
        let (mut read, mut path) = (Vec::new(), format!("/api/v1/handoffs/{}/comments", handoff.handoff_id));
        loop {
            let page: Comments = ben.get(&path).await.ok();
            read.extend(page.comments.into_iter().map(|comment| comment.body));
            let Some(next) = page.next else { break };
            path = format!("/api/v1/handoffs/{}/comments?cursor={next}", handoff.handoff_id);
        }
        assert_eq!(read, (0..205).map(|number| format!("c{number}")).collect::<Vec<_>>());
        for query in ["cursor=x", "limit=0", "limit=101", "offset=1"] {
            assert_eq!(ben.get(&format!("/api/v1/handoffs/{}/comments?{query}", handoff.handoff_id)).await.status, 422);
        }
    }

    async fn a_log_can_be_verified_by_who_reads_it(server: TestServer) {
        let (ann, ben, draft, handoff) = handed(&server).await;
        ben.see(&handoff).await;
        ben.comment(&handoff, "taking it").await;
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        let log = ann.log(&handoff).await;
        assert_eq!(kinds(&log), ["created", "viewed", "commented", "claimed"]);
        let mut previous = None;
        for (number, event) in (1_u64..).zip(&log) {
            let bytes = Writer::labelled("segue/event/1").text(&handoff.handoff_id).u64(number).text(&event.kind)
                .text(&event.actor).text(&event.actor_type).u64(event.at.unsigned_abs()).text(&event.payload)
                .optional(previous.as_deref()).finish();
            assert_eq!((event.previous.as_ref().map(|hash| hash.0.clone()), event.hash.0.as_slice()), (previous, sha256(&bytes).as_slice()));
            previous = Some(event.hash.0.clone());
        }
        let head = ann.see(&handoff).await.ok::<Handoff>().log_head.unwrap();
        assert_eq!((head.seq, Some(head.hash.0)), (4, previous));
        assert_eq!(log[3].actor_name.as_deref(), Some("A Person"));
    }

    async fn each_deed_is_for_its_role_and_else_unknown(server: TestServer) {
        let (ann, ben, draft, handoff) = handed(&server).await;
        let cy = ann.bring("cy@example.com").await;
        for _ in 0..2 {
            assert_eq!(ben.revoke(&handoff).await.refused(), refusal(404, "not_found"));
            assert_eq!(ann.decline(&handoff).await.refused(), refusal(404, "not_found"));
            for answer in [cy.revoke(&handoff).await, cy.decline(&handoff).await, cy.comment(&handoff, "hi").await] {
                assert_eq!(answer.refused(), refusal(404, "not_found"));
            }
            // The same once it is claimed.
            ben.claim(&handoff.handoff_id, draft.claim).await;
        }
        assert_eq!(kinds(&ann.log(&handoff).await), ["created", "claimed"]);
    }

    async fn of_a_team_each_declines_for_themselves_and_the_last_for_all(server: TestServer) {
        let ann = server.owner().await;
        let (ben, cy) = (ann.bring("ben@example.com").await, ann.bring("cy@example.com").await);
        let team = Team::of(&server, &ann, &[ben.clone(), cy.clone()]).await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand_to_team(&snapshot, &team).await;
        for _ in 0..2 {
            assert_eq!(ben.decline(&handoff).await.ok::<Handoff>().status, "pending");
        }
        assert_eq!((ben.inbox().await.len(), cy.inbox().await.len()), (0, 1));
        assert_eq!(kinds(&ann.log(&handoff).await), ["created", "member_declined"]);
        // Who declined may still claim; who sent it may neither decline nor claim.
        assert_eq!(ann.decline(&handoff).await.refused(), refusal(404, "not_found"));
        assert_eq!(ann.claim(&handoff.handoff_id, draft.claim).await.refused(), refusal(404, "not_found"));
        let (second, other) = ann.hand_to_team(&snapshot, &team).await;
        assert_eq!(ben.decline(&other).await.status, 200);
        assert_eq!(ben.claim(&other.handoff_id, second.claim).await.status, 200);
        assert_eq!(ben.inbox().await.len(), 1, "what one claimed is in one's inbox");
        assert_eq!(cy.decline(&handoff).await.ok::<Handoff>().status, "declined");
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.refused(), refusal(409, "declined"));
        assert_eq!(kinds(&ann.log(&handoff).await), ["created", "member_declined", "declined"]);
        assert_eq!(server.column("SELECT kind FROM outbox WHERE kind <> 'created' ORDER BY kind").await, ["claimed", "declined"]);
        assert_eq!(server.column("SELECT kind FROM outbox WHERE kind = 'created'").await.len(), 4, "each member but the sender, twice");
    }

    async fn who_left_a_team_is_a_stranger_but_keeps_what_they_claimed(server: TestServer) {
        let ann = server.owner().await;
        let (ben, cy) = (ann.bring("ben@example.com").await, ann.bring("cy@example.com").await);
        let team = Team::of(&server, &ann, &[ben.clone(), cy.clone()]).await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, claimed) = ann.hand_to_team(&snapshot, &team).await;
        assert_eq!(ben.claim(&claimed.handoff_id, draft.claim).await.status, 200);
        let (other, pending) = ann.hand_to_team(&snapshot, &team).await;
        team.remove(&server, &ben).await;
        for answer in [ben.see(&pending).await, ben.claim(&pending.handoff_id, other.claim).await, ben.decline(&pending).await, ben.comment(&pending, "x").await] {
            assert_eq!(answer.refused(), refusal(404, "not_found"));
        }
        assert_eq!(ben.inbox().await.iter().map(|one| one.handoff_id.as_str()).collect::<Vec<_>>(), [claimed.handoff_id.as_str()]);
        assert_eq!(ben.comment(&claimed, "done").await.status, 201);
        assert_eq!(ben.claim(&claimed.handoff_id, draft.claim).await.status, 200, "the claim can be repeated");
        // Who lost reads no more of what the two say, and writes nothing.
        for answer in [cy.get(&format!("/api/v1/handoffs/{}/comments", claimed.handoff_id)).await, cy.comment(&claimed, "x").await] {
            assert_eq!(answer.refused(), refusal(404, "not_found"));
        }
        assert_eq!(cy.see(&claimed).await.ok::<Handoff>().status, "claimed");
        assert_eq!(cy.claim(&claimed.handoff_id, draft.claim).await.refused(), refusal(409, "already_claimed"));
    }
}
