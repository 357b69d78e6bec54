//! The whole path: join, upload, push, hand over, claim, fetch.

use segue_api::{
    account::Account,
    bundles::{Bundle, OwnWrap},
    handoffs::{Claim, Claimed, Handoff, Handoffs, Role},
    sessions::{Session, Sessions},
};
use segue_signed::{MemberRole, WrapKind};

use crate::harness::{
    TestServer,
    roster::{after, keys},
    seal::{Draft, TestPack, wrap},
    team::Team,
};

on_both! {
    async fn a_session_goes_from_one_person_to_another(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let account: Account = ben.get("/api/v1/account").await.ok();
        assert!(account.email_verified && !account.owner && account.plan == "team" && account.storage_used == 0);
        let pack = TestPack::new(300_000);
        let (snapshot, session) = ann.push_new(&pack).await;
        assert_eq!((session.seq, session.card.title.as_str()), (1, "fix the parser"));
        let account: Account = ann.get("/api/v1/account").await.ok();
        assert!(account.storage_used > 300_000 && account.storage_used < 302_000);

        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        assert_eq!((handoff.status.as_str(), handoff.role), ("pending", Role::Sender));
        assert_eq!(handoff.expires_at, crate::harness::BEGIN.as_millis() + 168 * crate::harness::HOUR_MS);
        let inbox: Handoffs = ben.get("/api/v1/handoffs?box=inbox").await.ok();
        assert_eq!(inbox.handoffs.len(), 1);
        let path = format!("/api/v1/handoffs/{}", handoff.handoff_id);
        let bundle: Bundle = ben.get(&format!("{path}/bundle")).await.ok();
        assert_eq!(bundle.envelope.0, draft.sign(&ann).as_bytes());
        assert_eq!(bundle.wrap.unwrap().0, draft.wraps[0].encode());
        assert_eq!((bundle.preview.unwrap().0, bundle.sender_card.0), (draft.preview.clone(), ann.signed_card.encode()));

        let claimed: Claimed = ben.claim(&handoff.handoff_id, draft.claim).await.ok();
        let manifest = ben.get(&format!("/api/v1/bundles/{}/manifest", claimed.bundle_id)).await;
        assert_eq!(manifest.body, draft.manifest);
        let fetched = ben.get(&format!("/api/v1/bundles/{}/packs/{}", claimed.bundle_id, pack.id())).await;
        assert!(fetched.body == pack.bytes);
        let seen: Handoff = ben.get(&path).await.ok();
        assert_eq!((seen.status.as_str(), seen.claimed_session_id.as_ref()), ("claimed", Some(&claimed.session_id)));
        let seen: Handoff = ann.get(&path).await.ok();
        assert!(seen.status == "claimed" && seen.claimed_session_id.is_none() && seen.viewed_at.is_some());
        let session: Session = ben.get(&format!("/api/v1/sessions/{}", claimed.session_id)).await.ok();
        assert_eq!(session.parent_session_id.as_deref(), Some(handoff.session_id.as_str()));
        let sessions: Sessions = ben.get("/api/v1/sessions").await.ok();
        assert_eq!(sessions.sessions, [session]);
    }

    async fn the_claimers_own_wrap_replaces_all_others_and_they_go_on_from_there(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let pack = TestPack::new(5_000);
        let (snapshot, _) = ann.push_new(&pack).await;
        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        let own = wrap(WrapKind::Own, ben.card());
        let path = format!("/api/v1/bundles/{}/own-wrap", draft.bundle_id());
        let body = OwnWrap { wrap: own.encode().into() };
        assert_eq!(ben.put(&path, &body).await.refused(), (404, "not_found".to_owned()), "before the claim");
        let claimed: Claimed = ben.claim(&handoff.handoff_id, draft.claim).await.ok();
        for _ in 0..2 {
            assert_eq!(ben.put(&path, &body).await.status, 204);
        }
        assert_eq!(server.count("SELECT COUNT(*) FROM wraps WHERE kind = 'user'").await, 0);
        let bundle: Bundle = ben.get(&format!("/api/v1/sessions/{}/bundle", claimed.session_id)).await.ok();
        assert_eq!(bundle.wrap.unwrap().0, own.encode());

        // Ben lists Ann's pack again, beside one of his own.
        let more = TestPack::new(3_000);
        assert_eq!(ben.upload(&more).await.status, 201);
        let mut next = Draft::next(&ben, &draft.sign(&ann), &[&pack, &more]);
        claimed.session_id.clone_into(&mut next.envelope.header.session_id);
        let (_, session) = ben.push(&next).await;
        assert_eq!((session.session_id.as_str(), session.seq), (claimed.session_id.as_str(), 2));
        let fetched = ben.get(&format!("/api/v1/bundles/{}/packs/{}", next.bundle_id(), pack.id())).await;
        assert!(fetched.body == pack.bytes);
        // What was handed over is still described to both, and repeating the claim leads to the same session.
        let again: Claimed = ben.claim(&handoff.handoff_id, draft.claim).await.ok();
        assert_eq!(again, claimed);
        let bundle: Bundle = ann.get(&format!("/api/v1/handoffs/{}/bundle", handoff.handoff_id)).await.ok();
        assert!(bundle.wrap.is_none() && bundle.preview.is_none());
    }

    async fn a_claim_that_brings_its_own_wrap_needs_nothing_of_the_team_any_more(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let roster = ann.team_with(&[&ben]).await;
        let (snapshot, _) = ann.push_new(&TestPack::new(5_000)).await;
        let (draft, handoff) = ann.hand_to_team(&snapshot, &Team::published(&roster)).await;
        let path = format!("/api/v1/handoffs/{}", handoff.handoff_id);
        let claim = |wrap: Vec<u8>| Claim { claim_proof: draft.claim.to_vec().into(), own_wrap: Some(wrap.into()) };
        // One that is not his leaves everything as it was.
        let not_his = ben.post(&format!("{path}/claim"), &claim(wrap(WrapKind::Own, ann.card()).encode())).await;
        assert_eq!(not_his.status, 422);
        assert_eq!(ben.get(&path).await.ok::<Handoff>().status, "pending");
        let own = wrap(WrapKind::Own, ben.card()).encode();
        for _ in 0..2 {
            ben.post(&format!("{path}/claim"), &claim(own.clone())).await.ok::<Claimed>();
        }
        assert_eq!(server.count("SELECT COUNT(*) FROM wraps WHERE kind = 'team'").await, 0);
        let left = after(&roster, &[(&ann, MemberRole::Admin)]);
        assert_eq!(ann.publish(&left, keys(&[&ann])).await.status, 200);
        let bundle: Bundle = ben.get(&format!("{path}/bundle")).await.ok();
        assert_eq!(bundle.wrap.unwrap().0, own);
    }
}
