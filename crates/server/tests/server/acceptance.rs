//! Behaviours of the acceptance list (`docs/acceptance.md`) that no other module shows.

use segue_api::{
    bundles::Bundle,
    handoffs::{Handoff, Handoffs, Recipient, Reservation, ReservedFor, Role},
};
use serde_json::{Value, json};

use crate::harness::{
    BEGIN, HOUR_MS, Person, TestServer,
    person::Answer,
    seal::{Draft, TestPack},
    team::Team,
};

async fn reserve(ann: &Person, session: &str, more: Value) -> Answer {
    let mut body = json!({ "session_id": session });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ann.post("/api/v1/handoffs/reserve", &body).await
}

on_both! {
    async fn a_handoff_says_what_is_handed_by_whom_and_to_whom(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
        let (_, created) = ann.hand(&snapshot, &ben).await;
        assert!(created.handoff_id.starts_with("hnd_"));
        assert_eq!((created.status.as_str(), created.role), ("pending", Role::Sender));
        assert_eq!((&created.session_id, &created.card), (&session.session_id, &session.card));
        assert_eq!((created.card.title.as_str(), created.card.tool.as_str()), ("fix the parser", "claude-code"));
        assert_eq!(created.message, "can you take it from here?");
        assert_eq!(ann.see(&created).await.ok::<Handoff>(), created);
        // Each box has it, and whoever looks, the sender is the sender.
        let sent: Handoffs = ann.get("/api/v1/handoffs?box=sent").await.ok();
        assert_eq!(sent.handoffs, [created]);
        let [given] = ben.inbox().await.try_into().unwrap();
        assert_eq!((given.role, given.sender.email.as_str()), (Role::Recipient, ann.email.as_str()));
        let Recipient::User(to) = given.recipient else { panic!("to a person") };
        assert_eq!(to.email, ben.email);
        assert!(ann.inbox().await.is_empty());
    }

    async fn eight_hundred_hours_are_granted_as_seven_hundred_and_twenty(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (_, session) = ann.push_new(&TestPack::new(2_000)).await;
        for (asked, granted) in [(800, 720), (720, 720), (719, 719), (1, 1)] {
            let more = json!({"to_email": ben.email, "expires_in_hours": asked});
            let reservation: Reservation = reserve(&ann, &session.session_id, more).await.ok();
            assert_eq!(reservation.not_after, BEGIN.as_millis() + granted * HOUR_MS);
        }
    }

    async fn a_blank_recipient_counts_as_none(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (_, session) = ann.push_new(&TestPack::new(2_000)).await;
        let blank = json!({"to_email": ben.email, "to_user_id": " ", "to_team_id": ""});
        assert_eq!(reserve(&ann, &session.session_id, blank).await.status, 200);
        for nobody in [json!({"to_email": "", "to_user_id": " ", "to_team_id": "\t"}), json!({"to_user_id": ""}), json!({})] {
            let answer = reserve(&ann, &session.session_id, nobody).await;
            assert_eq!(answer.refused(), (422, "invalid".to_owned()));
        }
    }

    async fn what_is_no_address_is_nobodys(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (_, session) = ann.push_new(&TestPack::new(2_000)).await;
        for text in ["not-an-email", "@example.com", "ben@", "ben @example.com", "ben@example.com\nBcc: x@example.com", "<ben@example.com>"] {
            let answer = reserve(&ann, &session.session_id, json!({"to_email": text})).await;
            assert_eq!(answer.refused(), (422, "invalid".to_owned()), "{text}");
        }
        // Letters and blanks around it do not make it another person's.
        let answer = reserve(&ann, &session.session_id, json!({"to_email": "  BEN@Example.COM "})).await;
        let ReservedFor::User(key) = answer.ok::<Reservation>().recipient else { panic!("Ben has joined") };
        assert_eq!(key.user_id, ben.user_id);
    }

    async fn a_user_id_and_a_team_are_mailed_like_an_address(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
        let by_id = json!({"to_user_id": ben.user_id});
        let reservation: Reservation = reserve(&ann, &session.session_id, by_id).await.ok();
        let draft = Draft::handoff(&ann, &snapshot, &reservation.handoff_id, reservation.not_after, &[ben.card()]);
        assert_eq!(ann.post("/api/v1/handoffs", &draft.body(&draft.sign(&ann))).await.status, 201);
        let mailed = "SELECT COUNT(*) FROM outbox WHERE kind = 'created'";
        assert_eq!(server.count(mailed).await, 1);
        let cy = ann.bring("cy@example.com").await;
        let team = Team::of(&server, &ann, &[ben, cy]).await;
        ann.hand_to_team(&snapshot, &team).await;
        assert_eq!(server.count(mailed).await, 3);
    }

    async fn nothing_sealed_is_left_of_what_was_taken_back_or_refused(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        for revoke in [true, false] {
            let (_, handoff) = ann.hand(&snapshot, &ben).await;
            let path = format!("/api/v1/handoffs/{}/bundle", handoff.handoff_id);
            assert!(ben.get(&path).await.ok::<Bundle>().preview.is_some(), "the summary is in the sealed preview");
            let ended = if revoke { ann.revoke(&handoff).await } else { ben.decline(&handoff).await };
            assert_eq!(ended.status, 200);
            for party in [&ann, &ben] {
                let left: Bundle = party.get(&path).await.ok();
                assert_eq!((left.preview, left.wrap), (None, None));
            }
        }
    }

    async fn what_was_claimed_stays_with_its_claimer(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        for late in [ann.revoke(&handoff).await, ben.decline(&handoff).await] {
            assert_eq!(late.refused(), (409, "already_claimed".to_owned()));
        }
        assert_eq!(ben.see(&handoff).await.ok::<Handoff>().status, "claimed");
    }

    async fn who_lost_does_not_learn_who_won(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let cy = ann.bring("cy@example.com").await;
        let team = Team::of(&server, &ann, &[ben.clone(), cy.clone()]).await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand_to_team(&snapshot, &team).await;
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        let lost = cy.claim(&handoff.handoff_id, draft.claim).await;
        assert_eq!(lost.refused(), (409, "already_claimed".to_owned()));
        for answer in [lost, cy.see(&handoff).await] {
            let text = String::from_utf8(answer.body).unwrap();
            assert!(!text.contains(&ben.email) && !text.contains(&ben.user_id), "{text}");
        }
        assert_eq!(ann.see(&handoff).await.ok::<Handoff>().claimed_by.unwrap().email, ben.email);
    }
}
