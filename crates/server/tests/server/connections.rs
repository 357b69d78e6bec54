//! Clients that take a place and ask for nothing.

use std::time::Duration;

use futures::SinkExt as _;
use reqwest::Method;
use segue_server::{app::Settings, connections::Bounds};

use crate::{
    drain::{arrived, begin},
    harness::{TestServer, raw::Raw, seal::TestPack},
};

/// Short enough to wait for.
const SOON: Duration = Duration::from_millis(100);

fn with(connections: Bounds) -> Settings {
    Settings { requests_per_minute: 1_000_000, connections, ..Settings::default() }
}

on_both! {
    async fn who_does_not_send_a_request_does_not_stay(server: TestServer) {
        let server = server.restart_with(with(Bounds { head: SOON, ..Bounds::default() })).await;
        // Nothing, the beginning of HTTP/2, HTTP/2 without a request, and half a head.
        let http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        for beginning in ["", "PRI * HT", http2, "GET /livez HTTP/1.1\r\nhost:"] {
            let mut raw = Raw::connect(&server).await;
            raw.send(beginning).await;
            raw.closed().await;
        }
        assert!(Raw::connect(&server).await.is_served().await);
    }

    async fn an_idle_connection_ends_and_one_with_an_open_request_does_not(server: TestServer) {
        let ann = server.owner().await;
        let server = server.restart_with(with(Bounds { head: SOON, idle: SOON, ..Bounds::default() })).await;
        let pack = TestPack::new(2_000);
        let (mut sender, sending) = begin(&ann.at(&server.url), &pack).await;
        arrived(&server, &ann).await;
        for _ in 0..2 {
            let mut idle = Raw::connect(&server).await;
            assert!(idle.is_served().await);
            idle.closed().await;
        }
        // The upload was open for longer than both idle ones.
        sender.send(Ok(pack.bytes[1_000..].to_vec())).await.unwrap();
        drop(sender);
        assert_eq!(sending.await.unwrap(), Some(201));
    }

    async fn a_download_lasts_as_long_as_its_reader_needs(server: TestServer) {
        let ann = server.owner().await;
        // More than what lies in buffers between the two.
        let pack = TestPack::new(32 * 1024 * 1024);
        let (_, session) = ann.push_new(&pack).await;
        let server = server.restart_with(with(Bounds { head: SOON, idle: SOON, ..Bounds::default() })).await;
        let path = format!("/api/v1/bundles/{}/packs/{}", session.bundle_id, pack.id());
        let download = ann.at(&server.url).request(Method::GET, &path).send().await.unwrap();
        for _ in 0..3 {
            let mut idle = Raw::connect(&server).await;
            assert!(idle.is_served().await);
            idle.closed().await;
        }
        assert!(download.bytes().await.unwrap() == pack.bytes);
    }

    async fn one_address_cannot_take_the_places_of_others(server: TestServer) {
        let server = server.restart_with(with(Bounds::default())).await;
        let mut held = Vec::new();
        for _ in 0..64 {
            let mut raw = Raw::connect(&server).await;
            assert!(raw.is_served().await);
            held.push(raw);
        }
        assert!(!Raw::connect(&server).await.is_served().await);
        assert!(Raw::connect_from(&server, "127.0.0.2").await.is_served().await);
        for raw in &mut held {
            assert!(raw.is_served().await);
        }
        // A place is free again as soon as the server has seen its connection go.
        drop(held.pop());
        while !Raw::connect(&server).await.is_served().await {
            tokio::task::yield_now().await;
        }
    }

    async fn when_all_places_are_taken_the_next_waits(server: TestServer) {
        let server = server.restart_with(with(Bounds { all: 1, ..Bounds::default() })).await;
        let mut first = Raw::connect(&server).await;
        assert!(first.is_served().await);
        let mut second = Raw::connect(&server).await;
        let waiting = tokio::spawn(async move { second.is_served().await });
        assert!(first.is_served().await && !waiting.is_finished());
        drop(first);
        assert!(waiting.await.unwrap());
    }

    async fn a_pack_that_stalls_waits_for_its_rest(server: TestServer) {
        let ann = server.owner().await;
        let server = server.restart_with(Settings { body_idle: SOON, ..with(Bounds::default()) }).await;
        let (ann, pack) = (ann.at(&server.url), TestPack::new(2_000));
        let (_sender, sending) = begin(&ann, &pack).await;
        assert_eq!(sending.await.unwrap(), Some(503));
        assert_eq!(ann.send_rest(&pack, 1_000).await.status, 201);
    }
}
