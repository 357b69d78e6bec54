//! The repeat of a changing request gives the first answer (SPEC T18).

use futures::future::join_all;
use segue_api::{
    bundles::Pushed,
    handoffs::{Claim, Handoff, Reservation, Reserve},
    invites::{CreateInvite, Invite},
};
use segue_domain::SessionId;

use crate::harness::{
    HOUR_MS, TestServer,
    seal::{Draft, TestPack, draw},
};

on_both! {
    async fn repeats_get_the_first_answer_even_at_the_same_moment(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let pack = TestPack::new(2_000);
        ann.upload(&pack).await;
        let draft = Draft::snapshot(&ann, &SessionId::from_bytes(draw()).to_string(), &[&pack]);
        let (signed, key) = (draft.sign(&ann), "one");
        let body = draft.body(&signed);
        let answers = join_all((0..16).map(|_| ann.post_once("/api/v1/bundles", key, &body))).await;
        let sessions: Vec<Pushed> = answers.iter().map(|answer| answer.ok()).collect();
        assert!(answers.iter().all(|answer| answer.status == 201) && sessions.iter().all(|session| *session == sessions[0]));
        assert_eq!(server.count("SELECT CAST(SUM(refs) AS BIGINT) FROM packs").await, 1);

        let (session_id, to_email) = (sessions[0].session_id.clone(), Some(ben.email.clone()));
        let reserve = Reserve { session_id, to_email, ..Reserve::default() };
        let answers = join_all((0..16).map(|_| ann.post_once("/api/v1/handoffs/reserve", "two", &reserve))).await;
        let reservations: Vec<Reservation> = answers.iter().map(|answer| answer.ok()).collect();
        assert!(reservations.iter().all(|reservation| reservation.handoff_id == reservations[0].handoff_id));

        let (id, not_after) = (&reservations[0].handoff_id, reservations[0].not_after);
        let draft = Draft::handoff(&ann, &signed, id, not_after, &[ben.card()]);
        let body = draft.body(&draft.sign(&ann));
        let answers = join_all((0..16).map(|_| ann.post_once("/api/v1/handoffs", "three", &body))).await;
        let handoffs: Vec<Handoff> = answers.iter().map(|answer| answer.ok()).collect();
        assert!(handoffs.iter().all(|handoff| *handoff == handoffs[0]));
        assert_eq!(server.count("SELECT COUNT(*) FROM outbox").await, 1);

        let claim = Claim { claim_proof: draft.claim.to_vec().into(), own_wrap: None };
        let path = format!("/api/v1/handoffs/{id}/claim");
        let answers = join_all((0..16).map(|_| ben.post_once(&path, "four", &claim))).await;
        assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body));
        // Somebody else's repeat of it is a stranger's request.
        let cy = ann.bring("cy@example.com").await;
        assert_eq!(cy.post_once(&path, "four", &claim).await.status, 404);
    }

    async fn a_key_stands_for_one_request(server: TestServer) {
        let ann = server.owner().await;
        let invite = |email: &str| CreateInvite { email: email.to_owned(), vouch: false, token_hash: Some(draw::<32>().to_vec().into()) };
        let (first, second) = (invite("a@example.com"), invite("b@example.com"));
        let made: Invite = ann.post_once("/api/v1/invites", "key", &first).await.ok();
        let again: Invite = ann.post_once("/api/v1/invites", "key", &first).await.ok();
        assert_eq!(made, again);
        let reused = ann.post_once("/api/v1/invites", "key", &second).await;
        assert_eq!(reused.refused(), (422, "idempotency_key_reused".to_owned()));
        for key in ["", &"k".repeat(129)] {
            assert_eq!(ann.post_once("/api/v1/invites", key, &second).await.refused(), (422, "invalid".to_owned()));
        }
        // A refused request leaves its key free, and a day later the key is free anyway.
        let wrong = CreateInvite { email: "nobody".to_owned(), ..second.clone() };
        assert_eq!(ann.post_once("/api/v1/invites", "other", &wrong).await.status, 422);
        assert_eq!(ann.post_once("/api/v1/invites", "other", &second).await.status, 201);
        server.clock.advance(24 * HOUR_MS + 1);
        segue_server::sweep::once(&server.app).await.unwrap();
        assert_eq!(server.count("SELECT COUNT(*) FROM idempotency").await, 0);
    }
}
