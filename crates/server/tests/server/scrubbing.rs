//! What a pairing deleted is nowhere (SPEC D10).

use crate::harness::{
    Database, TestServer,
    pairing::{Guest, release},
    raw::PATIENCE,
};

/// SPEC D10: "deleted" is true on disk, in the log of the database too.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_stands_nowhere_in_the_files_of_the_database() {
    let server = TestServer::start(Database::sqlite()).await;
    let ann = server.owner().await;
    let (shown, guest, view) = (ann.show(1).await, Guest::new(&server.url), release());
    guest.lease(&shown).await;
    guest.answer(&shown, 1).await;
    shown.claim(1, &view, None).await;
    let folder = server.folder.path().to_owned();
    let needle = view[80..112].to_vec();
    let stands = move || {
        ["segue.db", "segue.db-wal"].iter().any(|name| {
            let bytes = std::fs::read(folder.join(name)).unwrap_or_default();
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    };
    assert!(stands(), "it is there as long as it waits");
    guest.acknowledge(&shown).await;
    let gone = async {
        while stands() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it still stands on disk");
}
