//! Time ends a handoff, and that is recorded once, whoever notices it (SPEC T9, T11).

use segue_api::{bundles::Bundle, handoffs::Handoff};
use segue_server::{
    store::{Db, Tx},
    sweep,
};
use segue_signed::{lv::Writer, sha256};
use sqlx::FromRow;

use crate::harness::{HOUR_MS, TestServer, seal::TestPack};

on_both! {
    async fn a_late_claim_is_gone_and_records_the_expiry(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        server.clock.advance(168 * HOUR_MS - 1);
        let seen: Handoff = ann.get(&format!("/api/v1/handoffs/{}", handoff.handoff_id)).await.ok();
        assert_eq!(seen.status, "pending");
        server.clock.advance(1);
        for _ in 0..2 {
            assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.refused(), (410, "expired".to_owned()));
        }
        assert_eq!(server.column("SELECT kind || ' by ' || actor_type FROM events ORDER BY seq").await, ["created by user", "expired by server"]);
        assert_eq!(server.count("SELECT COUNT(*) FROM sessions").await, 1);
        // The sealed content is gone, its packs are still Ann's, and both may still look.
        assert_eq!(server.count("SELECT COUNT(*) FROM bundles WHERE kind = 'handoff' AND manifest IS NULL").await, 1);
        assert_eq!(server.count("SELECT CAST(SUM(refs) AS BIGINT) FROM packs").await, 1);
        let seen: Handoff = ben.get(&format!("/api/v1/handoffs/{}", handoff.handoff_id)).await.ok();
        assert!(seen.status == "expired" && seen.ended_at.is_some());
        let bundle: Bundle = ben.get(&format!("/api/v1/handoffs/{}/bundle", handoff.handoff_id)).await.ok();
        assert!(bundle.wrap.is_none());
    }

    async fn the_sweep_records_what_nobody_asked_about(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        for _ in 0..3 {
            ann.hand(&snapshot, &ben).await;
        }
        server.clock.advance(168 * HOUR_MS);
        let inbox: segue_api::handoffs::Handoffs = ben.get("/api/v1/handoffs?box=inbox").await.ok();
        assert!(inbox.handoffs.iter().all(|handoff| handoff.status == "expired"));
        sweep::once(&server.app).await.unwrap();
        sweep::once(&server.app).await.unwrap();
        assert_eq!(server.count("SELECT COUNT(*) FROM events WHERE kind = 'expired'").await, 3);
    }

    async fn a_first_look_is_recorded_once_and_only_for_a_recipient(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (_, handoff) = ann.hand(&snapshot, &ben).await;
        let path = format!("/api/v1/handoffs/{}", handoff.handoff_id);
        ann.get(&path).await.ok::<Handoff>();
        ann.get(&format!("{path}/bundle")).await.ok::<Bundle>();
        ben.get("/api/v1/handoffs?box=inbox").await;
        assert_eq!(server.count("SELECT COUNT(*) FROM events").await, 1);
        ben.get(&format!("{path}/bundle")).await.ok::<Bundle>();
        server.clock.advance(5);
        ben.get(&path).await.ok::<Handoff>();
        assert_eq!(server.column("SELECT kind FROM events ORDER BY seq").await, ["created", "viewed"]);
        let seen: Handoff = ann.get(&path).await.ok();
        assert_eq!(seen.viewed_at, Some(crate::harness::BEGIN.as_millis()));
    }

    async fn events_are_chained_by_their_hashes(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand(&snapshot, &ben).await;
        ben.get(&format!("/api/v1/handoffs/{}", handoff.handoff_id)).await.ok::<Handoff>();
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        let events = events(&server).await;
        assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["created", "viewed", "claimed"]);
        let mut previous: Option<Vec<u8>> = None;
        for event in events {
            let bytes = Writer::labelled("segue/event/1")
                .text(&handoff.handoff_id)
                .u64(event.seq.unsigned_abs())
                .text(&event.kind)
                .text(&event.actor)
                .text(&event.actor_type)
                .u64(event.at.unsigned_abs())
                .text(&event.payload)
                .optional(previous.as_deref())
                .finish();
            assert_eq!(event.hash, sha256(&bytes));
            previous = Some(event.hash);
        }
    }
}

#[derive(FromRow)]
struct Event {
    seq: i64,
    kind: String,
    actor: String,
    actor_type: String,
    at: i64,
    payload: String,
    hash: Vec<u8>,
}

async fn events(server: &TestServer) -> Vec<Event> {
    let sql = "SELECT seq, kind, actor, actor_type, at, payload, hash FROM events ORDER BY seq";
    let db: &Db = &server.app.db;
    match db.read().await.unwrap() {
        Tx::SqliteWrites(mut tx) => sqlx::query_as(sql).fetch_all(&mut *tx).await.unwrap(),
        Tx::Sqlite(mut tx) => sqlx::query_as(sql).fetch_all(&mut *tx).await.unwrap(),
        Tx::Postgres(mut tx) => sqlx::query_as(sql).fetch_all(&mut *tx).await.unwrap(),
        Tx::PostgresReads(mut tx) => sqlx::query_as(sql).fetch_all(&mut *tx).await.unwrap(),
    }
}
