//! An answer depends on syntax and principal, never on existence (`docs/protocol.md` §5, Existence; SPEC T14).
//!
//! Every route, asker, id and state are in `matrix`; here is what comes before and beside ids.

use reqwest::Method;
use segue_api::bundles::OwnWrap;
use segue_signed::WrapKind;

use crate::{
    harness::{
        TestServer,
        seal::{Draft, TestPack, draw, wrap},
    },
    matrix::{ask, face, routes::strange},
};

on_both! {
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
            for strange in strange(std::slice::from_ref(&session.bundle_id), usize::MAX) {
                assert_eq!(face(&ask(&cy, &Method::PUT, &path(&strange[0]), &body).await), expected, "{strange:?}");
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
}
