//! Who asks, when a proxy asks for them.

use futures::SinkExt as _;
use reqwest::Method;
use segue_server::{app::Settings, connections::Bounds, proxies::Proxies};

use crate::{
    drain::arrived,
    harness::{TestServer, raw::Raw, seal::TestPack},
};

/// A server that trusts what comes from 127.0.0.1; one address may have one connection, and ask twice a minute without a token.
async fn behind_a_proxy(server: TestServer) -> TestServer {
    let settings = Settings {
        requests_per_minute: 10,
        trusted_proxies: Proxies(vec!["127.0.0.1/32".parse().unwrap()]),
        connections: Bounds { per_address: 1, ..Bounds::default() },
        mail_every: None,
        ..Settings::default()
    };
    server.restart_with(settings).await
}

/// The status of a request that says for whom it is.
async fn ask(raw: &mut Raw, forwarded: &str) -> String {
    let answer =
        raw.ask(&format!("GET /api/v1/server HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {forwarded}\r\n\r\n")).await;
    answer.chars().skip("HTTP/1.1 ".len()).take(3).collect()
}

on_both! {
    async fn clients_of_a_trusted_proxy_are_counted_each_for_themselves(server: TestServer) {
        let server = behind_a_proxy(server).await;
        let (mut one, mut other) = (Raw::connect(&server).await, Raw::connect(&server).await);
        for _ in 0..2 {
            assert_eq!(ask(&mut one, "192.0.2.7").await, "200");
        }
        // On whichever connection, and whatever the client wrote itself.
        assert_eq!(ask(&mut one, "192.0.2.7").await, "429");
        assert_eq!(ask(&mut other, "192.0.2.99, 192.0.2.7").await, "429");
        assert_eq!(ask(&mut other, "192.0.2.8").await, "200");
    }

    async fn who_is_no_trusted_proxy_is_not_believed(server: TestServer) {
        let server = behind_a_proxy(server).await;
        let mut spoofer = Raw::connect_from(&server, "127.0.0.2").await;
        for (hop, status) in [("192.0.2.1", "200"), ("192.0.2.2", "200"), ("192.0.2.3", "429")] {
            assert_eq!(ask(&mut spoofer, hop).await, status, "{hop}");
        }
        // One connection is what it may have; a proxy has more.
        assert!(!Raw::connect_from(&server, "127.0.0.2").await.is_served().await);
        assert_eq!(ask(&mut Raw::connect(&server).await, "192.0.2.1").await, "200");
    }

    async fn a_client_behind_a_proxy_has_as_much_open_as_one_without(server: TestServer) {
        let ann = server.owner().await;
        let server = behind_a_proxy(server).await;
        let (ann, pack) = (ann.at(&server.url), TestPack::new(2_000));
        let (mut sender, body) = futures::channel::mpsc::channel(1);
        let request = ann.request(Method::PUT, &format!("/api/v1/packs/{}", pack.id()));
        let request = request.header("x-forwarded-for", "192.0.2.7").body(reqwest::Body::wrap_stream(body));
        let sending = tokio::spawn(async move { request.send().await.unwrap().status().as_u16() });
        sender.send(Ok::<_, std::io::Error>(pack.bytes[..1_000].to_vec())).await.unwrap();
        arrived(&server, &ann).await;
        let mut proxy = Raw::connect(&server).await;
        assert_eq!(ask(&mut proxy, "192.0.2.7").await, "429");
        assert_eq!(ask(&mut proxy, "192.0.2.8").await, "200");
        sender.send(Ok(pack.bytes[1_000..].to_vec())).await.unwrap();
        drop(sender);
        assert_eq!(sending.await.unwrap(), 201);
        assert_eq!(ask(&mut proxy, "192.0.2.7").await, "200");
    }
}
