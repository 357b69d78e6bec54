//! The relay between two devices (SPEC D5–D10): who may do what, what is left behind, and who hears of it.

mod clocks;
mod crowds;
mod idling;
mod kills;
mod races;

use std::collections::HashSet;

use segue_api::{
    bundles::Bundle,
    pairings::{Pairing, RefuseAnswer, ReturnToSource},
};
use segue_domain::limits;
use segue_server::sweep;
use segue_signed::{
    pairing::{Offer, Purpose, SizeClass},
    sha256,
};
use serde_json::json;

use crate::harness::{
    HOUR_MS, TestServer,
    pairing::{Guest, Shown, claimed, issue, next, release, words},
    seal::{TestPack, draw},
};

/// Longest time of a code that nobody confirms.
const LIFETIME_MS: i64 = limits::PAIRING_SECONDS_DEFAULT as i64 * 1_000;

on_both! {
    async fn a_view_goes_from_one_device_to_another_and_nothing_of_it_stays(server: TestServer) {
        let ann = server.owner().await;
        let shown = ann.show(1).await;
        let mut source = shown.listen().await;
        assert_eq!(words(&next(&mut source).await), ("issued", ""));
        let guest = Guest::new(&server.url);
        let offer = guest.lease(&shown).await;
        assert_eq!((offer.hid, offer.attempt), (shown.hid, 1));
        assert!(next(&mut source).await.entering, "the source sees that somebody types");
        let mut destination = guest.listen(&shown).await;
        assert_eq!(words(&next(&mut destination).await), ("issued", ""));
        let seen: Pairing = guest.answer(&shown, 1).await.ok();
        assert!(seen.answer.is_none() && seen.release.is_none());
        let waiting = next(&mut source).await;
        assert!(waiting.answer.is_some(), "the answer comes with the news of it");
        assert!(next(&mut destination).await.release.is_none());
        let (view, fetch) = (release(), draw());
        let told: Pairing = shown.claim(1, &view, Some(&fetch)).await.ok();
        assert_eq!(words(&told), ("claimed", "delivering"));
        let there = next(&mut destination).await;
        assert_eq!((words(&there.clone()), there.release.unwrap().0), (("claimed", "delivering"), view));
        assert_eq!(words(&next(&mut source).await), ("claimed", "delivering"));

        let seen: Pairing = guest.acknowledge(&shown).await.ok();
        assert_eq!((words(&seen.clone()), seen.release), (("claimed", "acknowledged"), None));
        let seen = next(&mut source).await;
        assert_eq!((words(&seen.clone()), seen.acknowledgement.unwrap().0), (("claimed", "acknowledged"), vec![5; 48]));
        assert_eq!(server.column("SELECT kind FROM pairing_messages").await, ["acknowledgement"]);

        let pack = TestPack::new(2_000);
        ann.upload(&pack).await;
        assert!(!guest.see(&shown).await.bundle_ready);
        assert_eq!(guest.fetch(&shown, &fetch, "").await.status, 404);
        let draft = shown.bundle(&pack);
        assert_eq!(shown.put_bundle(&draft).await.status, 200);
        assert_eq!(words(&next(&mut destination).await), ("claimed", "acknowledged"));
        assert!(next(&mut destination).await.bundle_ready);
        let bundle: Bundle = guest.fetch(&shown, &fetch, "").await.ok();
        assert!(bundle.wrap.is_some() && bundle.sender_email.is_empty());
        assert_eq!(guest.fetch(&shown, &fetch, "/manifest").await.body, draft.manifest);
        assert_eq!(guest.fetch(&shown, &fetch, &format!("/packs/{}", pack.id())).await.body, pack.bytes);
        let seen: Pairing = guest.post(&shown.path("/complete"), &json!({})).await.ok();
        assert_eq!(words(&seen), ("claimed", "completed"));
        for end in ["", "/manifest", &format!("/packs/{}", pack.id())] {
            assert_eq!(guest.fetch(&shown, &fetch, end).await.status, 404, "{end}");
        }
        assert_eq!(server.count("SELECT COUNT(*) FROM bundles").await, 0);
        assert_eq!(server.count("SELECT CAST(SUM(refs) AS BIGINT) FROM packs").await, 0);
        server.clock.advance(HOUR_MS * i64::from(limits::PAIRING_TOMBSTONE_HOURS) + 1);
        sweep::once(&server.app).await.unwrap();
        assert_eq!(server.count("SELECT COUNT(*) FROM pairings").await, 0);
        assert_eq!(server.count("SELECT COUNT(*) FROM pairing_messages").await, 0);
    }

    async fn three_wrong_guesses_burn_a_code_and_each_is_told_to_the_source(server: TestServer) {
        let ann = server.owner().await;
        let shown = ann.show(1).await;
        for attempt in 1..=3 {
            let guest = Guest::new(&server.url);
            assert_eq!(guest.lease(&shown).await.attempt, attempt);
            assert_eq!(guest.answer(&shown, attempt).await.status, 200);
            if attempt == 1 {
                // A code that still stands needs its next offers.
                let bare = RefuseAnswer { attempt, code_offer: None, link_offer: None };
                assert_eq!(ann.post(&shown.path("/refuse"), &bare).await.refused(), (422, "invalid".to_owned()));
                assert!(shown.see().await.answer.is_some(), "what was refused changed nothing");
            }
            let before = shown.refuse(attempt).await;
            assert_eq!(before.status, 200);
            // Its repeat is no second guess.
            assert_eq!(shown.refuse(attempt).await.status.as_u16(), if attempt == 3 { 409 } else { 200 });
            let seen = guest.see(&shown).await;
            if attempt < 3 {
                assert_eq!((words(&seen), seen.refused, seen.attempt), (("issued", ""), true, attempt + 1));
                let again = guest.answer(&shown, attempt + 1).await;
                assert_eq!(again.refused(), (409, "code_mismatch".to_owned()));
            } else {
                assert_eq!(words(&seen), ("revoked", "too_many_guesses"));
            }
        }
        assert_eq!(shown.state().await, ("revoked".to_owned(), Some("too_many_guesses".to_owned())));
        assert_eq!(Guest::new(&server.url).ask_lease(&shown.nameplate, "handoff").await.status, 404);
        assert_eq!(server.count("SELECT COUNT(*) FROM pairing_messages").await, 0);
        // A fresh code works at once.
        claimed(&ann).await;
    }

    async fn one_destination_at_a_time_and_the_sources_own_account_first(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let shown = ann.show(1).await;
        let (first, second, bens, anns) = (Guest::new(&server.url), Guest::new(&server.url), Guest::of(&ben), Guest::of(&ann));
        first.lease(&shown).await;
        first.lease(&shown).await;
        for other in [&second, &bens] {
            assert_eq!(other.ask_lease(&shown.nameplate, "handoff").await.refused(), (409, "busy".to_owned()));
        }
        anns.lease(&shown).await;
        assert_eq!(first.answer(&shown, 1).await.refused(), (409, "lease_lost".to_owned()));
        assert_eq!(second.answer(&shown, 1).await.refused(), (409, "lease_lost".to_owned()));
        server.clock.advance(limits::PAIRING_LEASE_MS);
        second.lease(&shown).await;
        assert_eq!(anns.answer(&shown, 1).await.refused(), (409, "lease_lost".to_owned()));
        assert_eq!(second.answer(&shown, 2).await.refused(), (409, "conflict".to_owned()));
        assert_eq!(second.answer(&shown, 1).await.status, 200);
        assert_eq!(second.answer(&shown, 1).await.refused(), (409, "conflict".to_owned()), "frozen");
        // It waits for the source now: nobody comes between.
        server.clock.advance(limits::PAIRING_LEASE_MS);
        assert_eq!(Guest::of(&ann).ask_lease(&shown.nameplate, "handoff").await.refused(), (409, "busy".to_owned()));
        let view = release();
        for stranger in [&first, &anns] {
            assert_eq!(stranger.see(&shown).await.release, None);
        }
        assert_eq!(shown.claim(1, &view, None).await.status, 200);
        for stranger in [&first, &anns] {
            let seen = stranger.see(&shown).await;
            assert_eq!((words(&seen.clone()), seen.release), (("claimed", "taken"), None));
            assert_eq!(stranger.acknowledge(&shown).await.refused(), (409, "already_claimed".to_owned()));
        }
        assert_eq!(second.see(&shown).await.release.unwrap().0, view);
    }

    async fn a_claim_is_one_and_its_repeat_must_be_the_same(server: TestServer) {
        let ann = server.owner().await;
        let (shown, guest) = (ann.show(1).await, Guest::new(&server.url));
        let view = release();
        assert_eq!(shown.claim(1, &view, None).await.refused(), (409, "conflict".to_owned()), "nobody answered");
        guest.lease(&shown).await;
        guest.answer(&shown, 1).await;
        assert_eq!(shown.claim(2, &view, None).await.refused(), (409, "conflict".to_owned()));
        assert_eq!(shown.claim(1, &view, None).await.status, 200);
        assert_eq!(shown.claim(1, &view, None).await.status, 200, "an answer that was lost");
        assert_eq!(shown.claim(1, &release(), None).await.refused(), (409, "already_claimed".to_owned()));
        assert_eq!(shown.claim(1, &view, Some(&draw())).await.refused(), (409, "already_claimed".to_owned()));
        assert_eq!(shown.revoke().await.refused(), (409, "already_claimed".to_owned()));
        assert_eq!(guest.see(&shown).await.release.unwrap().0, view);
    }

    async fn a_newer_offer_for_the_same_chat_supersedes_the_one_before(server: TestServer) {
        let ann = server.owner().await;
        let (old, other_chat) = (ann.show(1).await, ann.show(2).await);
        let (guest, mut heard) = (Guest::new(&server.url), old.listen().await);
        guest.lease(&old).await;
        next(&mut heard).await;
        let new = ann.show(1).await;
        assert_eq!(old.state().await.1.as_deref(), Some("superseded"));
        while words(&next(&mut heard).await).0 == "issued" {}
        assert!(heard.next().await.is_none(), "nothing follows the end");
        assert_eq!(guest.answer(&old, 1).await.refused(), (409, "revoked".to_owned()));
        assert_eq!((other_chat.state().await.0, new.state().await.0), ("issued".to_owned(), "issued".to_owned()));
        assert_ne!(old.nameplate, new.nameplate);
    }

    async fn time_ends_a_code_for_both_and_an_answer_stops_the_clock(server: TestServer) {
        let ann = server.owner().await;
        let lifetime = i64::from(limits::PAIRING_SECONDS_DEFAULT) * 1000;
        let (unclaimed, waiting) = (ann.show(1).await, ann.show(2).await);
        let (late, guest) = (Guest::new(&server.url), Guest::new(&server.url));
        late.lease(&unclaimed).await;
        server.clock.advance(lifetime - limits::PAIRING_LEASE_MS);
        late.lease(&unclaimed).await;
        server.clock.advance(limits::PAIRING_LEASE_MS - 1);
        guest.lease(&waiting).await;
        guest.answer(&waiting, 1).await;
        let (mut source, mut destination) = (unclaimed.listen().await, late.listen(&unclaimed).await);
        next(&mut source).await;
        next(&mut destination).await;
        server.clock.advance(1);
        // Nobody asks: the poll notices.
        assert_eq!(words(&next(&mut source).await), ("expired", "unclaimed"));
        assert_eq!(words(&next(&mut destination).await), ("expired", "unclaimed"));
        assert_eq!(late.answer(&unclaimed, 1).await.refused(), (410, "expired".to_owned()));
        assert_eq!(late.ask_lease(&unclaimed.nameplate, "handoff").await.status, 404);
        assert_eq!(waiting.state().await.0, "issued");
        server.clock.advance(limits::PAIRING_APPROVAL_MS - 2);
        assert_eq!(waiting.claim(1, &release(), None).await.status, 200, "an approval does not die under it");
        let third = ann.show(3).await;
        guest.lease(&third).await;
        guest.answer(&third, 1).await;
        server.clock.advance(lifetime + limits::PAIRING_APPROVAL_MS);
        let too_late = third.claim(1, &release(), None).await;
        assert_eq!(too_late.refused(), (410, "expired".to_owned()));
        assert_eq!(third.state().await, ("expired".to_owned(), Some("unanswered".to_owned())));
        sweep::once(&server.app).await.unwrap();
        assert_eq!(server.column("SELECT kind FROM pairing_messages").await, ["release"]);
    }

    async fn what_was_delivered_lapses_after_an_hour_and_a_take_back_ends_it_at_once(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(2_000);
        ann.upload(&pack).await;
        for take_back in [false, true] {
            let (shown, guest, fetch) = claimed(&ann).await;
            assert_eq!(shown.put_bundle(&shown.bundle(&pack)).await.status, 200);
            assert_eq!(guest.fetch(&shown, &fetch, "").await.status, 200);
            assert_eq!(guest.fetch(&shown, &draw(), "").await.status, 404);
            let reason = if take_back {
                assert_eq!(ann.post(&shown.path("/take-back"), &json!({})).await.status, 200);
                "taken_back"
            } else {
                server.clock.advance(limits::PAIRING_DELIVERY_MS);
                sweep::once(&server.app).await.unwrap();
                "lapsed"
            };
            let seen = guest.see(&shown).await;
            assert_eq!((words(&seen.clone()), seen.release, seen.bundle_ready), (("claimed", reason), None, false));
            assert_eq!(guest.fetch(&shown, &fetch, "").await.status, 404);
            assert_eq!(guest.acknowledge(&shown).await.refused(), (410, "expired".to_owned()));
            assert_eq!(server.count("SELECT COUNT(*) FROM pairing_messages").await, 0);
            assert_eq!(server.count("SELECT COUNT(*) FROM bundles").await, 0);
            let late = shown.put_bundle(&shown.bundle(&pack)).await;
            assert_eq!(late.refused(), (409, "conflict".to_owned()));
        }
    }

    async fn something_comes_back_once_and_is_forgotten_when_it_has_arrived(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (shown, guest, _) = claimed(&ann).await;
        let back = |class: SizeClass, byte| ReturnToSource { returned: vec![byte; class.bytes() + 16].into() };
        let path = shown.path("/return");
        assert_eq!(guest.post(&path, &back(SizeClass::Small, 1)).await.refused(), (409, "conflict".to_owned()), "not yet acknowledged");
        guest.acknowledge(&shown).await;
        guest.post(&shown.path("/complete"), &json!({})).await;
        assert_eq!(guest.post(&path, &ReturnToSource { returned: vec![1; 100].into() }).await.status, 422);
        assert_eq!(Guest::new(&server.url).post(&path, &back(SizeClass::Small, 1)).await.refused().1, "already_claimed");
        let mut source = shown.listen().await;
        next(&mut source).await;
        for _ in 0..2 {
            assert_eq!(guest.post(&path, &back(SizeClass::Large, 1)).await.status, 200);
        }
        assert_eq!(guest.post(&path, &back(SizeClass::Large, 2)).await.refused(), (409, "conflict".to_owned()));
        assert_eq!(next(&mut source).await.returned.unwrap().0, back(SizeClass::Large, 1).returned.0);
        assert_eq!(ben.post(&shown.path("/received"), &json!({})).await.status, 404);
        assert_eq!(ann.post(&shown.path("/received"), &json!({})).await.status, 200);
        assert_eq!(shown.see().await.returned, None);
        assert_eq!(server.count("SELECT COUNT(*) FROM pairing_messages WHERE kind = 'returned'").await, 0);
        assert_eq!(guest.post(&path, &back(SizeClass::Large, 1)).await.status, 200, "its answer was lost");
        assert_eq!(shown.see().await.returned, None);
    }

    async fn what_was_taken_back_does_not_come_back_and_what_came_back_first_stays(server: TestServer) {
        let ann = server.owner().await;
        let back = ReturnToSource { returned: vec![1; SizeClass::Small.bytes() + 16].into() };
        for (completed, lapsed, returned) in
            [(true, false, false), (true, false, true), (false, true, false), (false, true, true)]
        {
            let (shown, guest, _) = claimed(&ann).await;
            guest.acknowledge(&shown).await;
            if completed {
                guest.post(&shown.path("/complete"), &json!({})).await;
            }
            if lapsed {
                server.clock.advance(limits::PAIRING_DELIVERY_MS);
            }
            if returned {
                assert_eq!(guest.post(&shown.path("/return"), &back).await.status, 200);
            }
            let taken: Pairing = ann.post(&shown.path("/take-back"), &json!({})).await.ok();
            assert_eq!(taken.returned.is_some(), returned, "the answer says what came first");
            let late = guest.post(&shown.path("/return"), &back).await;
            if returned {
                assert_eq!(late.status, 200, "its answer was lost");
            } else {
                assert_eq!(taken.reason.as_deref(), Some("taken_back"));
                assert_eq!(late.refused(), (410, "expired".to_owned()));
                assert_eq!(guest.see(&shown).await.reason.as_deref(), Some("taken_back"));
            }
        }
    }

    async fn what_came_back_is_there_when_the_hour_ends_and_nobody_noticed(server: TestServer) {
        let ann = server.owner().await;
        let back = ReturnToSource { returned: vec![1; SizeClass::Small.bytes() + 16].into() };
        for repeated in [false, true] {
            let (shown, guest, _) = claimed(&ann).await;
            guest.acknowledge(&shown).await;
            assert_eq!(guest.post(&shown.path("/return"), &back).await.status, 200);
            server.clock.advance(limits::PAIRING_DELIVERY_MS);
            if repeated {
                assert_eq!(guest.post(&shown.path("/return"), &back).await.status, 200, "its answer was lost");
            }
            let taken: Pairing = ann.post(&shown.path("/take-back"), &json!({})).await.ok();
            assert!(taken.returned.is_some());
        }
    }

    async fn a_code_of_one_kind_never_does_the_other(server: TestServer) {
        let ann = server.owner().await;
        let (handoff, link) = (ann.show(1).await, ann.show_for(Purpose::Link, 2).await);
        let guest = Guest::new(&server.url);
        assert_eq!(guest.ask_lease(&handoff.nameplate, "link").await.refused(), (409, "other_purpose".to_owned()));
        assert_eq!(guest.ask_lease(&link.nameplate, "handoff").await.refused(), (409, "other_purpose".to_owned()));
        assert_eq!(handoff.see().await.attempt, 1, "no guess was used");
        assert_eq!(guest.lease(&link).await.purpose, Purpose::Link);
    }

    async fn a_plan_may_leave_device_handoff_out_and_never_linking(server: TestServer) {
        let ann = server.owner().await;
        server.run(format!("UPDATE users SET plan = 'free' WHERE id = '{}'", ann.user_id)).await;
        let refused = ann.post("/api/v1/pairings", &issue(draw(), Purpose::Handoff, 1)).await;
        assert_eq!(refused.refused(), (403, "upgrade_required".to_owned()));
        assert!(String::from_utf8_lossy(&refused.body).contains("device_handoff"));
        ann.show_for(Purpose::Link, 1).await;
    }

    async fn only_the_device_that_shows_a_code_answers_for_it(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (shown, guest) = (ann.show(1).await, Guest::new(&server.url));
        guest.lease(&shown).await;
        guest.answer(&shown, 1).await;
        let release = json!({"attempt": 1, "release": data_encoding::BASE64URL_NOPAD.encode(&release())});
        for (path, body) in [
            ("", json!({})), ("/claim", release), ("/revoke", json!({"reason": "user"})), ("/take-back", json!({})),
            ("/refuse", json!({"attempt": 1})), ("/received", json!({})),
        ] {
            let method = if path.is_empty() { reqwest::Method::GET } else { reqwest::Method::POST };
            let asked = ben.request(method, &shown.path(path)).json(&body).send().await.unwrap();
            assert_eq!(asked.status(), 404, "{path}");
        }
        let pack = TestPack::new(2_000);
        ben.upload(&pack).await;
        let (bens, nobodys) = (Shown { source: ben.clone(), ..shown.clone() }, Shown { hid: draw(), ..ben.show(1).await });
        for strange in [bens, nobodys] {
            assert_eq!(strange.put_bundle(&strange.bundle(&pack)).await.status, 404);
        }
        assert_eq!(shown.state().await.0, "issued");
        // Whoever takes part has a token of 32 bytes.
        let path = format!("{}{}", server.url, shown.path(""));
        for token in ["", "A", "not base64!", &"A".repeat(44)] {
            let asked = reqwest::Client::new().get(&path).header("segue-pairing-token", token).send().await.unwrap();
            assert_eq!(asked.status(), 401, "{token}");
        }
    }

    async fn offers_must_be_of_one_pairing_and_an_id_is_used_once(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let first = issue(draw(), Purpose::Handoff, 1);
        let seen: Pairing = ann.post("/api/v1/pairings", &first).await.ok();
        let again: Pairing = ann.post("/api/v1/pairings", &first).await.ok();
        assert_eq!(seen.nameplate, again.nameplate, "an answer that was lost");
        assert_eq!(ben.post("/api/v1/pairings", &first).await.refused(), (409, "conflict".to_owned()));
        let hid = Offer::parse(&first.code_offer.0).unwrap().hid;
        let other = issue(hid, Purpose::Handoff, 1);
        assert_eq!(ann.post("/api/v1/pairings", &other).await.refused(), (409, "conflict".to_owned()));
        let mut mixed = issue(draw(), Purpose::Handoff, 1);
        mixed.link_offer = other.link_offer.clone();
        let mut swapped = issue(draw(), Purpose::Handoff, 1);
        std::mem::swap(&mut swapped.code_offer, &mut swapped.link_offer);
        let mut short = issue(draw(), Purpose::Handoff, 1);
        short.chat_tag = vec![1; 31].into();
        for wrong in [mixed, swapped, short] {
            assert_eq!(ann.post("/api/v1/pairings", &wrong).await.refused(), (422, "invalid".to_owned()));
        }
        assert_eq!(server.count("SELECT COUNT(*) FROM pairings").await, 1);
    }

    async fn nameplates_are_random_and_an_account_shows_a_bounded_number(server: TestServer) {
        let ann = server.owner().await;
        let mut nameplates = HashSet::new();
        for _ in 0..limits::PAIRINGS_PER_HOUR {
            nameplates.insert(ann.show(1).await.nameplate);
        }
        assert_eq!(nameplates.len(), usize::try_from(limits::PAIRINGS_PER_HOUR).unwrap());
        let refused = ann.post("/api/v1/pairings", &issue(draw(), Purpose::Handoff, 1)).await;
        assert_eq!(refused.refused(), (429, "rate_limited".to_owned()));
        server.clock.advance(HOUR_MS);
        ann.show(1).await;
    }

    async fn a_stream_ends_with_its_device(server: TestServer) {
        let ann = server.owner().await;
        let shown = ann.show(1).await;
        let mut live = shown.listen().await;
        next(&mut live).await;
        server.run(format!("UPDATE devices SET revoked_at = 1 WHERE user_id = '{}'", ann.user_id)).await;
        assert!(live.next().await.is_none());
    }

    async fn the_bundle_of_a_pairing_names_it_and_is_for_nobody_else(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(2_000);
        ann.upload(&pack).await;
        let (shown, ..) = claimed(&ann).await;
        let other = ann.show(7).await;
        assert_eq!(other.put_bundle(&other.bundle(&pack)).await.refused(), (409, "conflict".to_owned()), "nobody claimed");
        let mut wrong_id = shown.bundle(&pack);
        wrong_id.envelope.header.handoff_id = other.id();
        let mut no_wrap = shown.bundle(&pack);
        no_wrap.wraps.clear();
        let mut own = shown.bundle(&pack);
        own.wraps[0].id.clone_from(&ann.user_id);
        for wrong in [wrong_id, no_wrap, own] {
            assert_eq!(shown.put_bundle(&wrong).await.refused(), (422, "invalid".to_owned()));
        }
        let first = shown.bundle(&pack);
        assert_eq!(shown.put_bundle(&first).await.status, 200);
        assert_eq!(shown.put_bundle(&shown.bundle(&pack)).await.status, 200, "the first stays");
        assert_eq!(server.count("SELECT COUNT(*) FROM bundles").await, 1);
        assert_eq!(sha256(&first.manifest).len(), 32);
    }
}
