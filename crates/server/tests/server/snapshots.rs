//! A handoff is a snapshot: what its sender does later neither reaches nor harms it (SPEC T3, T22).

use segue_api::{handoffs::Claimed, sessions::Session};

use crate::harness::{
    TestServer,
    seal::{Draft, TestPack},
};

const REFS: &str = "SELECT CAST(COALESCE(SUM(refs), 0) AS BIGINT) FROM packs";

on_both! {
    async fn what_was_handed_over_outlives_pushes_and_deletion(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (first, second) = (TestPack::new(4_000), TestPack::new(5_000));
        let (snapshot, session) = ann.push_new(&first).await;
        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        assert_eq!(server.count(REFS).await, 2);
        // Ann goes on, with a new pack and the old one, then without the old one, then deletes the session.
        ann.upload(&second).await;
        let (next, _) = ann.push(&Draft::next(&ann, &snapshot, &[&first, &second])).await;
        assert_eq!(server.count(REFS).await, 3);
        let (_, last) = ann.push(&Draft::next(&ann, &next, &[&second])).await;
        assert_eq!((server.count(REFS).await, last.seq), (2, 3));
        let path = format!("/api/v1/sessions/{}", session.session_id);
        assert_eq!(ann.delete(&path).await.status, 204);
        assert_eq!(ann.get(&path).await.status, 404);
        assert_eq!(server.count(REFS).await, 1);
        server.clock.advance(48 * crate::harness::HOUR_MS);
        for _ in 0..2 {
            segue_server::sweep::once(&server.app).await.unwrap();
            server.clock.advance(2 * crate::harness::HOUR_MS);
        }
        // Ben fetches every byte of what was handed over, and nothing else.
        let claimed: Claimed = ben.claim(&handoff.handoff_id, draft.claim).await.ok();
        let base = format!("/api/v1/bundles/{}", claimed.bundle_id);
        assert_eq!(ben.get(&format!("{base}/manifest")).await.body, draft.manifest);
        assert!(ben.get(&format!("{base}/packs/{}", first.id())).await.body == first.bytes);
        assert_eq!(ben.get(&format!("{base}/packs/{}", second.id())).await.status, 404);
        // What Ben does stays Ben's: nothing of it is Ann's to see, and deleting it lets go of the last reference.
        let path = format!("/api/v1/sessions/{}", claimed.session_id);
        assert_eq!(ann.get(&path).await.status, 404);
        assert_eq!(ben.delete(&path).await.status, 204);
        assert_eq!(server.count(REFS).await, 0);
    }

    async fn two_devices_that_push_the_same_session_do_not_overwrite_each_other(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(2_000);
        let (snapshot, session) = ann.push_new(&pack).await;
        let drafts: Vec<_> = (0..8).map(|_| Draft::next(&ann, &snapshot, &[&pack])).collect();
        let bodies: Vec<_> = drafts.iter().map(|draft| draft.body(&draft.sign(&ann))).collect();
        let answers = futures::future::join_all(bodies.iter().map(|body| ann.post("/api/v1/bundles", body))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!(answer.refused(), (409, "diverged".to_owned()));
        }
        assert_eq!((server.count(REFS).await, server.count("SELECT COUNT(*) FROM bundles").await), (1, 1));
        let now: Session = ann.get(&format!("/api/v1/sessions/{}", session.session_id)).await.ok();
        assert_eq!(now.seq, 2);
        // Nor does a second first one, nor one that continues nothing.
        let again = Draft::snapshot(&ann, &session.session_id, &[&pack]);
        let answer = ann.post("/api/v1/bundles", &again.body(&again.sign(&ann))).await;
        assert_eq!(answer.refused(), (409, "diverged".to_owned()));
        let mut orphan = Draft::next(&ann, &snapshot, &[&pack]);
        "ses_00000000000000000000000000".clone_into(&mut orphan.envelope.header.session_id);
        let answer = ann.post("/api/v1/bundles", &orphan.body(&orphan.sign(&ann))).await;
        assert_eq!(answer.refused(), (409, "diverged".to_owned()));
        // Bytes of a replaced snapshot are not served any more.
        assert_eq!(ann.get(&format!("/api/v1/bundles/{}/manifest", session.bundle_id)).await.status, 404);
    }

    async fn a_bundle_id_is_used_once(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let pack = TestPack::new(2_000);
        let (snapshot, _) = ann.push_new(&pack).await;
        let mut twin = Draft::next(&ann, &snapshot, &[&pack]);
        twin.envelope.header.bundle_id = snapshot.envelope.header.bundle_id;
        let answer = ann.post("/api/v1/bundles", &twin.body(&twin.sign(&ann))).await;
        assert_eq!(answer.refused(), (409, "conflict".to_owned()));
        // A snapshot is no handoff, and the other way round.
        let draft = Draft::next(&ann, &snapshot, &[&pack]);
        let answer = ann.post("/api/v1/handoffs", &draft.body(&draft.sign(&ann))).await;
        assert_eq!(answer.refused(), (422, "invalid".to_owned()));
        let reservation = ann.reserve(&snapshot.envelope.header.session_id, &ben.email).await;
        let draft = Draft::handoff(&ann, &snapshot, &reservation.handoff_id, reservation.not_after, &[ben.card()]);
        let answer = ann.post("/api/v1/bundles", &draft.body(&draft.sign(&ann))).await;
        assert_eq!(answer.refused(), (422, "invalid".to_owned()));
    }
}
