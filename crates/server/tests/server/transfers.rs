//! Packs on their way, while what they are read from changes; and who is charged for them.

use std::sync::atomic::Ordering;

use data_encoding::HEXLOWER;
use reqwest::Method;
use segue_api::{PACK_SHA256, UPLOAD_OFFSET, account::Account, bundles::Pack, handoffs::Claimed};
use segue_server::{packs::Step, sweep};

use crate::{
    harness::{
        HOUR_MS, Person, TestServer,
        person::Answer,
        seal::{Draft, TestPack},
    },
    operating::object,
    uploads::cut,
};

/// More than what lies in buffers between server and reader.
const LARGE: usize = 32 * 1024 * 1024;

async fn used(person: &Person) -> i64 {
    person.get("/api/v1/account").await.ok::<Account>().storage_used
}

/// Sends the rest of an upload, and its hash.
async fn finish(person: &Person, pack: &TestPack, offset: usize) -> Answer {
    let request = person.request(Method::PATCH, &format!("/api/v1/packs/{}", pack.id()));
    let request = request.header(UPLOAD_OFFSET, offset).header(PACK_SHA256, HEXLOWER.encode(&pack.entry.sha256));
    Answer::of(request.body(pack.bytes[offset..].to_vec())).await
}

on_both! {
    async fn who_lists_a_pack_is_charged_for_it_once(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let pack = TestPack::new(1_000_000);
        ann.upload(&pack).await;
        assert_eq!((used(&ann).await, used(&ben).await), (1_000_000, 0));
        let (snapshot, session) = ann.push(&Draft::snapshot(&ann, "ses_00000000000000000000000000", &[&pack])).await;
        // What is beside the pack: envelope, manifest and preview, each below 2 KB.
        let beside = used(&ann).await - 1_000_000;
        assert!((300..6_000).contains(&beside), "{beside}");
        // A second bundle that lists it costs what is beside it; one that waits for Ben is Ann's.
        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        let (both, none) = (used(&ann).await - 1_000_000, used(&ben).await);
        assert!((beside + 300..beside + 6_000).contains(&both) && none == 0, "{both}, {none}");
        // Claimed, it is Ben's; the pack is charged to both, as each would have to be told when it goes.
        let claimed: Claimed = ben.claim(&handoff.handoff_id, draft.claim).await.ok();
        assert_eq!((used(&ann).await, used(&ben).await), (1_000_000 + beside, 1_000_000 + both - beside));
        assert_eq!(ann.delete(&format!("/api/v1/sessions/{}", session.session_id)).await.status, 204);
        assert_eq!((used(&ann).await, used(&ben).await), (0, 1_000_000 + both - beside));
        assert_eq!(ben.delete(&format!("/api/v1/sessions/{}", claimed.session_id)).await.status, 204);
        assert_eq!(used(&ben).await, 0);
        // Until it is collected it is its uploader's.
        assert_eq!(used(&ann).await, 1_000_000);
    }

    async fn an_upload_that_waits_for_the_disk_holds_up_nothing_on_its_connection(server: TestServer) {
        let ann = server.owner().await;
        let http = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        let ann = Person { http, ..ann };
        let pack = TestPack::new(LARGE);
        let writes = server.disk.writes.lock().await;
        let sending = { let (ann, pack) = (ann.clone(), pack.clone()); tokio::spawn(async move { ann.upload(&pack).await.status }) };
        // As much as waits for the disk was taken; the rest of the window fills up behind it.
        while server.app.packs.partial_bytes(ann.user_id.parse().unwrap()) < 1024 * 1024 {
            tokio::task::yield_now().await;
        }
        for number in 0..20 {
            ann.invite(&format!("p{number}@example.com"), false).await;
        }
        drop(writes);
        assert_eq!(sending.await.unwrap(), 201);
    }

    async fn a_pack_that_is_collected_while_it_is_read_is_read_whole(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(LARGE);
        let (_, session) = ann.push_new(&pack).await;
        let path = format!("/api/v1/bundles/{}/packs/{}", session.bundle_id, pack.id());
        let download = ann.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(ann.delete(&format!("/api/v1/sessions/{}", session.session_id)).await.status, 204);
        for hours in [24, 1, 1] {
            server.clock.advance(hours * HOUR_MS + 1);
            sweep::once(&server.app).await.unwrap();
        }
        assert_eq!((server.files(), ann.get(&path).await.refused().0), (0, 404));
        assert!(download.bytes().await.unwrap() == pack.bytes);
    }

    async fn a_pack_that_becomes_shorter_while_it_is_read_is_no_success(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(LARGE);
        let (_, session) = ann.push_new(&pack).await;
        let path = format!("/api/v1/bundles/{}/packs/{}", session.bundle_id, pack.id());
        let file = object(&server, &pack);
        let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        for http in [ann.http.clone(), http2] {
            std::fs::write(&file, &pack.bytes).unwrap();
            let download = Person { http, ..ann.clone() }.request(Method::GET, &path).send().await.unwrap();
            assert_eq!(download.status(), 200);
            std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(LARGE as u64 - 1).unwrap();
            assert!(download.bytes().await.is_err());
        }
    }

    async fn what_was_kept_of_an_upload_is_read_again_before_it_is_believed(server: TestServer) {
        let (mut server, mut ann) = (server, None);
        for damaged in [false, true] {
            let ann = match &mut ann {
                Some(ann) => ann,
                none => none.insert(server.owner().await),
            };
            let pack = TestPack::new(3_000);
            cut(&server, ann, &pack, 1_000).await;
            // All bytes come, and then the storage fails to give them their name.
            server.disk.fail_at(Step::Rename);
            assert_eq!(finish(ann, &pack, 1_000).await.refused(), (500, "internal".to_owned()));
            assert_eq!(ann.progress(&pack).await, Some((3_000, false)));
            server = server.restart().await;
            *ann = ann.at(&server.url);
            let reads = server.disk.reads.load(Ordering::SeqCst);
            if damaged {
                let folder = server.folder.path().join("packs/partial");
                let partial = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
                let mut bytes = std::fs::read(&partial).unwrap();
                bytes[500] ^= 1;
                std::fs::write(&partial, bytes).unwrap();
            }
            let answer = finish(ann, &pack, 3_000).await;
            assert_eq!(server.disk.reads.load(Ordering::SeqCst), reads + 1);
            if damaged {
                assert_eq!((answer.refused(), ann.progress(&pack).await), ((422, "invalid".to_owned()), None));
            } else {
                assert_eq!(answer.ok::<Pack>().sha256, HEXLOWER.encode(&pack.entry.sha256));
            }
        }
    }
}
