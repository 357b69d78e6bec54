//! Removing a device: all keys are new, its access ends at once, and everybody else is told (SPEC A3, A5).

use std::time::Duration;

use segue_api::{
    Bytes,
    account::Account,
    devices::{Devices, Recovery, Renew},
    teams::{ListedRoster, Rosters},
};
use segue_domain::limits;
use segue_signed::{MemberRole, RootWrap, SignedKeyCard, SignedRoster, roster::Chain};
use tokio::time::timeout;

use crate::harness::{
    Person, TestServer,
    live::kinds,
    roster::{after, id, keys},
    seal::{Draft, TestPack, draw},
};

on_both! {
    async fn a_removed_device_is_out_at_once_and_who_stays_gets_the_root(server: TestServer) {
        let (ann, second) = server.owner().await.with_second().await;
        let third = ann.another_device();
        assert_eq!(third.send_recover().await.status, 200);
        let ann = Person { signed_card: third.signed_card.clone(), ..ann };
        let removal = ann.removal(&[&second.device_id()]);
        let account: Account = ann.renew(&removal.body).await.ok();
        assert_eq!(account.key_card.0, removal.after.signed_card.encode());
        assert_eq!(second.get("/api/v1/account").await.refused(), (401, "not_signed_in".to_owned()));
        let missed = third.changes(3, 2).await;
        let [card] = missed.cards.as_slice() else { panic!("{missed:?}") };
        assert_eq!(card.key_card.0, removal.after.signed_card.encode());
        assert_eq!(missed.keyring, Some(removal.body.keyring.clone()));
        let wrap = RootWrap::parse(&card.root_wrap.as_ref().unwrap().0).unwrap();
        assert_eq!(wrap.device_id, third.device_id());
        let [event] = missed.events.as_slice() else { panic!("{missed:?}") };
        assert_eq!((event.kind.as_str(), event.device_id.as_str()), ("device_removed", second.device_id().as_str()));
        assert_eq!((event.name.as_str(), event.by_name.as_str(), event.by_device.as_str()), ("desktop", "laptop", ann.device_id().as_str()));
        // Who made it has it: none is locked for them.
        assert_eq!(ann.changes(3, 2).await.cards[0].root_wrap, None);
        // The old code is worth nothing, the new one opens.
        assert_eq!(ann.open_recovery(&ann.email, &ann.auth).await.status, 422);
        let opened: Recovery = ann.open_recovery(&ann.email, &removal.after.auth).await.ok();
        assert_eq!((opened.keyring, opened.recovery_root.0), (Some(removal.body.keyring.clone()), vec![9; 60]));
        let listed: Devices = ann.get("/api/v1/devices").await.ok();
        assert_eq!(listed.devices.iter().map(|device| device.removed_at.is_some()).collect::<Vec<_>>(), [false, true, false]);
    }

    async fn open_streams_of_a_removed_device_end_and_the_others_are_told(server: TestServer) {
        let (ann, second) = server.owner().await.with_second().await;
        let (mut own, mut theirs) = (ann.listen(None).await, second.listen(None).await);
        assert_eq!((own.take(1).await[0].kind.as_str(), theirs.take(1).await[0].kind.as_str()), ("begin", "begin"));
        assert_eq!(ann.renew(&ann.removal(&[&second.device_id()]).body).await.status, 200);
        let heard = own.take(1).await;
        assert_eq!(kinds(&heard), [("device_removed", 2)]);
        let news = heard[0].news();
        assert_eq!((news.handoff_id.as_str(), news.device_id), ("", Some(second.device_id())));
        // Within the time between two looks, and some more for a busy machine.
        let ended = timeout(Duration::from_millis(limits::NEWS_POLL_MS) * 20, async {
            while theirs.next().await.is_some_and(|sent| sent.kind == "device_removed") {}
        });
        ended.await.expect("the stream of a removed device goes on");
    }

    async fn what_a_removal_sends_belongs_together(server: TestServer) {
        let (ann, second) = server.owner().await.with_second().await;
        let third = ann.another_device();
        assert_eq!(third.send_recover().await.status, 200);
        let ann = Person { signed_card: third.signed_card.clone(), ..ann };
        let good = ann.removal(&[&second.device_id()]);
        let (body, card) = (good.body.clone(), good.after.card().clone());
        let wrapped = |by: &Person, index: usize| -> Bytes { by.root_wrap(&card, &card.devices[index]).encode().into() };
        let unsigned = { let mut card = good.after.signed_card.clone(); card.old_signature = None; card };
        let everybody = ann.removal(&[&ann.device_id(), &second.device_id(), &third.device_id()]).body;
        let (invalid, unverified) = ((422, "invalid".to_owned()), (422, "unverified".to_owned()));
        for (what, wrong, refused) in [
            ("another keyring", Renew { keyring: vec![1].into(), ..body.clone() }, &invalid),
            ("no root for who stays", Renew { root_wraps: Vec::new(), ..body.clone() }, &invalid),
            ("two for one", Renew { root_wraps: vec![wrapped(&ann, 2), wrapped(&ann, 2)], ..body.clone() }, &invalid),
            ("one for who is removed", Renew { root_wraps: vec![wrapped(&ann, 2), wrapped(&ann, 1)], ..body.clone() }, &invalid),
            ("one for oneself", Renew { root_wraps: vec![wrapped(&ann, 2), wrapped(&ann, 0)], ..body.clone() }, &invalid),
            ("made by another", Renew { root_wraps: vec![wrapped(&third, 2)], ..body.clone() }, &unverified),
            ("no signature of the key before", Renew { key_card: unsigned.encode().into(), ..body.clone() }, &unverified),
            ("nobody is removed", ann.removal(&[]).body, &unverified),
            ("nobody stays", everybody, &unverified),
            ("a device is added", Renew { key_card: ann.another_device().signed_card.encode().into(), ..body.clone() }, &invalid),
            ("a long keyring", Renew { keyring: vec![0; limits::KEYRING_BYTES_MAX + 1].into(), ..body.clone() }, &invalid),
            ("a short hash", Renew { recovery_auth_hash: vec![0; 31].into(), ..body.clone() }, &invalid),
        ] {
            assert_eq!(ann.renew(&wrong).await.refused(), *refused, "{what}");
        }
        assert_eq!(second.renew(&body).await.refused(), invalid, "by another device than made it");
        assert_eq!(second.get("/api/v1/account").await.status, 200, "nothing was changed");
        assert_eq!(server.count("SELECT COUNT(*) FROM root_wraps").await, 0);
        assert_eq!(ann.renew(&body).await.status, 200);
    }

    async fn a_removal_is_repeated_and_loses_against_another(server: TestServer) {
        let (ann, second) = server.owner().await.with_second().await;
        let (one, other) = (ann.removal(&[&second.device_id()]), second.removal(&[&ann.device_id()]));
        assert_eq!(ann.renew(&one.body).await.status, 200);
        let again: Account = ann.renew(&one.body).await.ok();
        assert_eq!(again.key_card.0, one.after.signed_card.encode());
        assert_eq!(ann.changes(2, 1).await.events.len(), 1, "told once");
        assert_eq!(second.renew(&other.body).await.status, 401);
        let stale = ann.removal(&[&second.device_id()]);
        assert_eq!(ann.renew(&stale.body).await.refused(), (409, "conflict".to_owned()));
    }

    async fn the_same_machine_comes_and_goes_twenty_times(server: TestServer) {
        let mut ann = server.owner().await;
        for round in 1..=20 {
            let (known, second) = ann.with_second().await;
            let removal = known.removal(&[&second.device_id()]);
            assert_eq!(known.renew(&removal.body).await.status, 200, "{round}");
            assert_eq!(second.get("/api/v1/account").await.status, 401, "{round}");
            ann = removal.after;
        }
        let (card, events) = (ann.card().clone(), ann.changes(0, 0).await.events);
        assert_eq!((card.epoch, card.devices.len(), events.len()), (21, 21, 40));
        // All of the chain is to be had, page by page.
        let (mut seen, mut cards) = (0, 0);
        loop {
            let page = ann.changes(seen, 40).await.cards;
            let Some(last) = page.last() else { break };
            assert!(page.len() <= usize::try_from(limits::PAGE_CARDS_MAX).unwrap());
            cards += page.len();
            seen = SignedKeyCard::parse(&last.key_card.0).unwrap().card.seq;
        }
        assert_eq!((cards, seen), (41, 41));
    }

    async fn a_full_card_makes_room_by_leaving_removed_devices_out(server: TestServer) {
        let ann = server.owner().await;
        let (ann, second) = ann.with_second().await;
        let ann = { let removal = ann.removal(&[&second.device_id()]); assert_eq!(ann.renew(&removal.body).await.status, 200); removal.after };
        let mut third = ann.another_device();
        third.signed_card = ann.next_card(|card| {
            card.devices.retain(|device| device.revoked_at.is_none());
            card.devices.push(third.card().devices.last().unwrap().clone());
        });
        assert_eq!(third.send_recover().await.status, 200);
        let listed: Devices = third.get("/api/v1/devices").await.ok();
        assert_eq!(listed.devices.len(), 2);
        // But its key does not come back.
        let ann = Person { signed_card: third.signed_card.clone(), ..ann };
        let mut back = ann.another_device();
        back.signed_card = ann.next_card(|card| {
            let mut device = back.card().devices.last().unwrap().clone();
            device.key = second.device_key.verifying_key().to_bytes();
            card.devices.push(device);
        });
        back.device_key = second.device_key.clone();
        assert_eq!(back.send_recover().await.refused(), (409, "conflict".to_owned()));
    }

    async fn what_was_made_under_the_old_keys_is_refused_and_what_is_there_stays(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (ben, second) = ben.with_second().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        let stale = ben.clone();
        let ben = { let removal = ben.removal(&[&second.device_id()]); assert_eq!(ben.renew(&removal.body).await.status, 200); removal.after };
        // A push under the old identity, and a handoff for the old key.
        let pack = TestPack::new(1_000);
        assert_eq!(stale.upload(&pack).await.status, 201);
        let old = Draft::snapshot(&stale, &segue_domain::SessionId::from_bytes(draw()).to_string(), &[&pack]);
        assert_eq!(stale.post("/api/v1/bundles", &old.body(&old.sign(&stale))).await.refused(), (422, "unverified".to_owned()));
        let reservation = ann.reserve(&snapshot.envelope.header.session_id, &ben.email).await;
        let late = Draft::handoff(&ann, &snapshot, &reservation.handoff_id, reservation.not_after, &[stale.card()]);
        assert_eq!(ann.post("/api/v1/handoffs", &late.body(&late.sign(&ann))).await.refused(), (409, "stale_key".to_owned()));
        // What waited for the old key is still claimed.
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        ben.push_new(&TestPack::new(1_500)).await;
    }

    async fn an_admin_with_new_keys_publishes_by_the_right_of_the_old_ones(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (ann, second) = ann.with_second().await;
        let roster = ann.team_with(&[&ben]).await;
        let removal = ann.removal(&[&second.device_id()]);
        assert_eq!(ann.renew(&removal.body).await.status, 200);
        let (stale, ann) = (ann, removal.after);
        // The removed device has the old right, and no access.
        let wrong = after(&roster, &[(&stale, MemberRole::Admin), (&ben, MemberRole::Admin)]);
        assert_eq!(second.publish(&wrong, Vec::new()).await.status, 401);
        let mended = after(&roster, &[(&ann, MemberRole::Admin), (&ben, MemberRole::Member)]);
        assert_eq!(mended.epoch, 2);
        let published = ann.publish(&mended, keys(&[&ann, &ben])).await;
        assert_eq!(published.status, 200, "{}", String::from_utf8_lossy(&published.body));
        // Whoever reads the chain is given the card of the old key for it, and may follow.
        let chain: Rosters = ben.get(&format!("/api/v1/teams/{}/rosters?after=0", id(&roster))).await.ok();
        let read = |listed: &ListedRoster| {
            let signed = SignedRoster::parse(&listed.roster.0).unwrap();
            (signed, SignedKeyCard::parse(&listed.signer.key_card.0).unwrap())
        };
        let (first, card) = read(&chain.rosters[0]);
        let mut followed = Chain::begin_now(&first, &card, ann.card()).unwrap();
        let (next, card) = read(&chain.rosters[1]);
        assert_eq!(card.card.identity_key, stale.card().identity_key);
        followed.push_now(&next, &card, ann.card()).unwrap();
        assert_eq!(followed.head().unwrap(), &mended);
        // From then on by her new key.
        let again = after(&mended, &[(&ann, MemberRole::Admin), (&ben, MemberRole::Admin)]);
        assert_eq!(ann.publish(&again, Vec::new()).await.status, 200);
    }
}
