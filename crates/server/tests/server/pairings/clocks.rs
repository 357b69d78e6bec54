//! The server's clock is set while a pairing is under way (SPEC D8): forward it ends early what it would have ended then, back
//! it ends it as much later, and neither makes a second claimer.

use segue_domain::{Clock as _, limits};
use serde_json::json;

use super::LIFETIME_MS;
use crate::harness::{
    Person, TestServer,
    pairing::{Guest, release, words},
};

/// What the clock is set by: longer than a code lives.
const JUMP_MS: i64 = 10 * 60_000;
/// Steps of a pairing, each of which the clock may be set before.
const STEPS: usize = 5;

/// Takes a pairing from its code to its end while the clock is set before one of its steps, and says what that step and those
/// after it were answered.
async fn run(server: &TestServer, ann: &Person, jump: i64, before: usize) -> Vec<u16> {
    let (shown, guest, other, view) = (ann.show(1).await, Guest::new(&server.url), Guest::new(&server.url), release());
    let issued = server.clock.now();
    let mut answers = Vec::new();
    for step in 0..STEPS {
        if step == before {
            server.clock.advance(jump);
        }
        let status = match step {
            0 => guest.ask_lease(&shown.nameplate, "handoff").await.status,
            1 => guest.answer(&shown, 1).await.status,
            2 => shown.claim(1, &view, None).await.status,
            3 => guest.acknowledge(&shown).await.status,
            _ => guest.post(&shown.path("/complete"), &json!({})).await.status,
        };
        // Nobody else gets anything, whatever the clock shows.
        assert_eq!(other.see(&shown).await.release, None);
        assert!(!other.answer(&shown, 1).await.status.is_success());
        if step == 2 && status == 200 {
            let late = issued.plus_millis(LIFETIME_MS + limits::PAIRING_APPROVAL_MS);
            assert!(server.clock.now() < late, "a claim after the deadline");
            assert_eq!(shown.claim(1, &release(), None).await.refused(), (409, "already_claimed".to_owned()));
        }
        answers.push(status.as_u16());
    }
    server.clock.advance(limits::PAIRING_DELIVERY_MS);
    answers
}

on_both! {
    async fn a_clock_that_is_set_forward_ends_codes_and_nothing_that_was_claimed(server: TestServer) {
        let ann = server.owner().await;
        // Before a claim the code is over, whoever asks; after it there is an hour.
        assert_eq!(run(&server, &ann, JUMP_MS, 0).await, [404, 410, 410, 410, 410]);
        assert_eq!(run(&server, &ann, JUMP_MS, 1).await, [200, 410, 410, 410, 410]);
        assert_eq!(run(&server, &ann, JUMP_MS, 2).await, [200, 200, 410, 410, 410]);
        for claimed in 3..STEPS {
            assert_eq!(run(&server, &ann, JUMP_MS, claimed).await, [200; STEPS]);
        }
    }

    async fn a_clock_that_is_set_back_ends_nothing_and_lets_a_code_live_as_much_longer(server: TestServer) {
        let ann = server.owner().await;
        for before in 0..STEPS {
            assert_eq!(run(&server, &ann, -JUMP_MS, before).await, [200; STEPS], "before step {before}");
        }
        let (shown, slow, other) = (ann.show(1).await, Guest::new(&server.url), Guest::new(&server.url));
        slow.lease(&shown).await;
        server.clock.advance(-JUMP_MS);
        // A lease lasts longer as well: it makes room for a device of the account only, and the code can be made anew.
        server.clock.advance(limits::PAIRING_LEASE_MS);
        assert_eq!(other.ask_lease(&shown.nameplate, "handoff").await.refused(), (409, "busy".to_owned()));
        assert_eq!(Guest::of(&ann).ask_lease(&shown.nameplate, "handoff").await.status, 200);
        server.clock.advance(JUMP_MS + LIFETIME_MS - limits::PAIRING_LEASE_MS - 1);
        assert_eq!(shown.state().await.0, "issued");
        server.clock.advance(1);
        assert_eq!(shown.state().await, ("expired".to_owned(), Some("unclaimed".to_owned())));
    }

    async fn a_clock_that_is_set_to_and_fro_ends_a_code_once(server: TestServer) {
        let ann = server.owner().await;
        let (shown, guest) = (ann.show(1).await, Guest::new(&server.url));
        guest.lease(&shown).await;
        server.clock.advance(JUMP_MS);
        assert_eq!(shown.state().await.1.as_deref(), Some("unclaimed"));
        server.clock.advance(-JUMP_MS);
        // What was told does not change again.
        assert_eq!(guest.answer(&shown, 1).await.refused(), (410, "expired".to_owned()));
        assert_eq!(words(&guest.see(&shown).await), ("expired", "unclaimed"));
        let fresh = ann.show(1).await;
        assert_ne!(fresh.nameplate, shown.nameplate);
        guest.lease(&fresh).await;
    }
}
