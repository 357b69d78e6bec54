//! Reserving and creating a handoff: what is granted, and what is refused (SPEC T1, T2, T17, A5).

use segue_api::handoffs::{Handoffs, Reservation, Reserve, ReservedFor};
use segue_domain::Plan;
use segue_server::app::Settings;
use segue_signed::{SignedEnvelope, WrapKind};
use serde_json::{Value, json};

use crate::harness::{
    BEGIN, HOUR_MS, Person, TestServer,
    seal::{Draft, TestPack, wrap},
};

async fn reserve(ann: &Person, changes: Value) -> (u16, String) {
    ann.post("/api/v1/handoffs/reserve", &changes).await.refused()
}

async fn create(ann: &Person, draft: &Draft) -> (u16, String) {
    ann.post("/api/v1/handoffs", &draft.body(&draft.sign(ann))).await.refused()
}

async fn reserved(ann: &Person, ben: &Person, snapshot: &SignedEnvelope) -> Draft {
    let reservation = ann.reserve(&snapshot.envelope.header.session_id, &ben.email).await;
    Draft::handoff(ann, snapshot, &reservation.handoff_id, reservation.not_after, &[ben.card()])
}

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

on_both! {
    async fn a_reservation_names_exactly_one_recipient_who_has_joined(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (_, session) = ann.push_new(&TestPack::new(2_000)).await;
        let id = session.session_id;
        for body in [
            json!({"session_id": id}),
            json!({"session_id": id, "to_email": ben.email, "to_user_id": ben.user_id}),
            json!({"session_id": id, "to_user_id": ben.user_id, "to_team_id": "tm_x"}),
            json!({"session_id": id, "to_email": "no address"}),
            json!({"session_id": id, "to_email": ben.email, "expires_in_hours": 0}),
            json!({"session_id": id, "to_email": ben.email, "side_field": 1}),
        ] {
            assert_eq!(reserve(&ann, body).await, refusal(422, "invalid"));
        }
        for to in [json!({"to_user_id": "usr_x"}), json!({"to_user_id": "a".repeat(99)})] {
            let mut body = json!({"session_id": id});
            body.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
            assert_eq!(reserve(&ann, body).await, refusal(422, "recipient_not_joined"));
        }
        assert_eq!(reserve(&ann, json!({"session_id": id, "to_team_id": "tm_x"})).await, refusal(404, "not_found"));
        let elsewhere = json!({"session_id": "ses_x", "to_email": ben.email});
        assert_eq!(reserve(&ann, elsewhere).await, refusal(404, "not_found"));
        assert_eq!(reserve(&ben, json!({"session_id": id, "to_email": ann.email})).await, refusal(404, "not_found"));
        let long = json!({"session_id": id, "to_user_id": ben.user_id, "expires_in_hours": 100_000});
        let granted: Reservation = ann.post("/api/v1/handoffs/reserve", &long).await.ok();
        assert_eq!(granted.not_after, BEGIN.as_millis() + 720 * HOUR_MS);
        let ReservedFor::User(key) = granted.recipient else { panic!("for a person") };
        assert_eq!(key.key_card.0, ben.signed_card.encode());
    }

    async fn an_address_that_nobody_verified_reaches_nobody(server: TestServer) {
        let ann = server.owner().await;
        let token = ann.invite("dan@example.com", false).await;
        let dan = Person::join(&server.url, &token, "dan@example.com").await;
        let (_, session) = ann.push_new(&TestPack::new(2_000)).await;
        let to_user = json!({"session_id": session.session_id, "to_user_id": dan.user_id});
        assert_eq!(reserve(&ann, to_user).await, refusal(422, "recipient_not_joined"));
        // For the address it is as if nobody had joined.
        let reservation = ann.reserve(&session.session_id, &dan.email).await;
        assert_eq!(reservation.recipient, ReservedFor::Address { email: dan.email.clone() });
    }

    async fn who_has_an_address_that_nobody_verified_hands_over_nothing(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
        let draft = reserved(&ann, &ben, &snapshot).await;
        let token = ann.invite("dan@example.com", false).await;
        let dan = Person::join(&server.url, &token, "dan@example.com").await;
        let (_, own) = dan.push_new(&TestPack::new(2_000)).await;
        // Whatever is named: the answer is about who asks.
        for id in [own.session_id.as_str(), session.session_id.as_str(), "ses_x"] {
            for to in [ben.email.as_str(), "cy@example.com", "no address"] {
                let body = json!({"session_id": id, "to_email": to});
                assert_eq!(reserve(&dan, body).await, refusal(403, "address_not_verified"), "{id} {to}");
            }
        }
        assert_eq!(create(&dan, &draft).await, refusal(403, "address_not_verified"));
        assert_eq!(server.count("SELECT COUNT(*) FROM reservations").await, 1);
        assert_eq!(server.count("SELECT COUNT(*) FROM handoffs").await, 0);
        assert_eq!(ann.post("/api/v1/handoffs", &draft.body(&draft.sign(&ann))).await.status, 201);
    }

    async fn an_envelope_must_say_what_was_reserved(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let good = reserved(&ann, &ben, &snapshot).await;
        let change = |change: fn(&mut Draft)| {
            let mut draft = good.clone();
            change(&mut draft);
            draft
        };
        for draft in [
            change(|draft| draft.envelope.header.not_after += 1),
            change(|draft| "ses_00000000000000000000000000".clone_into(&mut draft.envelope.header.session_id)),
            change(|draft| draft.envelope.header.message = "ä".repeat(2_001)),
            change(|draft| draft.wraps.clear()),
            change(|draft| draft.wraps.push(draft.wraps[0].clone())),
            change(|draft| draft.manifest.push(0)),
            change(|draft| draft.preview.clear()),
            change(|draft| draft.wraps[0].epoch += 1),
        ] {
            assert_eq!(create(&ann, &draft).await, refusal(422, "invalid"));
        }
        let mut other_key = good.clone();
        other_key.envelope.header.recipients[0].epoch += 1;
        other_key.wraps[0].epoch += 1;
        assert_eq!(create(&ann, &other_key).await, refusal(409, "stale_key"));
        let mut unknown = good.clone();
        "hnd_x".clone_into(&mut unknown.envelope.header.handoff_id);
        assert_eq!(create(&ann, &unknown).await, refusal(404, "not_found"));
        // Somebody else's envelope, and one that was changed after it was signed.
        assert_eq!(ben.post("/api/v1/handoffs", &good.body(&good.sign(&ann))).await.refused(), refusal(422, "unverified"));
        let mut signed = good.sign(&ann).as_bytes().to_vec();
        *signed.last_mut().unwrap() ^= 1;
        let body = good.body_with(&signed, &[]);
        assert_eq!(ann.post("/api/v1/handoffs", &body).await.refused(), refusal(422, "unverified"));
        // Two thousand characters are fine, whatever their bytes, and so is a wrap for oneself.
        let mut long = good.clone();
        long.envelope.header.message = "ä".repeat(2_000);
        long.wraps.push(wrap(WrapKind::Own, ann.card()));
        assert_eq!(ann.post("/api/v1/handoffs", &long.body(&long.sign(&ann))).await.status, 201);
        // A reservation is good for one handoff.
        assert_eq!(create(&ann, &good).await, refusal(404, "not_found"));
        assert_eq!(server.count("SELECT COUNT(*) FROM handoffs").await, 1);
    }

    async fn a_reservation_ends_after_a_quarter_of_an_hour(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let draft = reserved(&ann, &ben, &snapshot).await;
        server.clock.advance(15 * 60 * 1000);
        assert_eq!(create(&ann, &draft).await, refusal(410, "expired"));
    }

    async fn what_the_plan_does_not_include_is_named(server: TestServer) {
        let server = server
            .restart_with(Settings { plan: Plan::Free, requests_per_minute: 1_000_000, ..Settings::default() })
            .await;
        let (ann, ben) = server.ann_and_ben().await;
        let (_, session) = ann.push_new(&TestPack::new(2_000)).await;
        let team = json!({"session_id": session.session_id, "to_team_id": "tm_x"});
        let answer = ann.post("/api/v1/handoffs/reserve", &team).await;
        assert!(String::from_utf8_lossy(&answer.body).contains("team_handoff"));
        assert_eq!(answer.refused(), refusal(403, "upgrade_required"));
        let person = Reserve { session_id: session.session_id, to_email: Some(ben.email), ..Reserve::default() };
        ann.post("/api/v1/handoffs/reserve", &person).await.ok::<Reservation>();
    }

    async fn lists_come_in_pages_and_nothing_is_unreachable(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let mut sent = Vec::new();
        for number in 0..5 {
            sent.push(ann.hand(&snapshot, &ben).await.1.handoff_id);
            // Some share their moment.
            server.clock.advance(number % 2);
        }
        for (person, which) in [(&ann, "sent"), (&ben, "inbox")] {
            let (mut seen, mut path) = (Vec::new(), format!("/api/v1/handoffs?box={which}&limit=2"));
            loop {
                let page: Handoffs = person.get(&path).await.ok();
                seen.extend(page.handoffs.into_iter().map(|handoff| (handoff.created_at, handoff.handoff_id)));
                let Some(next) = page.next else { break };
                path = format!("/api/v1/handoffs?box={which}&limit=2&cursor={next}");
            }
            assert!(seen.is_sorted_by(|a, b| a > b));
            let mut ids: Vec<_> = seen.into_iter().map(|(_, id)| id).collect();
            ids.sort();
            sent.sort();
            assert_eq!(ids, sent);
        }
        for query in ["", "?box=trash", "?box=sent&limit=0", "?box=sent&limit=101", "?box=sent&cursor=x", "?box=sent&a=b"] {
            assert_eq!(ann.get(&format!("/api/v1/handoffs{query}")).await.refused(), refusal(422, "invalid"));
        }
        let empty: Handoffs = ben.get("/api/v1/handoffs?box=sent").await.ok();
        assert!(empty.handoffs.is_empty());
    }
}
