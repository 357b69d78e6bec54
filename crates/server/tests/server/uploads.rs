//! Uploads that are cut and taken up again (`docs/protocol.md` §5, Packs).

use std::time::Duration;

use data_encoding::HEXLOWER;
use futures::{SinkExt as _, channel::mpsc};
use reqwest::{Method, RequestBuilder};
use segue_api::{PACK_SHA256, UPLOAD_OFFSET, bundles::Pack};
use segue_domain::{
    SessionId, UserId,
    limits::{PACK_BYTES_MAX, PARTIAL_BYTES_MAX, PARTIAL_PACKS_MAX},
};
use segue_server::sweep;

use crate::harness::{
    HOUR_MS, Person, TestServer,
    person::Answer,
    seal::{Draft, TestPack, draw},
};

/// Chunked: its client does not know the length yet.
fn streamed(request: RequestBuilder, chunks: &[&[u8]]) -> RequestBuilder {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
    request.body(reqwest::Body::wrap_stream(futures::stream::iter(chunks)))
}

fn upload(person: &Person, method: Method, pack: &TestPack) -> RequestBuilder {
    person.request(method, &format!("/api/v1/packs/{}", pack.id()))
}

/// Sends the first `len` bytes, and is cut when they are there.
pub(crate) async fn cut(server: &TestServer, person: &Person, pack: &TestPack, len: usize) {
    let owner = person.user_id.parse().unwrap();
    let there = server.app.packs.partial_bytes(owner);
    let (mut sender, body) = mpsc::channel(1);
    let request = upload(person, Method::PUT, pack).body(reqwest::Body::wrap_stream(body));
    let sending = tokio::spawn(request.send());
    sender.send(Ok(pack.bytes[..len].to_vec())).await.unwrap();
    arrived(server, owner, there + len as u64).await;
    sender.send(Err(std::io::Error::other("the line is cut"))).await.unwrap();
    assert!(sending.await.unwrap().is_err());
}

async fn arrived(server: &TestServer, owner: UserId, bytes: u64) {
    while server.app.packs.partial_bytes(owner) != bytes {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What a bundle that lists the pack gives of it.
async fn fetched(person: &Person, pack: &TestPack) -> Vec<u8> {
    let session = SessionId::from_bytes(draw()).to_string();
    let draft = Draft::snapshot(person, &session, &[pack]);
    person.push(&draft).await;
    person.get(&format!("/api/v1/bundles/{}/packs/{}", draft.bundle_id(), pack.id())).await.body
}

on_both! {
    async fn a_pack_may_be_sent_before_its_length_and_hash_are_known(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(300_000);
        let request = streamed(upload(&ann, Method::PUT, &pack), &[&pack.bytes[..1_000], &pack.bytes[1_000..]]);
        let stored: Pack = Answer::of(request).await.ok();
        assert_eq!((stored.len, stored.sha256), (300_000, HEXLOWER.encode(&pack.entry.sha256)));
        let head = Answer::of(upload(&ann, Method::HEAD, &pack)).await;
        assert_eq!((head.status.as_u16(), head.progress()), (204, (300_000, true)));
        assert_eq!(head.headers[PACK_SHA256], HEXLOWER.encode(&pack.entry.sha256));
        // What is announced must be true, and a pack has at least one byte.
        let other = TestPack::new(1_000);
        let put = || upload(&ann, Method::PUT, &other);
        for request in [
            put().header(PACK_SHA256, HEXLOWER.encode(&[0; 32])).body(other.bytes.clone()),
            put().header(PACK_SHA256, "short").body(other.bytes.clone()),
            put().header("content-length", 0),
            streamed(put(), &[]),
        ] {
            assert_eq!(Answer::of(request).await.refused(), (422, "invalid".to_owned()));
        }
        assert_eq!((ann.progress(&other).await, server.files()), (None, 1));
    }

    async fn what_was_cut_goes_on_where_it_ended(server: TestServer) {
        let ann = server.owner().await;
        for offset in [1, 1_000, 65_536, 299_999, 300_000] {
            let pack = TestPack::new(300_000);
            cut(&server, &ann, &pack, offset).await;
            assert_eq!(ann.progress(&pack).await, Some((offset as u64, false)));
            let answer = ann.send_rest(&pack, offset).await;
            assert_eq!(answer.status, 201, "{offset}");
            assert_eq!(answer.ok::<Pack>().sha256, HEXLOWER.encode(&pack.entry.sha256));
            assert_eq!(ann.progress(&pack).await, Some((300_000, true)));
            assert!(fetched(&ann, &pack).await == pack.bytes);
        }
    }

    async fn it_goes_on_nowhere_else(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(10_000);
        let rest = |offset: usize| ann.send_rest(&pack, offset);
        assert_eq!(rest(0).await.refused(), (404, "not_found".to_owned()));
        cut(&server, &ann, &pack, 5_000).await;
        for offset in [0, 4_999, 5_001, 10_000] {
            let answer = rest(offset).await;
            assert_eq!((answer.refused(), answer.progress()), ((409, "conflict".to_owned()), (5_000, false)));
        }
        for bad in ["", "x", "-1", "67108865"] {
            let request = upload(&ann, Method::PATCH, &pack).header(UPLOAD_OFFSET, bad);
            assert_eq!(Answer::of(request).await.refused(), (422, "invalid".to_owned()), "{bad}");
        }
        let without = upload(&ann, Method::PATCH, &pack).body("x");
        assert_eq!(Answer::of(without).await.refused(), (422, "invalid".to_owned()));
        assert_eq!(rest(5_000).await.status, 201);
        let answer = rest(5_000).await;
        assert_eq!((answer.refused(), answer.progress()), ((409, "conflict".to_owned()), (10_000, true)));
        // Whoever starts over starts over.
        let again = TestPack::new(10_000);
        cut(&server, &ann, &again, 5_000).await;
        assert_eq!(ann.upload(&again).await.status, 201);
        assert_eq!(server.files(), 2);
    }

    async fn whoever_comes_later_takes_the_upload_over(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(10_000);
        let (mut sender, body) = mpsc::channel(1);
        let request = upload(&ann, Method::PUT, &pack).body(reqwest::Body::wrap_stream(body));
        let first = tokio::spawn(Answer::of(request));
        sender.send(Ok::<_, std::io::Error>(pack.bytes[..4_000].to_vec())).await.unwrap();
        arrived(&server, ann.user_id.parse().unwrap(), 4_000).await;
        // The first is told so, what it sent stays, and the second goes on.
        assert_eq!(ann.progress(&pack).await, Some((4_000, false)));
        let answer = first.await.unwrap();
        assert_eq!((answer.refused(), answer.progress()), ((409, "conflict".to_owned()), (4_000, false)));
        assert_eq!(ann.send_rest(&pack, 4_000).await.status, 201);
        assert!(fetched(&ann, &pack).await == pack.bytes);
        // Many at once: one pack comes of it, or none, and never a mixture.
        let pack = TestPack::new(200_000);
        // Who is refused while it still sends may find the connection closed before it reads why (RFC 9112, section 9.6).
        let hash = HEXLOWER.encode(&pack.entry.sha256);
        let put = || upload(&ann, Method::PUT, &pack).header(PACK_SHA256, &hash).body(pack.bytes.clone());
        futures::future::join_all((0..8).map(|_| put().send())).await;
        assert!(fetched(&ann, &pack).await == pack.bytes);
    }

    async fn a_restart_costs_nothing_of_an_upload(server: TestServer) {
        let ann = server.owner().await;
        let (pack, late) = (TestPack::new(100_000), TestPack::new(50_000));
        cut(&server, &ann, &pack, 60_000).await;
        let server = server.restart().await;
        let ann = ann.at(&server.url);
        assert_eq!(ann.progress(&pack).await, Some((60_000, false)));
        let stored: Pack = ann.send_rest(&pack, 60_000).await.ok();
        assert_eq!(stored.sha256, HEXLOWER.encode(&pack.entry.sha256));
        // One whose announced hash does not hold is dropped, as nothing good can come of it.
        cut(&server, &ann, &late, 20_000).await;
        let server = server.restart().await;
        let ann = ann.at(&server.url);
        let wrong = upload(&ann, Method::PATCH, &late).header(UPLOAD_OFFSET, 20_000);
        let wrong = wrong.header(PACK_SHA256, HEXLOWER.encode(&[0; 32])).body(late.bytes[20_000..].to_vec());
        assert_eq!(Answer::of(wrong).await.refused(), (422, "invalid".to_owned()));
        assert_eq!((ann.progress(&late).await, server.files()), (None, 1));
    }

    async fn what_nobody_sends_is_dropped_after_a_day_also_over_a_restart(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(10_000);
        cut(&server, &ann, &pack, 5_000).await;
        server.clock.advance(24 * HOUR_MS);
        sweep::once(&server.app).await.unwrap();
        assert_eq!(ann.progress(&pack).await, Some((5_000, false)));
        let server = server.restart().await;
        let ann = ann.at(&server.url);
        server.clock.advance(1);
        sweep::once(&server.app).await.unwrap();
        assert_eq!((ann.progress(&pack).await, server.files()), (None, 0));
        assert_eq!(ann.upload(&pack).await.status, 201);
    }

    async fn nobody_else_sees_what_came(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let pack = TestPack::new(10_000);
        cut(&server, &ann, &pack, 5_000).await;
        assert_eq!(ben.progress(&pack).await, None);
        assert_eq!(ben.send_rest(&pack, 5_000).await.refused(), (404, "not_found".to_owned()));
        let mut own = TestPack::new(3_000);
        own.entry.id = pack.entry.id;
        assert_eq!(ben.upload(&own).await.status, 201);
        assert_eq!(ann.send_rest(&pack, 5_000).await.status, 201);
        assert!(fetched(&ann, &pack).await == pack.bytes);
    }

    async fn uploads_that_have_not_ended_are_bounded_and_the_oldest_goes(server: TestServer) {
        let ann = server.owner().await;
        let owner = ann.user_id.parse().unwrap();
        let packs: Vec<_> = (0..=PARTIAL_PACKS_MAX).map(|_| TestPack::new(2_000)).collect();
        for (index, pack) in packs.iter().enumerate() {
            server.clock.advance(1);
            if index < PARTIAL_PACKS_MAX {
                cut(&server, &ann, pack, 1_000).await;
                continue;
            }
            // The oldest is dropped when this one begins.
            let (mut sender, body) = mpsc::channel(1);
            let sending = tokio::spawn(upload(&ann, Method::PUT, pack).body(reqwest::Body::wrap_stream(body)).send());
            sender.send(Ok(pack.bytes[..1_500].to_vec())).await.unwrap();
            arrived(&server, owner, (PARTIAL_PACKS_MAX as u64 - 1) * 1_000 + 1_500).await;
            sender.send(Ok::<_, std::io::Error>(pack.bytes[1_500..].to_vec())).await.unwrap();
            drop(sender);
            assert_eq!(sending.await.unwrap().unwrap().status(), 201);
        }
        assert_eq!(ann.progress(&packs[0]).await, None);
        assert_eq!(ann.progress(&packs[1]).await, Some((1_000, false)));
        assert_eq!(server.files(), PARTIAL_PACKS_MAX);
    }

    async fn what_came_counts_in_the_plan(server: TestServer) {
        let ann = server.owner().await;
        let big = segue_server::store::packs::Pack {
            owner: ann.user_id.parse().unwrap(),
            id: TestPack::new(1).id(),
            sha256: [1; 32],
            len: segue_domain::Plan::Team.storage_bytes_max() - 10_000,
        };
        let mut tx = server.app.db.begin().await.unwrap();
        assert!(segue_server::store::packs::insert(&mut tx, &big, crate::harness::BEGIN).await.unwrap());
        tx.commit().await.unwrap();
        let (pack, other) = (TestPack::new(10_001), TestPack::new(4_001));
        cut(&server, &ann, &pack, 6_000).await;
        let full = (403, "storage_full".to_owned());
        assert_eq!(ann.upload(&other).await.refused(), full);
        // One byte too many without a length that says so before: all of it is dropped.
        let rest = upload(&ann, Method::PATCH, &pack).header(UPLOAD_OFFSET, 6_000);
        assert_eq!(Answer::of(streamed(rest, &[&pack.bytes[6_000..]])).await.refused(), full);
        assert_eq!(ann.upload(&other).await.status, 201);
    }

    async fn a_pack_is_no_longer_than_it_may_be(server: TestServer) {
        let ann = server.owner().await;
        let max = usize::try_from(PACK_BYTES_MAX).unwrap();
        let pack = TestPack::new(max);
        let (head, tail) = pack.bytes.split_at(max - 1);
        let longer = streamed(upload(&ann, Method::PUT, &pack), &[head, &[tail[0], 0]]);
        // The server does not read on, so its answer may meet a client that still writes.
        if let Ok(answer) = longer.send().await {
            assert_eq!(answer.status(), 413);
        }
        assert_eq!(ann.progress(&pack).await, None);
        let request = upload(&ann, Method::PATCH, &pack).header(UPLOAD_OFFSET, PACK_BYTES_MAX).body("x");
        assert_eq!(Answer::of(request).await.refused(), (413, "too_large".to_owned()));
        assert_eq!(Answer::of(streamed(upload(&ann, Method::PUT, &pack), &[head, tail])).await.status, 201);
    }
}

/// The bytes of all uploads of one person are bounded as well, by dropping the oldest.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_uploads_that_have_not_ended_are_bounded() {
    let server = TestServer::start(crate::harness::Database::sqlite()).await;
    let ann = server.owner().await;
    let owner: UserId = ann.user_id.parse().unwrap();
    // Sparse files stand for large uploads, as the server finds them when it starts.
    let packs: Vec<_> = (0..9).map(|_| TestPack::new(2)).collect();
    for (begun, pack) in (0..8).zip(&packs) {
        let file = server.folder.path().join(format!("packs/partial/{owner}.{}.{begun}", pack.id()));
        std::fs::File::create(file).unwrap().set_len(PACK_BYTES_MAX).unwrap();
    }
    let server = server.restart().await;
    let ann = ann.at(&server.url);
    assert_eq!(server.app.packs.partial_bytes(owner), PARTIAL_BYTES_MAX);
    assert_eq!(ann.upload(&packs[8]).await.status, 201);
    assert_eq!((ann.progress(&packs[0]).await, server.app.packs.partial_bytes(owner)), (None, 7 * PACK_BYTES_MAX));
}
