//! Transactions on SQLite share commits, and still each is all or nothing (`store/group.rs`).

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use segue_domain::UserId;
use segue_server::store::{Db, Tx, users};
use segue_signed::sha256;

use crate::harness::{BEGIN, Database, TestServer, seal::draw};

/// Writers at once.
const WRITERS: u8 = 96;

async fn insert(tx: &mut Tx<'_>, number: u8) {
    let email = format!("p{number}@example.com");
    let (id, bytes) = (UserId::from_bytes(draw()), sha256(&[number]));
    let new = users::NewUser {
        id,
        email: &email,
        email_key: &email,
        email_verified: true,
        name: "A Person",
        owner: false,
        card_seq: 1,
        recovery_root: &bytes,
        recovery_auth_hash: &bytes,
    };
    users::insert(tx, &new, BEGIN).await.unwrap();
}

async fn there(server: &TestServer) -> BTreeSet<String> {
    server.column("SELECT email FROM users").await.into_iter().collect()
}

fn emails(numbers: impl Iterator<Item = u8>) -> BTreeSet<String> {
    numbers.map(|number| format!("p{number}@example.com")).collect()
}

on_both! {
    async fn what_was_committed_is_there_and_what_was_dropped_is_not(server: TestServer) {
        let db = &server.app.db;
        join_all((0..WRITERS).map(|number| async move {
            let mut tx = db.begin().await.unwrap();
            insert(&mut tx, number).await;
            if number % 3 == 0 { drop(tx) } else { tx.commit().await.unwrap() }
        })).await;
        assert_eq!(there(&server).await, emails((0..WRITERS).filter(|number| number % 3 != 0)));
    }

    async fn one_that_fails_takes_nobody_with_it(server: TestServer) {
        let db = &server.app.db;
        let done = join_all((0..WRITERS).map(|number| async move {
            let mut tx = db.begin().await.unwrap();
            insert(&mut tx, number).await;
            if number % 4 == 0 {
                // A unique index refuses the same address twice.
                let (id, bytes) = (UserId::from_bytes(draw()), [0; 32]);
                let email = &format!("p{number}@example.com");
                let new = users::NewUser { id, email, email_key: email, email_verified: true, name: "x", owner: false, card_seq: 1, recovery_root: &bytes, recovery_auth_hash: &bytes };
                users::insert(&mut tx, &new, BEGIN).await?;
            }
            tx.commit().await
        })).await;
        assert_eq!(done.iter().filter(|done| done.is_err()).count(), usize::from(WRITERS) / 4);
        assert_eq!(there(&server).await, emails((0..WRITERS).filter(|number| number % 4 != 0)));
    }

    async fn whoever_gives_up_midway_lets_the_others_go_on(server: TestServer) {
        let db = server.app.db.clone();
        let tasks: Vec<_> = (0..WRITERS).map(|number| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut tx = db.begin().await.unwrap();
                insert(&mut tx, number).await;
                tx.commit().await.unwrap();
                number
            })
        }).collect();
        for (index, task) in tasks.iter().enumerate() {
            if index % 2 == 0 {
                task.abort();
            }
            tokio::task::yield_now().await;
        }
        let ended = tokio::time::timeout(Duration::from_mins(1), join_all(tasks)).await.unwrap();
        let acknowledged: BTreeSet<_> = emails(ended.iter().flatten().copied());
        assert!(acknowledged.len() >= usize::from(WRITERS) / 2);
        assert!(there(&server).await.is_superset(&acknowledged));
        // And the writer is free.
        let mut tx = db.begin().await.unwrap();
        insert(&mut tx, WRITERS).await;
        tx.commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_together_is_on_disk_together() {
    let server = TestServer::start(Database::sqlite()).await;
    let Db::Sqlite { write, .. } = &server.app.db else { panic!("this is SQLite") };
    // While somebody has the turn, the others gather; the first waits for them with its commit.
    let mut first = server.app.db.begin().await.unwrap();
    insert(&mut first, 0).await;
    let others: Vec<_> = (1..8)
        .map(|number| {
            let db = server.app.db.clone();
            tokio::spawn(async move {
                let mut tx = db.begin().await.unwrap();
                insert(&mut tx, number).await;
                tx.commit().await.unwrap();
            })
        })
        .collect();
    while write.waiting() < 7 {
        tokio::task::yield_now().await;
    }
    let before = write.commits();
    first.commit().await.unwrap();
    for other in others {
        other.await.unwrap();
    }
    assert!(write.commits() - before < 8, "each had a commit of its own");
    assert_eq!(there(&server).await.len(), 8);
}
