//! Handing over to somebody who has not joined (SPEC T19).

use segue_api::handoffs::{Handoff, InviteProof, LateWrap, Recipient as To, Reservation, ReservedFor};
use segue_signed::{Recipient, SignedEnvelope, Wrap, WrapKind};
use serde_json::json;

use crate::harness::{
    Person, TestServer,
    person::Answer,
    seal::{Draft, TestPack, draw, wrap},
};

impl Person {
    /// Hands over to an address, sealed for an invite.
    pub(crate) async fn hand_to_address(
        &self,
        snapshot: &SignedEnvelope,
        reservation: &Reservation,
    ) -> (Draft, Answer) {
        let mut draft = Draft::handoff(self, snapshot, &reservation.handoff_id, reservation.not_after, &[]);
        let (kind, id, key_fp, epoch) = (WrapKind::Invite, "inv_anything".to_owned(), draw(), 1);
        draft.wraps = vec![Wrap { kind, id: id.clone(), key_fp, epoch, enc: Some(draw()), ct: draw() }];
        draft.envelope.header.recipients = vec![Recipient { kind, id, key_fp, epoch }];
        let answer = self.post("/api/v1/handoffs", &draft.body(&draft.sign(self))).await;
        (draft, answer)
    }

    pub(crate) async fn lock_for(&self, handoff: &Handoff, person: &Person) -> Answer {
        let body = LateWrap { wrap: wrap(WrapKind::User, person.card()).encode().into() };
        self.post(&format!("/api/v1/handoffs/{}/wraps", handoff.handoff_id), &body).await
    }
}

async fn handed(server: &TestServer) -> (Person, Draft, Handoff) {
    let ann = server.owner().await;
    let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
    let reservation = ann.reserve(&session.session_id, "Cy@example.com").await;
    assert_eq!(reservation.recipient, ReservedFor::Address { email: "Cy@example.com".to_owned() });
    let (draft, answer) = ann.hand_to_address(&snapshot, &reservation).await;
    (ann, draft, answer.ok())
}

on_both! {
    async fn whoever_verifies_the_address_is_the_recipient(server: TestServer) {
        let (ann, draft, handoff) = handed(&server).await;
        assert_eq!(handoff.recipient, To::Address { email: "Cy@example.com".to_owned() });
        assert!(handoff.awaits_key);
        // Who joined under that address and never verified it is a stranger.
        let token = ann.invite("cy@example.com", false).await;
        let impostor = Person::join(&server.url, &token, "cy@example.com").await;
        assert_eq!(impostor.get(&format!("/api/v1/handoffs/{}", handoff.handoff_id)).await.status, 404);
        assert_eq!(impostor.claim(&handoff.handoff_id, draft.claim).await.status, 404);
        let inbox: segue_api::handoffs::Handoffs = impostor.get("/api/v1/handoffs?box=inbox").await.ok();
        assert!(inbox.handoffs.is_empty());
        let cy = ann.bring("cy@EXAMPLE.com").await;
        let inbox: segue_api::handoffs::Handoffs = cy.get("/api/v1/handoffs?box=inbox").await.ok();
        assert!(inbox.handoffs[0].awaits_key);
        // With the link Cy can open the invite's wrap, so she can prove it.
        let bundle: segue_api::bundles::Bundle = cy.get(&format!("/api/v1/handoffs/{}/bundle", handoff.handoff_id)).await.ok();
        assert_eq!(Wrap::parse(&bundle.wrap.unwrap().0).unwrap().kind, WrapKind::Invite);
        assert_eq!(cy.claim(&handoff.handoff_id, draft.claim).await.status, 200);
    }

    async fn the_sender_locks_the_key_for_who_joined(server: TestServer) {
        let (ann, draft, handoff) = handed(&server).await;
        let path = format!("/api/v1/handoffs/{}/recipient", handoff.handoff_id);
        assert_eq!(ann.get(&path).await.ok::<ReservedFor>(), ReservedFor::Address { email: "Cy@example.com".to_owned() });
        let dan = ann.bring("dan@example.com").await;
        assert_eq!(ann.lock_for(&handoff, &dan).await.refused(), (422, "recipient_not_joined".to_owned()));
        let cy = ann.bring("cy@example.com").await;
        let ReservedFor::User(key) = ann.get(&path).await.ok() else { panic!("Cy has joined") };
        assert_eq!(key.key_card.0, cy.signed_card.encode());
        assert_eq!(cy.get(&path).await.status, 404, "for the sender only");
        assert_eq!(ann.lock_for(&handoff, &dan).await.refused(), (422, "invalid".to_owned()), "not whom it is for");
        assert_eq!(cy.lock_for(&handoff, &cy).await.refused(), (404, "not_found".to_owned()));
        let locked: Handoff = ann.lock_for(&handoff, &cy).await.ok();
        assert!(!locked.awaits_key);
        let bundle: segue_api::bundles::Bundle = cy.get(&format!("/api/v1/handoffs/{}/bundle", handoff.handoff_id)).await.ok();
        assert_eq!(Wrap::parse(&bundle.wrap.unwrap().0).unwrap().kind, WrapKind::User);
        assert_eq!(cy.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        assert_eq!(server.column("SELECT kind FROM events ORDER BY seq").await, ["created", "key_wrapped", "viewed", "claimed"]);
        assert_eq!(ann.lock_for(&handoff, &cy).await.refused(), (409, "already_claimed".to_owned()));
    }

    async fn who_joins_between_reserving_and_creating_gets_a_key_of_their_own(server: TestServer) {
        let ann = server.owner().await;
        let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
        let reservation = ann.reserve(&session.session_id, "cy@example.com").await;
        ann.bring("cy@example.com").await;
        let (_, answer) = ann.hand_to_address(&snapshot, &reservation).await;
        assert_eq!(answer.refused(), (409, "stale_key".to_owned()));
        assert_eq!(server.count("SELECT COUNT(*) FROM handoffs").await, 0);
    }

    async fn a_claimer_proves_their_key_card_once_and_the_sender_reads_it(server: TestServer) {
        let (ann, draft, handoff) = handed(&server).await;
        let cy = ann.bring("cy@example.com").await;
        let path = format!("/api/v1/handoffs/{}/invite-proof", handoff.handoff_id);
        let proof = |byte: u8| InviteProof { proof: vec![byte; 32].into() };
        assert_eq!(cy.post(&path, &proof(1)).await.status, 404, "before the claim");
        assert_eq!(cy.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        assert_eq!(cy.post(&path, &json!({"proof": "AAAA"})).await.status, 422);
        for byte in [1, 2] {
            assert_eq!(cy.post(&path, &proof(byte)).await.status, 200);
        }
        assert_eq!(ann.post(&path, &proof(3)).await.status, 404);
        let seen: Handoff = ann.get(&format!("/api/v1/handoffs/{}", handoff.handoff_id)).await.ok();
        assert_eq!(seen.invite_proof.unwrap().0, vec![1; 32]);
        let seen: Handoff = cy.get(&format!("/api/v1/handoffs/{}", handoff.handoff_id)).await.ok();
        assert_eq!(seen.invite_proof, None);
    }
}
