//! The way back with the recovery code (SPEC A1).

use futures::future::join_all;
use segue_api::{
    account::Account,
    devices::{DEVICE_EVENTS, Devices, NewCode, OpenRecovery, Recovery},
};
use segue_domain::limits;
use segue_server::{app::Settings, proxies::Proxies};
use segue_signed::sha256;

use crate::harness::{HOUR_MS, Person, TestServer, person::Answer, seal::draw};

on_both! {
    async fn who_has_the_code_becomes_a_device(server: TestServer) {
        let ann = server.owner().await;
        let opened: Recovery = ann.open_recovery("OWNER@example.com", &ann.auth).await.ok();
        assert_eq!((opened.user_id, opened.email), (ann.user_id.clone(), ann.email.clone()));
        assert_eq!((opened.key_card.0, opened.recovery_root.0), (ann.signed_card.encode(), vec![7; 60]));
        let (ann, second) = ann.with_second().await;
        let seen: Account = second.get("/api/v1/account").await.ok();
        assert_eq!((seen.user_id, seen.device_id), (ann.user_id.clone(), Some(second.device_id())));
        // The same again, as after an answer that was lost, is the same and adds nobody.
        let again: Account = second.send_recover().await.ok();
        assert_eq!(again.device_id, Some(second.device_id()));
        let listed: Devices = ann.get("/api/v1/devices").await.ok();
        let shown: Vec<_> = listed.devices.iter().map(|device| (device.name.as_str(), device.this)).collect();
        assert_eq!(shown, [("laptop", true), ("desktop", false)]);
        // The code is not used up.
        assert_eq!(ann.open_recovery(&ann.email, &ann.auth).await.status, 200);
        let told = ann.changes(2, 0).await;
        let events: Vec<_> = told.events.iter().map(|event| (event.seq, event.kind.as_str(), event.name.as_str())).collect();
        assert_eq!((events, told.cards), (vec![(1, "device_recovered", "desktop")], Vec::new()));
        assert_eq!(ann.get("/api/v1/account").await.headers[DEVICE_EVENTS], "1");
    }

    async fn a_wrong_code_and_an_unknown_address_are_one_answer(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let answers = [
            ann.open_recovery(&ann.email, &draw::<32>()).await,
            ann.open_recovery("nobody@example.com", &ann.auth).await,
            ann.open_recovery(&ben.email, &ann.auth).await,
            ann.open_recovery(&ann.email, &[]).await,
        ];
        for answer in &answers {
            assert_eq!(answer.refused(), (422, "wrong_proof".to_owned()));
            assert_eq!(answer.body, answers[0].body);
        }
        let device = ann.another_device();
        for wrong in [
            Person { auth: draw(), ..device.clone() },
            Person { email: "nobody@example.com".to_owned(), ..device.clone() },
            Person { email: ben.email.clone(), ..device.clone() },
        ] {
            let answer = wrong.send_recover().await;
            assert_eq!((answer.status, answer.body), (answers[0].status, answers[0].body.clone()));
        }
        assert_eq!(server.count("SELECT COUNT(*) FROM devices").await, 2);
    }

    async fn a_recovered_card_adds_one_device_and_nothing_else(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let device = ann.another_device();
        let with = |signed_card| Person { signed_card, ..device.clone() };
        let added = device.card().devices[1].clone();
        let fork = ann.next_card(|card| {
            card.previous = Some([3; 32]);
            card.devices.push(added.clone());
        });
        let more = ann.next_card(|card| {
            card.encryption_key = draw();
            card.devices.push(added.clone());
        });
        let nobody = ann.next_card(|_| {});
        let mut forged = device.signed_card.clone();
        forged.signature[0] ^= 1;
        let bens = Person { identity: ben.identity.clone(), ..ann.clone() }.next_card(|card| card.devices.push(added));
        for (what, card, refused) in [
            ("a fork", fork, (409, "conflict")),
            ("other keys", more, (422, "unverified")),
            ("no device", nobody, (422, "unverified")),
            ("no signature", forged, (422, "unverified")),
            ("another's signature", bens, (422, "unverified")),
        ] {
            assert_eq!(with(card).send_recover().await.refused(), (refused.0, refused.1.to_owned()), "{what}");
        }
        let gone = ann.removal(&[]).after;
        assert_eq!(with(gone.signed_card).send_recover().await.refused(), (422, "unverified".to_owned()));
        assert_eq!(server.count("SELECT COUNT(*) FROM devices").await, 2);
        assert_eq!(server.count("SELECT COUNT(*) FROM key_cards").await, 2);
    }

    async fn of_many_at_once_one_comes_first_and_the_others_come_after(server: TestServer) {
        let ann = server.owner().await;
        let devices: Vec<_> = (0..8).map(|_| ann.another_device()).collect();
        let answers = join_all(devices.iter().map(Person::send_recover)).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
        assert_eq!(server.count("SELECT COUNT(*) FROM devices").await, 2);
        assert_eq!(server.count("SELECT MAX(card_seq) FROM users").await, 2);
    }

    async fn a_new_code_ends_the_one_before(server: TestServer) {
        let ann = server.owner().await;
        let auth = draw::<32>();
        let body = |epoch| NewCode {
            epoch,
            recovery_root: vec![5; 60].into(),
            recovery_auth_hash: sha256(&auth).to_vec().into(),
        };
        assert_eq!(ann.put("/api/v1/account/recovery", &body(2)).await.refused(), (409, "stale_key".to_owned()));
        for _ in 0..2 {
            assert_eq!(ann.put("/api/v1/account/recovery", &body(1)).await.status, 204);
        }
        assert_eq!(ann.open_recovery(&ann.email, &ann.auth).await.status, 422);
        let opened: Recovery = ann.open_recovery(&ann.email, &auth).await.ok();
        assert_eq!(opened.recovery_root.0, vec![5; 60]);
        let events = ann.changes(1, 0).await.events;
        assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["recovery_code_made"], "told once");
        let short = NewCode { recovery_auth_hash: vec![1; 31].into(), ..body(1) };
        assert_eq!(ann.put("/api/v1/account/recovery", &short).await.status, 422);
    }

    async fn one_network_address_tries_so_often_in_an_hour(server: TestServer) {
        let ann = server.owner().await;
        let settings = Settings {
            requests_per_minute: 1_000_000,
            trusted_proxies: Proxies(vec!["127.0.0.1/32".parse().unwrap()]),
            mail_every: None,
            ..Settings::default()
        };
        let server = server.restart_with(settings).await;
        let ann = ann.at(&server.url);
        let tried = async |from: &str| {
            let body = OpenRecovery { email: ann.email.clone(), auth: ann.auth.to_vec().into() };
            let request = ann.http.post(format!("{}/api/v1/recovery/open", ann.url)).header("x-forwarded-for", from);
            Answer::of(request.json(&body)).await
        };
        for _ in 0..limits::RECOVERIES_PER_HOUR {
            assert_eq!(tried("192.0.2.7").await.status, 200);
        }
        assert_eq!(tried("192.0.2.7").await.refused(), (429, "rate_limited".to_owned()));
        assert_eq!(tried("192.0.2.8").await.status, 200);
        server.clock.advance(HOUR_MS);
        assert_eq!(tried("192.0.2.7").await.status, 200);
    }
}
