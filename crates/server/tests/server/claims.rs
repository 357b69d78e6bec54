//! One claim wins, whoever else asks at the same moment (SPEC T13).

use std::{collections::HashMap, sync::atomic::Ordering};

use futures::future::join_all;
use segue_api::handoffs::{Claimed, Handoff};
use segue_domain::handoff::Event;
use segue_server::store::handoffs;

use crate::harness::{
    BEGIN, Person, TestServer,
    seal::{TestPack, draw},
    team::Team,
};

/// Claimers of one handoff.
const CLAIMERS: usize = 64;
/// Handoffs, one after the other.
const ROUNDS: usize = 200;

async fn people(ann: &Person, count: usize) -> Vec<Person> {
    let mut people = Vec::new();
    for number in 0..count {
        people.push(ann.bring(&format!("p{number}@example.com")).await);
    }
    people
}

on_both! {
    async fn sixty_four_claim_at_once_and_one_wins_two_hundred_times(server: TestServer) {
        let ann = server.owner().await;
        let claimers = people(&ann, CLAIMERS).await;
        let team = Team::of(&server, &ann, &claimers).await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let mut wins = HashMap::<String, u32>::new();
        for round in 1..=ROUNDS {
            let (draft, handoff) = ann.hand_to_team(&snapshot, &team).await;
            let packs = server.count("SELECT CAST(SUM(refs) AS BIGINT) FROM packs").await;
            let answers = join_all(claimers.iter().map(|person| person.claim(&handoff.handoff_id, draft.claim))).await;
            let winners: Vec<_> = (0..CLAIMERS).filter(|&index| answers[index].status == 200).collect();
            let [winner] = winners[..] else { panic!("{} winners in round {round}", winners.len()) };
            for loser in (0..CLAIMERS).filter(|&index| index != winner) {
                assert_eq!(answers[loser].refused(), (409, "already_claimed".to_owned()));
            }
            let claimed: Claimed = answers[winner].ok();
            let again: Claimed = claimers[winner].claim(&handoff.handoff_id, draft.claim).await.ok();
            assert_eq!(again, claimed);
            assert_eq!(server.count("SELECT CAST(SUM(refs) AS BIGINT) FROM packs").await, packs, "a claim counts no reference");
            *wins.entry(claimers[winner].user_id.clone()).or_default() += 1;
        }
        let rounds = i64::try_from(ROUNDS).unwrap();
        assert_eq!(server.count("SELECT COUNT(*) FROM events WHERE kind = 'claimed'").await, rounds);
        assert_eq!(server.count("SELECT COUNT(*) FROM sessions WHERE handoff_id IS NOT NULL").await, rounds);
        assert_eq!(server.count("SELECT COUNT(*) FROM outbox WHERE kind = 'claimed'").await, rounds);
        assert_eq!(server.count("SELECT COUNT(*) FROM handoffs WHERE version <> 2").await, 0, "one change each");
        assert_eq!(server.disk.reads.load(Ordering::SeqCst), 0, "a claim reads no pack");
        assert!(wins.len() > 1, "always the same winner: the requests did not race");
    }

    async fn a_state_replaces_only_the_one_that_was_read(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (_, handoff) = ann.hand(&snapshot, &ben).await;
        let mut tx = server.app.db.begin().await.unwrap();
        let id = handoff.handoff_id.parse().unwrap();
        let read = handoffs::load(&mut tx, ben.user_id.parse().unwrap(), id).await.unwrap().unwrap();
        let (after, _) = read.handoff.apply(&Event::View, BEGIN).unwrap();
        assert!(handoffs::save(&mut tx, &read, &after, None).await.unwrap());
        assert!(!handoffs::save(&mut tx, &read, &after, None).await.unwrap(), "it has changed since");
    }

    async fn a_wrong_proof_changes_nothing(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        for proof in [[0; 32], draft.envelope.claim_check, draw()] {
            assert_eq!(ben.claim(&handoff.handoff_id, proof).await.refused(), (422, "wrong_proof".to_owned()));
        }
        assert_eq!(server.column("SELECT kind FROM events ORDER BY seq").await, ["created"]);
        assert_eq!(server.column("SELECT state FROM handoffs").await, ["pending"]);
        assert_eq!(server.count("SELECT COUNT(*) FROM handoffs WHERE viewed_at IS NULL AND version = 1").await, 1);
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        // After the claim, too, the proof is looked at first.
        assert_eq!(ben.claim(&handoff.handoff_id, [0; 32]).await.refused(), (422, "wrong_proof".to_owned()));
    }

    async fn losers_lose_their_wrap_and_the_sealed_content(server: TestServer) {
        let ann = server.owner().await;
        let both = people(&ann, 2).await;
        let team = Team::of(&server, &ann, &both).await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand_to_team(&snapshot, &team).await;
        let path = format!("/api/v1/handoffs/{}/bundle", handoff.handoff_id);
        let before: segue_api::bundles::Bundle = both[1].get(&path).await.ok();
        assert!(before.wrap.is_some());
        assert_eq!(both[0].claim(&handoff.handoff_id, draft.claim).await.status, 200);
        assert_eq!(both[1].get(&path).await.refused(), (404, "not_found".to_owned()));
        let seen: Handoff = both[1].get(&format!("/api/v1/handoffs/{}", handoff.handoff_id)).await.ok();
        assert_eq!((seen.status.as_str(), seen.message.as_str(), seen.claimed_by), ("claimed", "", None), "nor who won");
        let manifest = format!("/api/v1/bundles/{}/manifest", draft.bundle_id());
        assert_eq!((both[0].get(&manifest).await.status.as_u16(), both[1].get(&manifest).await.status.as_u16()), (200, 404));
    }

    async fn one_may_hand_to_oneself(server: TestServer) {
        let ann = server.owner().await;
        let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand(&snapshot, &ann).await;
        assert_eq!(handoff.role, segue_api::handoffs::Role::Both);
        let claimed: Claimed = ann.claim(&handoff.handoff_id, draft.claim).await.ok();
        assert_ne!(claimed.session_id, session.session_id);
        assert_eq!(server.column("SELECT kind FROM outbox").await, ["created"], "nobody mails oneself about a claim");
    }
}
