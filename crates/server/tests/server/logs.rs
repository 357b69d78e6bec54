//! The log says what happened, and nothing of what was said.

use segue_api::handoffs::Claimed;

use crate::harness::{
    TestServer,
    seal::{Draft, TestPack},
};

on_both! {
    async fn no_token_body_id_or_query_is_logged(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let pack = TestPack::new(2_000);
        let (snapshot, session) = ann.push_new(&pack).await;
        let reservation = ann.reserve(&session.session_id, &ben.email).await;
        let mut draft = Draft::handoff(&ann, &snapshot, &reservation.handoff_id, reservation.not_after, &[ben.card()]);
        "planted-message-7f3a".clone_into(&mut draft.envelope.header.message);
        "planted-title-7f3a".clone_into(&mut draft.envelope.header.card.title);
        let answer = ann.post_once("/api/v1/handoffs", "planted-key-7f3a", &draft.body(&draft.sign(&ann))).await;
        assert_eq!(answer.status, 201);
        ben.get("/api/v1/handoffs?box=inbox&cursor=planted-cursor-7f3a").await;
        ben.get("/api/v1/handoffs/planted-id-7f3a").await;
        ben.claim(&reservation.handoff_id, draft.claim).await.ok::<Claimed>();
        let log = String::from_utf8(crate::harness::log().lock().unwrap().clone()).unwrap();
        assert!(log.contains("/api/v1/handoffs/{id}/claim") && log.contains("\"status\":200"));
        let answered: Vec<serde_json::Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|line: &serde_json::Value| line["message"] == "answered")
            .collect();
        assert!(answered.len() > 5);
        for line in answered {
            assert!(line["request_id"].as_str().is_some_and(|id| id.len() == 16), "{line}");
        }
        let proof = data_encoding::BASE64URL_NOPAD.encode(&draft.claim);
        let secrets = [&ann.token, &ben.token, &proof, &ann.user_id, &reservation.handoff_id, &session.session_id];
        for planted in secrets.into_iter().map(String::as_str).chain(["7f3a", "ben@example.com"]) {
            assert!(!log.contains(planted), "{planted} was logged");
        }
    }

    async fn a_private_session_leaves_no_word_behind(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
        let reservation = ann.reserve(&session.session_id, &ben.email).await;
        let mut draft = Draft::handoff(&ann, &snapshot, &reservation.handoff_id, reservation.not_after, &[ben.card()]);
        draft.envelope.header.message.clear();
        draft.envelope.header.card = segue_signed::Card::default();
        assert_eq!(ann.post("/api/v1/handoffs", &draft.body(&draft.sign(&ann))).await.status, 201);
        let bodies = server.column("SELECT body FROM outbox").await;
        let mail: serde_json::Value = serde_json::from_str(&bodies[0]).unwrap();
        assert_eq!((mail["about"]["message"].as_str(), mail["about"]["card"]["title"].as_str()), (Some(""), Some("")));
        assert_eq!(mail["to"]["email"], "ben@example.com");
        let proof = data_encoding::BASE64URL_NOPAD.encode(&draft.claim);
        assert!(!bodies[0].contains(&proof));
    }
}
