//! Every limit has its error (SPEC S5).

use futures::stream;
use reqwest::Method;
use segue_server::app::Settings;

use crate::harness::{Person, TestServer, person::Answer, raw::Raw, seal::draw};

on_both! {
    async fn too_many_requests_are_told_when_to_come_back(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let server = server.restart_with(Settings { requests_per_minute: 10, ..Settings::default() }).await;
        let (ann, ben) = (ann.at(&server.url), ben.at(&server.url));
        for _ in 0..10 {
            assert_eq!(ann.get("/api/v1/account").await.status, 200);
        }
        // Whatever is asked for: a rate is no oracle.
        for path in ["/api/v1/account", "/api/v1/handoffs/hnd_x", "/api/v1/nothing"] {
            let answer = ann.get(path).await;
            assert_eq!(answer.refused(), (429, "rate_limited".to_owned()));
            let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds));
        }
        assert_eq!(ben.get("/api/v1/account").await.status, 200, "another device has its own");
        // Guessing tokens is counted by address, whatever the guess.
        let mut statuses = Vec::new();
        for _ in 0..4 {
            let guess = data_encoding::BASE64URL_NOPAD.encode(&draw::<32>());
            statuses.push(Person { token: guess, ..ann.clone() }.get("/api/v1/account").await.status.as_u16());
        }
        assert_eq!(statuses, [401, 401, 429, 429]);
    }

    async fn bodies_and_methods_that_a_route_does_not_take_are_named(server: TestServer) {
        let ann = server.owner().await;
        let post = |path: &str| ann.request(Method::POST, path).header("content-type", "application/json");
        // Without a length that says so before.
        let chunks = stream::iter([Ok::<_, std::io::Error>(vec![b' '; 13 * 1024 * 1024 + 1])]);
        let large = Answer::of(post("/api/v1/join").body(reqwest::Body::wrap_stream(chunks))).await;
        assert_eq!(large.refused(), (413, "too_large".to_owned()));
        for body in ["", "{", "[]", "null", r#"{"email": 1}"#, r#"{"email":"a@b","vouch":false,"token_hash":"!"}"#] {
            assert_eq!(Answer::of(post("/api/v1/invites").body(body)).await.refused(), (422, "invalid".to_owned()), "{body}");
        }
        let text = ann.request(Method::POST, "/api/v1/invites").header("content-type", "text/plain").body("{}");
        assert_eq!(Answer::of(text).await.refused(), (422, "invalid".to_owned()));
        for (method, path) in [(Method::DELETE, "/api/v1/account"), (Method::GET, "/api/v1/join"), (Method::POST, "/livez")] {
            let answer = Answer::of(ann.request(method, path)).await;
            assert_eq!(answer.refused(), (405, "method_not_allowed".to_owned()));
            assert!(answer.headers.contains_key("allow"));
        }
    }

    async fn what_is_announced_as_too_large_is_refused_before_its_body(server: TestServer) {
        let ann = server.owner().await;
        let (json, parcel) = ("application/json", segue_signed::parcel::MEDIA_TYPE);
        for (route, media_type, len) in [
            ("PUT /api/v1/packs/pck_00000000000000000000000000", json, 64 * 1024 * 1024 + 1),
            ("POST /api/v1/bundles", parcel, 13 * 1024 * 1024 + 1),
            ("POST /api/v1/join", json, 13 * 1024 * 1024 + 1),
        ] {
            let mut raw = Raw::connect(&server).await;
            let head = format!(
                "{route} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: {media_type}\r\n\
                 content-length: {len}\r\nx-segue-sha256: {}\r\n\r\n",
                ann.token,
                "0".repeat(64)
            );
            let answer = raw.ask(&head).await;
            assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("too_large"), "{answer}");
        }
    }
}
