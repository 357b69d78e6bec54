//! Pairings that nobody goes on with, and chats that are offered again and again (SPEC D8, D10).

use segue_domain::limits;
use serde_json::json;

use super::LIFETIME_MS;
use crate::harness::{
    Person, TestServer,
    live::Live,
    pairing::{Guest, Shown, claimed, next, release, words},
    seal::TestPack,
};

/// How often one chat is offered, taken back and offered again.
const LOOPS: usize = 20;

/// What is kept besides acknowledgements, which stay for their source.
const KEPT: &str = "SELECT COUNT(*) FROM pairing_messages WHERE kind <> 'acknowledgement'";

/// Both streams, which have told how the pairing stands.
async fn listen(shown: &Shown, guest: &Guest) -> [Live; 2] {
    let mut both = [shown.listen().await, guest.listen(shown).await];
    for live in &mut both {
        next(live).await;
    }
    both
}

/// Nobody asks, and both sides are told.
async fn hear(both: [Live; 2], end: (&str, &str)) {
    for mut live in both {
        assert_eq!(words(&next(&mut live).await), end);
    }
}

async fn works_at_once(ann: &Person) {
    let (shown, guest, _) = claimed(ann).await;
    assert_eq!(guest.acknowledge(&shown).await.status, 200);
}

on_both! {
    async fn a_code_that_nobody_enters_ends_for_both_and_the_next_works_at_once(server: TestServer) {
        let ann = server.owner().await;
        for answered in [false, true] {
            let (shown, guest) = (ann.show(1).await, Guest::new(&server.url));
            guest.lease(&shown).await;
            if answered {
                assert_eq!(guest.answer(&shown, 1).await.status, 200);
            }
            let both = listen(&shown, &guest).await;
            server.clock.advance(3 * LIFETIME_MS);
            let reason = if answered { "unanswered" } else { "unclaimed" };
            hear(both, ("expired", reason)).await;
            assert_eq!(shown.claim(1, &release(), None).await.refused(), (410, "expired".to_owned()));
            assert_eq!(guest.ask_lease(&shown.nameplate, "handoff").await.status, 404);
            assert_eq!(server.count(KEPT).await, 0);
            works_at_once(&ann).await;
        }
    }

    async fn a_view_that_nobody_acknowledges_and_a_bundle_that_nobody_completes_lapse_for_both(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(2_000);
        ann.upload(&pack).await;
        for acknowledged in [false, true] {
            let (shown, guest, fetch) = claimed(&ann).await;
            if acknowledged {
                assert_eq!(guest.acknowledge(&shown).await.status, 200);
            }
            let mut both = listen(&shown, &guest).await;
            assert_eq!(shown.put_bundle(&shown.bundle(&pack)).await.status, 200);
            for live in &mut both {
                next(live).await;
            }
            server.clock.advance(3 * limits::PAIRING_DELIVERY_MS);
            hear(both, ("claimed", "lapsed")).await;
            assert_eq!(server.count(KEPT).await, 0);
            assert_eq!(server.count("SELECT COUNT(*) FROM bundles").await, 0);
            assert_eq!(guest.fetch(&shown, &fetch, "").await.status, 404);
            assert_eq!(guest.post(&shown.path("/complete"), &json!({})).await.status, 200, "it stays as it ended");
            assert_eq!(shown.state().await.1.as_deref(), Some("lapsed"));
            works_at_once(&ann).await;
        }
    }

    async fn a_chat_is_offered_stopped_and_offered_again_as_often_as_one_likes(server: TestServer) {
        let ann = server.owner().await;
        for _ in 0..LOOPS {
            let (shown, guest) = (ann.show(1).await, Guest::new(&server.url));
            guest.lease(&shown).await;
            let both = listen(&shown, &guest).await;
            assert_eq!(shown.revoke().await.status, 200);
            hear(both, ("revoked", "user")).await;
            assert_eq!(guest.answer(&shown, 1).await.refused(), (409, "revoked".to_owned()));
            let (next, claimer, _) = claimed(&ann).await;
            assert_eq!(claimer.acknowledge(&next).await.status, 200);
            assert_eq!(next.state().await, ("claimed".to_owned(), Some("acknowledged".to_owned())));
        }
        let states = "SELECT state FROM pairings GROUP BY state HAVING COUNT(*) = 20 ORDER BY state";
        assert_eq!(server.column(states).await, ["claimed", "revoked"]);
    }
}
