//! Clients on slow lines, and clients that only look like them.

use std::time::Duration;

use futures::{SinkExt as _, channel::mpsc};
use reqwest::Method;
use segue_domain::SessionId;
use segue_server::{app::Settings, connections::Bounds};
use segue_signed::{parcel, sha256};

use crate::harness::{
    Person, TestServer,
    person::Answer,
    raw::{PATIENCE, Raw},
    seal::{Draft, TestPack, draw},
};

const SESSIONS: &str = "SELECT COUNT(*) FROM sessions";

fn with(request: Duration, body_idle: Duration, head: Duration) -> Settings {
    let connections = Bounds { head, ..Bounds::default() };
    Settings { request, body_idle, connections, requests_per_minute: 1_000_000, ..Settings::default() }
}

/// A parcel, and the request that takes it piece by piece.
fn begin(ann: &Person, manifest: usize) -> (Vec<u8>, mpsc::Sender<std::io::Result<Vec<u8>>>, reqwest::RequestBuilder) {
    let pack = TestPack::new(2_000);
    let mut draft = Draft::snapshot(ann, &SessionId::from_bytes(draw()).to_string(), &[&pack]);
    draft.manifest = vec![7; manifest];
    draft.envelope.manifest_hash = sha256(&draft.manifest);
    draft.envelope.manifest_len = u32::try_from(manifest).unwrap();
    let bytes = draft.body_with(draft.sign(ann).as_bytes(), &[&pack]).0;
    let (sender, body) = mpsc::channel(1);
    let request = ann.request(Method::POST, "/api/v1/bundles").header("content-type", parcel::MEDIA_TYPE);
    (bytes, sender, request.body(reqwest::Body::wrap_stream(body)))
}

on_both! {
    async fn a_body_may_take_longer_than_a_request_as_long_as_it_comes(server: TestServer) {
        let ann = server.owner().await;
        let (request, longer) = (Duration::from_secs(2), Duration::from_millis(2_200));
        let server = server.restart_with(with(request, Duration::from_mins(1), longer)).await;
        let (bytes, mut sender, request) = begin(&ann.at(&server.url), 200);
        let sending = tokio::spawn(Answer::of(request));
        sender.send(Ok(bytes[..1_000].to_vec())).await.unwrap();
        // Who sends nothing at all is sent away, and later than a request may take.
        Raw::connect(&server).await.closed().await;
        sender.send(Ok(bytes[1_000..].to_vec())).await.unwrap();
        drop(sender);
        assert_eq!(sending.await.unwrap().status, 201);
    }

    async fn a_body_that_stalls_is_given_up(server: TestServer) {
        let ann = server.owner().await;
        let soon = Duration::from_millis(100);
        let server = server.restart_with(with(Duration::from_mins(1), soon, Duration::from_mins(1))).await;
        let (bytes, mut sender, request) = begin(&ann.at(&server.url), 2_000_000);
        let sending = tokio::spawn(Answer::of(request));
        // As much as would earn it minutes if only the speed counted.
        sender.send(Ok(bytes[..1_000_000].to_vec())).await.unwrap();
        let answer = tokio::time::timeout(PATIENCE, sending).await.expect("the server waits on").unwrap();
        assert_eq!(answer.refused(), (503, "unavailable".to_owned()));
        assert!(answer.headers.contains_key("retry-after") && String::from_utf8_lossy(&answer.body).contains("stalled"));
        assert_eq!(server.count(SESSIONS).await, 0);
    }

    async fn one_byte_now_and_then_keeps_no_place(server: TestServer) {
        let ann = server.owner().await;
        let idle = Duration::from_millis(400);
        let server = server.restart_with(with(Duration::from_mins(1), idle, Duration::from_mins(1))).await;
        let (bytes, mut sender, request) = begin(&ann.at(&server.url), 200);
        let sending = tokio::spawn(request.send());
        let mut each = tokio::time::interval(Duration::from_millis(1));
        for byte in bytes {
            each.tick().await;
            if sending.is_finished() || sender.send(Ok(vec![byte])).await.is_err() {
                break;
            }
        }
        drop(sender);
        // The server does not read on, so its answer may meet a client that still writes.
        if let Ok(answer) = sending.await.unwrap() {
            assert_eq!(answer.status(), 503);
        }
        assert_eq!(server.count(SESSIONS).await, 0);
    }
}
