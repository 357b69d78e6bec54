//! Uploading and fetching packs (`docs/protocol.md` §3; SPEC S2).

use std::sync::atomic::Ordering;

use data_encoding::HEXLOWER;
use reqwest::Method;
use segue_api::bundles::Pack;
use segue_server::{packs::Step, store, sweep};

use crate::harness::{
    HOUR_MS, TestServer,
    person::Answer,
    seal::{Draft, TestPack, draw},
};

const KEPT: &str = "SELECT COUNT(*) FROM packs WHERE state <> 'gone'";

on_both! {
    async fn the_same_upload_is_fine_and_another_under_its_id_is_not(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(100_000);
        let stored: Pack = ann.upload(&pack).await.ok();
        assert_eq!((stored.len, stored.sha256), (100_000, HEXLOWER.encode(&pack.entry.sha256)));
        assert_eq!(ann.upload(&pack).await.status, 200);
        let mut other = TestPack::new(100_000);
        other.entry.id = pack.entry.id;
        assert_eq!(ann.upload(&other).await.refused(), (409, "conflict".to_owned()));
        let mut garbled = TestPack::new(1_000);
        garbled.entry.sha256[0] ^= 1;
        assert_eq!(ann.upload(&garbled).await.refused(), (422, "invalid".to_owned()));
        assert_eq!((server.files(), server.count("SELECT COUNT(*) FROM packs").await), (1, 1));
    }

    async fn uploads_at_once_under_one_id_keep_one_content(server: TestServer) {
        let ann = server.owner().await;
        let mut packs: Vec<_> = (0..8).map(|_| TestPack::new(50_000)).collect();
        let id = packs[0].entry.id;
        for pack in &mut packs {
            pack.entry.id = id;
        }
        let answers = futures::future::join_all(packs.iter().map(|pack| ann.upload(pack))).await;
        let stored: Vec<_> = (0..8).filter(|&index| answers[index].status == 201).collect();
        assert_eq!(stored.len(), 1);
        let kept = &packs[stored[0]];
        let (_, session) = ann.push(&Draft::snapshot(&ann, "ses_00000000000000000000000000", &[kept])).await;
        let fetched = ann.get(&format!("/api/v1/bundles/{}/packs/{}", session.bundle_id, kept.id())).await;
        assert!(fetched.body == kept.bytes);
    }

    async fn a_range_gives_its_bytes(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(700_000);
        let (_, session) = ann.push_new(&pack).await;
        let path = format!("/api/v1/bundles/{}/packs/{}", session.bundle_id, pack.id());
        let range = async |range: &str| Answer::of(ann.request(Method::GET, &path).header("range", range)).await;
        let tail = range("bytes=-1000").await;
        assert!(tail.status == 206 && tail.body == pack.bytes[699_000..]);
        assert_eq!(tail.headers["content-range"], "bytes 699000-699999/700000");
        let middle = range("bytes=1000-300999").await;
        assert!(middle.status == 206 && middle.body == pack.bytes[1_000..301_000]);
        assert_eq!(range("bytes=700000-").await.refused().0, 416);
        let whole = range("bytes=0-1,5-6").await;
        assert!(whole.status == 200 && whole.body == pack.bytes && whole.headers["accept-ranges"] == "bytes");
        let head = Answer::of(ann.request(Method::HEAD, &path)).await;
        assert!(head.status == 200 && head.body.is_empty() && head.headers["content-length"] == "700000");
    }

    async fn a_storage_that_fails_acknowledges_nothing(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(2_000);
        server.disk.broken.store(true, Ordering::SeqCst);
        let answer = ann.upload(&pack).await;
        assert_eq!(answer.refused(), (500, "internal".to_owned()));
        let id = serde_json::from_slice::<segue_api::Problem>(&answer.body).unwrap().request_id.unwrap();
        let log = String::from_utf8(crate::harness::log().lock().unwrap().clone()).unwrap();
        let line = log.lines().find(|line| line.contains(&id)).unwrap();
        assert!(line.contains("broken by the test") && !String::from_utf8_lossy(&answer.body).contains("broken"));
        assert_eq!(ann.get("/readyz").await.refused(), (503, "unavailable".to_owned()));
        assert_eq!(ann.get("/livez").await.status, 200);
        assert_eq!((server.files(), server.count("SELECT COUNT(*) FROM packs").await), (0, 0));
        server.disk.broken.store(false, Ordering::SeqCst);
        assert_eq!(ann.upload(&pack).await.status, 201);
        assert_eq!(ann.get("/readyz").await.status, 200);
    }

    async fn unlisted_packs_are_collected_after_a_day_and_listed_ones_never(server: TestServer) {
        let ann = server.owner().await;
        let (listed, unlisted) = (TestPack::new(2_000), TestPack::new(3_000));
        let (_, session) = ann.push_new(&listed).await;
        ann.upload(&unlisted).await;
        sweep::once(&server.app).await.unwrap();
        assert_eq!(server.count("SELECT COUNT(*) FROM packs WHERE state = 'live'").await, 2);
        server.clock.advance(24 * HOUR_MS);
        sweep::once(&server.app).await.unwrap();
        assert_eq!(server.count("SELECT COUNT(*) FROM packs WHERE state = 'live'").await, 2);
        server.clock.advance(1);
        sweep::once(&server.app).await.unwrap();
        // Marked: nothing can list it any more, nor can it be uploaded again under its id; its bytes are still there.
        let draft = Draft::snapshot(&ann, &segue_domain::SessionId::from_bytes(draw()).to_string(), &[&unlisted]);
        let answer = ann.post("/api/v1/bundles", &draft.body(&draft.sign(&ann))).await;
        assert_eq!(answer.refused(), (409, "pack_unusable".to_owned()));
        assert_eq!(ann.upload(&unlisted).await.refused(), (409, "conflict".to_owned()));
        server.clock.advance(HOUR_MS);
        sweep::once(&server.app).await.unwrap();
        assert_eq!(server.files(), 2);
        server.clock.advance(1);
        sweep::once(&server.app).await.unwrap();
        assert_eq!((server.files(), server.count(KEPT).await), (1, 1));
        assert_eq!(ann.delete(&format!("/api/v1/sessions/{}", session.session_id)).await.status, 204);
        for _ in 0..2 {
            sweep::once(&server.app).await.unwrap();
            server.clock.advance(HOUR_MS + 1);
        }
        sweep::once(&server.app).await.unwrap();
        assert_eq!((server.files(), server.count(KEPT).await), (0, 0));
        // Nothing is charged for them, and their ids do not come back.
        let account: segue_api::account::Account = ann.get("/api/v1/account").await.ok();
        assert_eq!(account.storage_used, 0);
        assert_eq!(ann.upload(&unlisted).await.refused(), (409, "conflict".to_owned()));
        assert_eq!(server.files(), 0);
    }

    async fn an_upload_gets_its_lasting_name_after_it_is_durable(server: TestServer) {
        let ann = server.owner().await;
        server.disk.fail_at(Step::Sync);
        assert_eq!(ann.upload(&TestPack::new(2_000)).await.refused(), (500, "internal".to_owned()));
        assert_eq!(server.files(), 0, "what may be lost has no name yet");
    }

    async fn a_full_plan_takes_no_more(server: TestServer) {
        let ann = server.owner().await;
        let max = segue_domain::Plan::Team.storage_bytes_max();
        let big = store::packs::Pack {
            owner: ann.user_id.parse().unwrap(),
            id: segue_domain::PackId::from_bytes(draw()),
            sha256: draw(),
            len: max - 10_000,
        };
        let mut tx = server.app.db.begin().await.unwrap();
        assert!(store::packs::insert(&mut tx, &big, crate::harness::BEGIN).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(ann.upload(&TestPack::new(10_001)).await.refused(), (403, "storage_full".to_owned()));
        let pack = TestPack::new(10_000);
        assert_eq!(ann.upload(&pack).await.status, 201);
        // A manifest counts as well.
        let draft = Draft::snapshot(&ann, &segue_domain::SessionId::from_bytes(draw()).to_string(), &[&pack]);
        let answer = ann.post("/api/v1/bundles", &draft.body(&draft.sign(&ann))).await;
        assert_eq!(answer.refused(), (403, "storage_full".to_owned()));
        assert_eq!(server.count("SELECT COUNT(*) FROM sessions").await, 0);
    }
}
