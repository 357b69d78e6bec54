//! Several servers of one PostgreSQL database and one data folder (SPEC S1).

use std::{path::Path, process::Child};

use data_encoding::BASE64URL_NOPAD;
use futures::SinkExt as _;
use segue_api::{bundles, handoffs::Claimed};
use segue_server::sweep;
use tempfile::TempDir;

use crate::{
    harness::{
        Database, HOUR_MS, Person, TestServer,
        seal::{Draft, TestPack},
    },
    process::Program,
};

fn spawn(data: &Path, url: &str) -> Child {
    Program::command(data).env("SEGUE_DATABASE_URL", url).spawn().unwrap()
}

/// The first person, who joins through a process.
pub(crate) async fn owner(program: &Program) -> Person {
    let token = program.ready["owner_link"].as_str().unwrap().rsplit_once('.').unwrap().1.to_owned();
    Person::join(program.url(), &BASE64URL_NOPAD.decode(token.as_bytes()).unwrap(), "ann@example.com").await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_begin_at_once_serve_together_and_one_goes_on_alone() {
    let Some(Database::Postgres(url)) = Database::empty_postgres().await else { return };
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let both = [spawn(&data, &url), spawn(&data, &url)];
    let [one, other] = both.map(Program::ready);
    let ann = owner(&one).await;
    let ben = ann.at(other.url()).bring("ben@example.com").await;
    let pack = TestPack::new(50_000);
    let (snapshot, _) = ann.push_new(&pack).await;
    let (draft, handoff) = ann.hand(&snapshot, &ben).await;
    let claimed: Claimed = ben.claim(&handoff.handoff_id, draft.claim).await.ok();
    let fetched = ben.get(&format!("/api/v1/bundles/{}/packs/{}", claimed.bundle_id, pack.id())).await;
    assert!(fetched.body == pack.bytes, "what one stored the other reads");

    assert_eq!(one.end("KILL").0, None);
    let ann = ann.at(other.url());
    let more = TestPack::new(60_000);
    assert_eq!(ann.upload(&more).await.status, 201);
    ann.push(&Draft::next(&ann, &snapshot, &[&pack, &more])).await;
    let again = Program::ready(spawn(&data, &url));
    assert!(again.ready.get("owner_link").is_none());
    let session = ann.at(again.url()).get(&format!("/api/v1/sessions/{}", snapshot.envelope.header.session_id)).await;
    assert_eq!(session.ok::<segue_api::sessions::Session>().seq, 2);
    assert_eq!((other.end("TERM").0, again.end("TERM").0), (Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_begins_leaves_the_uploads_of_others_alone() {
    let Some(Database::Postgres(url)) = Database::postgres().await else { return };
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let one = Program::ready(spawn(&data, &url));
    let ann = owner(&one).await;
    let pack = TestPack::new(3_000_000);
    let (mut sender, body) = futures::channel::mpsc::channel(1);
    let request = ann.request(reqwest::Method::PUT, &format!("/api/v1/packs/{}", pack.id()));
    let sending = tokio::spawn(request.body(reqwest::Body::wrap_stream(body)).send());
    sender.send(Ok::<_, std::io::Error>(pack.bytes[..2_500_000].to_vec())).await.unwrap();
    let came = || {
        let files = std::fs::read_dir(data.join("packs/partial")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    while came() < 2_000_000 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let other = Program::ready(spawn(&data, &url));
    assert_eq!(ann.at(other.url()).progress(&pack).await, None, "it is not the other's to go on with");
    sender.send(Ok(pack.bytes[2_500_000..].to_vec())).await.unwrap();
    drop(sender);
    assert_eq!(sending.await.unwrap().unwrap().status().as_u16(), 201);
    let known: bundles::Pack = ann.at(other.url()).upload(&pack).await.ok();
    assert_eq!(known.pack_id, pack.id().to_string());
    assert_eq!(came(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_at_once_record_each_expiry_once() {
    let Some(Database::Postgres(url)) = Database::postgres().await else { return };
    let one = TestServer::start(Database::Postgres(url.clone())).await;
    let other = TestServer::start(Database::Postgres(url)).await;
    let (ann, ben) = one.ann_and_ben().await;
    let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
    for _ in 0..20 {
        ann.hand(&snapshot, &ben).await;
    }
    one.clock.advance(200 * HOUR_MS);
    other.clock.advance(200 * HOUR_MS);
    let (first, second) = tokio::join!(sweep::once(&one.app), sweep::once(&other.app));
    first.unwrap();
    second.unwrap();
    assert_eq!(one.count("SELECT COUNT(*) FROM events WHERE kind = 'expired'").await, 20);
    assert_eq!(one.count("SELECT COUNT(*) FROM handoffs WHERE state = 'expired'").await, 20);
}
