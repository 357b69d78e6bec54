//! What is under way when the server stops or the client goes away (SPEC S2, S4).

use std::time::Duration;

use data_encoding::HEXLOWER;
use futures::{SinkExt as _, channel::mpsc};
use reqwest::Method;
use segue_api::PACK_SHA256;
use segue_server::app::Settings;
use sqlx::{Connection as _, PgConnection};

use crate::harness::{Database, Person, TestServer, raw::PATIENCE, seal::TestPack};

/// An upload whose first half was sent.
pub(crate) async fn begin(
    ann: &Person,
    pack: &TestPack,
) -> (mpsc::Sender<std::io::Result<Vec<u8>>>, tokio::task::JoinHandle<Option<u16>>) {
    let (mut sender, body) = mpsc::channel(1);
    let request = ann
        .request(Method::PUT, &format!("/api/v1/packs/{}", pack.id()))
        .header(PACK_SHA256, HEXLOWER.encode(&pack.entry.sha256))
        .header("content-length", pack.bytes.len())
        .body(reqwest::Body::wrap_stream(body));
    let sending = tokio::spawn(async move { request.send().await.ok().map(|answer| answer.status().as_u16()) });
    sender.send(Ok(pack.bytes[..1_000].to_vec())).await.unwrap();
    (sender, sending)
}

/// Waits until the first bytes of an upload are there.
pub(crate) async fn arrived(server: &TestServer, ann: &Person) {
    while server.app.packs.partial_bytes(ann.user_id.parse().unwrap()) < 1_000 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the server takes no new connection; one that came before the stop was noticed may still be answered.
async fn refuses(server: &TestServer) {
    while reqwest::Client::new().get(format!("{}/livez", server.url)).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
}

on_both! {
    async fn an_upload_that_began_before_the_stop_is_finished(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(2_000);
        let (mut sender, sending) = begin(&ann, &pack).await;
        arrived(&server, &ann).await;
        server.shutdown.cancel();
        refuses(&server).await;
        sender.send(Ok(pack.bytes[1_000..].to_vec())).await.unwrap();
        drop(sender);
        assert_eq!(sending.await.unwrap(), Some(201));
        let server = server.restart().await;
        assert_eq!(ann.at(&server.url).upload(&pack).await.status, 200);
    }

    async fn an_upload_that_does_not_end_is_cut(server: TestServer) {
        let ann = server.owner().await;
        let drain = Duration::from_millis(200);
        let server = server.restart_with(Settings { requests_per_minute: 1_000, drain, ..Settings::default() }).await;
        let pack = TestPack::new(2_000);
        let (sender, sending) = begin(&ann.at(&server.url), &pack).await;
        arrived(&server, &ann).await;
        server.shutdown.cancel();
        server.stopped().await.unwrap();
        drop(sender);
        assert_eq!(sending.await.unwrap(), None);
    }

    async fn an_upload_that_its_client_gives_up_waits_for_its_rest(server: TestServer) {
        let ann = server.owner().await;
        let pack = TestPack::new(2_000);
        let (sender, sending) = begin(&ann, &pack).await;
        arrived(&server, &ann).await;
        sending.abort();
        drop(sender);
        assert_eq!(ann.progress(&pack).await, Some((1_000, false)));
        assert_eq!(server.count("SELECT COUNT(*) FROM packs").await, 0);
        assert_eq!(ann.send_rest(&pack, 1_000).await.status, 201);
        assert_eq!(server.files(), 1);
    }

    async fn who_goes_away_while_a_transaction_begins_leaves_none_open(server: TestServer) {
        for polls in 0..200 {
            // As a request whose client hangs up: what it waits for is dropped somewhere on the way.
            let begin = server.app.db.begin();
            tokio::pin!(begin);
            for _ in 0..polls % 8 {
                if futures::poll!(begin.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        if let Database::Postgres(url) = &server.database {
            // By a connection that is none of the server's.
            let mut beside = PgConnection::connect(url).await.unwrap();
            let open = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
            let none = async {
                while sqlx::query_scalar::<_, i64>(open).fetch_one(&mut beside).await.unwrap() > 0 {}
            };
            tokio::time::timeout(PATIENCE, none).await.expect("a transaction stays open");
        }
    }
}
