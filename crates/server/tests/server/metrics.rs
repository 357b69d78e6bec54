//! What who watches the server sees (SPEC S4).

use segue_server::sweep;

use crate::harness::{HOUR_MS, TestServer, seal::TestPack};

async fn scrape(server: &TestServer) -> String {
    let answer = reqwest::get(format!("{}/metrics", server.metrics)).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

on_both! {
    async fn what_happens_is_counted_and_nobody_is_named(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, session) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        for _ in 0..2 {
            assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        }
        let body = segue_api::handoffs::Revoke { reason: "too late".to_owned() };
        assert_eq!(ann.post(&format!("/api/v1/handoffs/{}/revoke", handoff.handoff_id), &body).await.status, 409);
        ann.hand(&snapshot, &ben).await;
        server.clock.advance(200 * HOUR_MS);
        sweep::once(&server.app).await.unwrap();
        ann.get("/planted-path-7f3a").await;
        let text = scrape(&server).await;
        for line in [
            "segue_transitions_total{kind=\"create\",outcome=\"done\"} 2",
            "segue_transitions_total{kind=\"claim\",outcome=\"done\"} 1",
            "segue_transitions_total{kind=\"claim\",outcome=\"repeated\"} 1",
            "segue_transitions_total{kind=\"revoke\",outcome=\"refused\"} 1",
            "segue_transitions_total{kind=\"expire\",outcome=\"done\"} 1",
            "segue_http_requests_total{route=\"/api/v1/handoffs/{id}/claim\",method=\"POST\",class=\"2xx\"} 2",
            "segue_http_requests_total{route=\"-\",method=\"GET\",class=\"4xx\"} 1",
            "segue_packs 1",
            "segue_packs_bytes 2000",
            "segue_mails{state=\"dead\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert!(!text.contains("segue_mails{state=\"waiting\"} 0") && !text.contains("segue_connections_open 0"));
        for named in [&ann.user_id, &ben.user_id, &handoff.handoff_id, &session.session_id, &ben.email, &"7f3a".to_owned()] {
            assert!(!text.contains(named.as_str()), "{named}\n{text}");
        }
    }

    async fn metrics_have_their_own_port_and_nothing_else_is_there(server: TestServer) {
        let http = reqwest::Client::new();
        let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
        assert_eq!(status(http.get(format!("{}/metrics", server.url))).await, 404);
        assert_eq!(status(http.get(format!("{}/api/v1/server", server.metrics))).await, 404);
        assert_eq!(status(http.post(format!("{}/metrics", server.metrics))).await, 405);
        // Its connection is kept open, and holds nobody up when the server stops.
        assert_eq!(status(http.get(format!("{}/metrics", server.metrics))).await, 200);
        server.shutdown.cancel();
        let metrics = server.metrics.clone();
        server.stopped().await.unwrap();
        assert!(reqwest::get(format!("{metrics}/metrics")).await.is_err());
    }
}
