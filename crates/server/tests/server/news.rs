//! Live news: who hears what, in which order, and that nothing is lost (research R15, I11, I13).

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use segue_api::handoffs::Handoff;
use segue_domain::limits;
use segue_server::{app::Settings, connections::Bounds as Limits, news::Bounds, sweep};

use crate::harness::{
    BEGIN, Database, HOUR_MS, Person, TestServer,
    live::{Live, Sent, kinds},
    raw::Raw,
    seal::{Draft, TestPack},
    team::Team,
};

/// So long that it never comes in a test.
const NEVER: Duration = Duration::from_hours(24);

fn settings(bounds: Bounds) -> Settings {
    Settings { requests_per_minute: 1_000_000, mail_every: None, news: bounds, ..Settings::default() }
}

async fn handed(ann: &Person, ben: &Person) -> (Draft, Handoff) {
    let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
    ann.hand(&snapshot, ben).await
}

/// The number of the newest news.
async fn newest(person: &Person) -> i64 {
    person.listen(None).await.next().await.unwrap().id
}

on_both! {
    async fn both_parties_hear_what_happens_in_its_order(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let cy = ann.bring("cy@example.com").await;
        // Before there is anything: all that comes is heard because it happens.
        let (mut to_ann, mut to_ben, mut to_cy) = (ann.listen(None).await, ben.listen(None).await, cy.listen(None).await);
        for live in [&mut to_ann, &mut to_ben, &mut to_cy] {
            assert_eq!(kinds(&live.take(1).await), [("begin", 0)]);
        }
        let (draft, handoff) = handed(&ann, &ben).await;
        ben.see(&handoff).await;
        ann.comment(&handoff, "the tests are red").await;
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        let expected = [("created", 1), ("viewed", 2), ("commented", 3), ("claimed", 4)];
        for live in [&mut to_ann, &mut to_ben] {
            let sent = live.take(4).await;
            assert_eq!(kinds(&sent), expected);
            for (sent, (_, number)) in sent.iter().zip(expected) {
                let news = sent.news();
                let known = (news.handoff_id.as_str(), news.event_seq, news.at);
                assert_eq!(known, (handoff.handoff_id.as_str(), number, BEGIN.as_millis()));
                assert!(!sent.data.contains("red"), "{sent:?}");
            }
        }
        // Nobody else hears anything: the first news of theirs is of what is theirs.
        let (_, of_cy) = handed(&ann, &cy).await;
        assert_eq!(to_cy.take(1).await[0].news().handoff_id, of_cy.handoff_id);
    }

    async fn a_stream_goes_on_after_the_number_that_is_known(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (_, handoff) = handed(&ann, &ben).await;
        for text in ["one", "two", "three"] {
            ann.comment(&handoff, text).await;
        }
        let all = [("created", 1), ("commented", 2), ("commented", 3), ("commented", 4)];
        for known in 0..=4 {
            let sent = ben.listen(Some(known)).await.take(5 - usize::try_from(known).unwrap()).await;
            assert_eq!(kinds(&sent)[0], ("begin", known));
            assert_eq!(kinds(&sent)[1..], all[usize::try_from(known).unwrap()..]);
        }
        let asked = ben.request(Method::GET, "/api/v1/news?after=3").send().await.unwrap();
        assert_eq!(kinds(&Live::of(asked).take(2).await), [("begin", 3), ("commented", 4)]);
        // What a browser repeats with its header is newer than what it asked for first.
        let both = ben.request(Method::GET, "/api/v1/news?after=0").header("last-event-id", 3).send().await.unwrap();
        assert_eq!(kinds(&Live::of(both).take(2).await), [("begin", 3), ("commented", 4)]);
        for id in ["x", "-1", "9223372036854775808", ""] {
            let refused = ben.request(Method::GET, "/api/v1/news").header("last-event-id", id).send().await.unwrap();
            assert_eq!(refused.status(), 422, "{id}");
        }
    }

    async fn nobody_misses_anything_however_many_write_and_however_often_they_come_back(server: TestServer) {
        const WRITERS: usize = 6;
        const COMMENTS: usize = 20;
        let (ann, ben) = server.ann_and_ben().await;
        let mut handoffs = Vec::new();
        for _ in 0..WRITERS {
            // In both directions, so that the two counters are wanted by transactions of both.
            handoffs.push((ann.clone(), handed(&ann, &ben).await.1));
            handoffs.push((ben.clone(), handed(&ben, &ann).await.1));
        }
        let writing = join_all(handoffs.iter().map(|(by, handoff)| async move {
            for _ in 0..COMMENTS {
                assert_eq!(by.comment(handoff, "more").await.status, 201);
            }
        }));
        let all = 2 * WRITERS * (COMMENTS + 1);
        let listening = join_all([(&ann, 1), (&ann, 7), (&ben, 3), (&ben, 1_000)].map(|(person, each)| async move {
            let (mut seen, mut live) = (Vec::<Sent>::new(), person.listen(Some(0)).await);
            let mut since = 0;
            while seen.len() < all {
                match live.next().await {
                    Some(sent) if sent.kind == "begin" => {}
                    Some(sent) => seen.push(sent),
                    None => since = each,
                }
                since += 1;
                if since > each {
                    since = 0;
                    live = person.listen(Some(seen.last().map_or(0, |sent| sent.id))).await;
                }
            }
            seen
        }));
        let ((), streams) = tokio::join!(async { drop(writing.await) }, listening);
        for seen in streams {
            let numbers: Vec<_> = seen.iter().map(|sent| sent.id).collect();
            assert_eq!(numbers, (1..=i64::try_from(all).unwrap()).collect::<Vec<_>>());
            for (_, handoff) in &handoffs {
                // The order of one handoff's news is that of its log.
                let of_it = seen.iter().map(Sent::news).filter(|news| news.handoff_id == handoff.handoff_id);
                let events: Vec<_> = of_it.map(|news| news.event_seq).collect();
                assert_eq!(events, (1..=i64::try_from(COMMENTS).unwrap() + 1).collect::<Vec<_>>());
            }
        }
    }

    async fn who_was_away_too_long_is_told_to_read_again(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (_, handoff) = handed(&ann, &ben).await;
        ann.comment(&handoff, "old").await;
        server.clock.advance(HOUR_MS);
        ann.comment(&handoff, "newer").await;
        // The last moment that the first two are kept, and the one after.
        server.clock.advance((i64::from(limits::NEWS_HOURS) - 1) * HOUR_MS);
        sweep::once(&server.app).await.unwrap();
        // The handoff has expired meanwhile.
        let sent = ben.listen(Some(0)).await.take(5).await;
        let whole = [("begin", 0), ("created", 1), ("commented", 2), ("commented", 3), ("expired", 4)];
        assert_eq!(kinds(&sent), whole);
        server.clock.advance(1);
        sweep::once(&server.app).await.unwrap();
        let sent = ben.listen(Some(0)).await.take(4).await;
        assert_eq!(kinds(&sent), [("reset", 2), ("begin", 2), ("commented", 3), ("expired", 4)]);
        assert_eq!(kinds(&ben.listen(Some(2)).await.take(2).await), [("begin", 2), ("commented", 3)]);
        // A number that was never given: the server was put back to a backup.
        assert_eq!(kinds(&ben.listen(Some(99)).await.take(2).await), [("reset", 4), ("begin", 4)]);
        // All of it is dropped, and the numbers go on.
        server.clock.advance(2 * i64::from(limits::NEWS_HOURS) * HOUR_MS);
        sweep::once(&server.app).await.unwrap();
        assert_eq!(server.count("SELECT COUNT(*) FROM news").await, 0);
        assert_eq!(kinds(&ben.listen(Some(3)).await.take(2).await), [("reset", 4), ("begin", 4)]);
        let mut live = ben.listen(Some(4)).await;
        ann.comment(&handoff, "newest").await;
        assert_eq!(kinds(&live.take(2).await), [("begin", 4), ("commented", 5)]);
    }

    async fn a_revoked_device_hears_nothing_more(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let mut silent = ben.listen(None).await;
        assert_eq!(silent.take(1).await.len(), 1);
        server.damage("UPDATE devices SET revoked_at = 1 WHERE user_id = (SELECT id FROM users WHERE NOT owner)").await;
        // Nothing happens, and the stream ends all the same.
        assert_eq!(silent.next().await, None);
        assert_eq!(ben.request(Method::GET, "/api/v1/news").send().await.unwrap().status(), 401);
        assert_eq!(ann.listen(None).await.take(1).await.len(), 1);
    }

    async fn a_personal_token_hears_until_it_ends(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (_, handoff) = handed(&ann, &ben).await;
        let other = ben.by_token(&["sessions:read"]).await.0;
        assert_eq!(other.request(Method::GET, "/api/v1/news").send().await.unwrap().status(), 403);
        let (agent, token) = ben.by_token(&["handoffs:read"]).await;
        let mut live = agent.listen(Some(0)).await;
        assert_eq!(kinds(&live.take(2).await), [("begin", 0), ("created", 1)]);
        ann.comment(&handoff, "more").await;
        assert_eq!(kinds(&live.take(1).await), [("commented", 2)]);
        assert!(ben.delete(&format!("/api/v1/tokens/{token}")).await.status.is_success());
        assert_eq!(live.next().await, None);
        // The device of the same person goes on.
        let mut live = ben.listen(Some(1)).await;
        assert_eq!(kinds(&live.take(2).await), [("begin", 1), ("commented", 2)]);
        let last = ben.by_token(&["handoffs:read"]).await.0;
        let mut live = last.listen(None).await;
        assert_eq!(live.take(1).await.len(), 1);
        server.clock.advance(400 * 24 * HOUR_MS);
        assert_eq!(live.next().await, None);
    }

    async fn a_revoked_device_is_not_even_told_what_comes_at_once(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let server = server.restart_with(settings(Bounds { poll: NEVER, ..Bounds::default() })).await;
        let (ann, ben) = (ann.at(&server.url), ben.at(&server.url));
        let (_, handoff) = handed(&ann, &ben).await;
        let mut live = ben.listen(None).await;
        assert_eq!(live.take(1).await.len(), 1);
        server.damage("UPDATE devices SET revoked_at = 1 WHERE user_id = (SELECT id FROM users WHERE NOT owner)").await;
        ann.comment(&handoff, "secret").await;
        assert_eq!(live.next().await, None);
    }

    async fn who_left_the_team_hears_nothing_of_before_or_after(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let cy = ann.bring("cy@example.com").await;
        let team = Team::of(&server, &ann, &[ben.clone(), cy.clone()]).await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (_, handoff) = ann.hand_to_team(&snapshot, &team).await;
        let mut to_ben = ben.listen(Some(0)).await;
        assert_eq!(kinds(&to_ben.take(2).await), [("begin", 0), ("created", 1)]);
        team.remove(&server, &ben).await;
        ann.comment(&handoff, "only for members").await;
        assert_eq!(kinds(&cy.listen(Some(0)).await.take(3).await)[2], ("commented", 2));
        // What comes next is his again, and nothing of the team's came before it: neither here nor after a return.
        let (_, own) = handed(&ann, &ben).await;
        assert_eq!(to_ben.take(1).await[0].news().handoff_id, own.handoff_id);
        let sent = ben.listen(Some(0)).await.take(2).await;
        assert_eq!((kinds(&sent), sent[1].news().handoff_id), (vec![("begin", 0), ("created", 2)], own.handoff_id));
    }

    async fn who_lost_hears_of_the_claim_and_nothing_after_it(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let cy = ann.bring("cy@example.com").await;
        let team = Team::of(&server, &ann, &[ben.clone(), cy.clone()]).await;
        let (snapshot, _) = ann.push_new(&TestPack::new(2_000)).await;
        let (draft, handoff) = ann.hand_to_team(&snapshot, &team).await;
        assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        ann.comment(&handoff, "between us").await;
        let kinds_of = async |person: &Person| {
            let sent = person.listen(Some(0)).await.take(3).await;
            kinds(&sent)[1..].iter().map(|(kind, _)| (*kind).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(kinds_of(&ben).await, ["created", "claimed"]);
        assert_eq!(kinds_of(&cy).await, ["created", "claimed"]);
        assert_eq!((newest(&ann).await, newest(&ben).await, newest(&cy).await), (3, 3, 2));
    }

    async fn what_was_undone_or_repeated_is_no_news(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let (draft, handoff) = handed(&ann, &ben).await;
        assert_eq!(ben.claim(&handoff.handoff_id, [0; 32]).await.status, 422);
        for _ in 0..3 {
            assert_eq!(ben.claim(&handoff.handoff_id, draft.claim).await.status, 200);
        }
        let path = format!("/api/v1/handoffs/{}/comments", handoff.handoff_id);
        for _ in 0..3 {
            assert_eq!(ben.post_once(&path, "key", &serde_json::json!({"body": "once"})).await.status, 201);
        }
        assert_eq!((newest(&ann).await, newest(&ben).await), (3, 3));
    }

    async fn a_stop_ends_streams_at_once(server: TestServer) {
        let ann = server.owner().await;
        let mut live = ann.listen(None).await;
        assert_eq!(live.take(1).await.len(), 1);
        server.shutdown.cancel();
        let last = live.next().await.unwrap();
        assert_eq!((last.retry, last.kind.as_str()), (Some(1_000), ""));
        assert_eq!(live.next().await, None);
        server.stopped().await.unwrap();
    }

    async fn an_account_has_so_many_streams_and_the_server_so_many(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        let bounds = Bounds { per_account: 2, all: 3, ..Bounds::default() };
        let server = server.restart_with(settings(bounds)).await;
        let (ann, ben) = (ann.at(&server.url), ben.at(&server.url));
        let status = async |person: &Person| person.request(Method::GET, "/api/v1/news").send().await.unwrap().status();
        let (first, _second) = (ann.listen(None).await, ann.listen(None).await);
        assert_eq!(status(&ann).await, 429);
        let _third = ben.listen(None).await;
        assert_eq!(status(&ben).await, 503);
        // A place is free when its stream is gone.
        drop(first);
        while status(&ben).await != 200 {
            tokio::task::yield_now().await;
        }
    }

    async fn silence_is_a_comment_now_and_then(server: TestServer) {
        let ann = server.owner().await;
        // A stream is no slow request: it goes on for longer than one may take.
        let (heartbeat, request) = (Duration::from_millis(20), Duration::from_millis(500));
        let server = server.restart_with(Settings { request, ..settings(Bounds { heartbeat, ..Bounds::default() }) }).await;
        let mut live = ann.at(&server.url).listen(None).await;
        assert_eq!(live.take(1).await.len(), 1);
        live.heartbeats(50).await;
    }

    async fn who_takes_nothing_is_cut(server: TestServer) {
        let (ann, ben) = server.ann_and_ben().await;
        handed(&ann, &ben).await;
        let tick = Duration::from_millis(20);
        let bounds = Bounds { poll: tick, heartbeat: tick, stalled: 10 * tick, ..Bounds::default() };
        let server = server.restart_with(settings(bounds)).await;
        // More than the buffers of a connection take.
        server.damage(
            "INSERT INTO news (user_id, seq, at, kind, handoff_id, event_seq) \
             WITH RECURSIVE numbers (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000) \
             SELECT u.id, n, 1800000000000, 'commented', h.id, n FROM numbers, users u, handoffs h WHERE NOT u.owner",
        ).await;
        server.damage("UPDATE news_counters SET seq = 100000").await;
        let mut raw = Raw::connect(&server).await;
        raw.send(&format!(
            "GET /api/v1/news?after=0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
            ben.token
        )).await;
        let open = async |server: &TestServer| server.app.news.count();
        while open(&server).await == 0 {
            tokio::task::yield_now().await;
        }
        while open(&server).await == 1 {
            tokio::task::yield_now().await;
        }
        // Who takes what comes is sent all of it.
        let server = server.restart_with(settings(Bounds::default())).await;
        let mut live = ben.at(&server.url).listen(Some(0)).await;
        assert_eq!(live.take(100_001).await.last().unwrap().id, 100_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: two thousand connections"]
async fn two_thousand_streams_are_kept_and_all_hear() {
    segue_server::start::raise_file_limit();
    let bounds = Bounds { per_account: usize::MAX, ..Bounds::default() };
    let connections = Limits { per_address: limits::CONNECTIONS_MAX, ..Limits::default() };
    let server = TestServer::start_with(Database::sqlite(), Settings { connections, ..settings(bounds) }).await;
    let (ann, ben) = server.ann_and_ben().await;
    let head = format!("GET /api/v1/news HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", ben.token);
    let (before, mut all) = (resident_kib(), Vec::new());
    for _ in 0..limits::LIVE_STREAMS_MAX {
        let mut raw = Raw::connect(&server).await;
        raw.send(&head).await;
        all.push(raw);
    }
    while server.app.news.count() < limits::LIVE_STREAMS_MAX {
        tokio::task::yield_now().await;
    }
    let each = (resident_kib() - before) / limits::LIVE_STREAMS_MAX;
    assert!(each <= 64, "{each} KiB for each stream");
    assert_eq!(ann.request(Method::GET, "/api/v1/news").send().await.unwrap().status(), 503);
    handed(&ann, &ben).await;
    for raw in &mut all {
        while !raw.ask("").await.contains("event: created") {}
    }
}

/// Memory of this process.
fn resident_kib() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    4 * pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap()
}

/// Two servers over one PostgreSQL, with Ann and Ben at each.
async fn two(first: Bounds, second: Bounds) -> Option<(TestServer, TestServer)> {
    let server = TestServer::start_with(Database::postgres().await?, settings(first)).await;
    let other = server.beside_with(settings(second)).await;
    Some((server, other))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_at_one_server_is_heard_at_the_other_at_once() {
    let bounds = Bounds { poll: NEVER, ..Bounds::default() };
    let Some((server, other)) = two(bounds, bounds).await else { return };
    let (ann, ben) = server.ann_and_ben().await;
    server.until_it_listens(2).await;
    let mut live = ben.at(&other.url).listen(None).await;
    assert_eq!(live.take(1).await.len(), 1);
    let (_, handoff) = handed(&ann, &ben).await;
    assert_eq!(kinds(&live.take(1).await), [("created", 1)]);
    ann.comment(&handoff, "more").await;
    assert_eq!(kinds(&live.take(1).await), [("commented", 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_hints_the_poll_finds_everything() {
    let deaf = Bounds { poll: Duration::from_millis(20), hears_others: false, ..Bounds::default() };
    let Some((server, other)) = two(deaf, deaf).await else { return };
    let (ann, ben) = server.ann_and_ben().await;
    let mut live = ben.at(&other.url).listen(None).await;
    assert_eq!(live.take(1).await.len(), 1);
    handed(&ann, &ben).await;
    assert_eq!(kinds(&live.take(1).await), [("created", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_what_hears_the_others_is_killed_again_and_again() {
    let bounds = Bounds { poll: Duration::from_millis(50), ..Bounds::default() };
    let Some((server, other)) = two(bounds, bounds).await else { return };
    let (ann, ben) = server.ann_and_ben().await;
    let (_, handoff) = handed(&ann, &ben).await;
    let mut live = ben.at(&other.url).listen(Some(0)).await;
    for _ in 0..10 {
        server.damage(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        )
        .await;
        for _ in 0..5 {
            assert_eq!(ann.comment(&handoff, "more").await.status, 201);
        }
    }
    let numbers: Vec<_> = live.take(52).await.iter().map(|sent| sent.id).collect();
    assert_eq!(numbers, (0..52).collect::<Vec<_>>());
    // And hints come again.
    server.until_it_listens(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_revoked_at_one_server_is_cut_at_the_other() {
    let Some((server, other)) = two(Bounds::default(), Bounds::default()).await else { return };
    let (_, ben) = server.ann_and_ben().await;
    let mut live = ben.at(&other.url).listen(None).await;
    assert_eq!(live.take(1).await.len(), 1);
    server.damage("UPDATE devices SET revoked_at = 1").await;
    assert_eq!(live.next().await, None);
}
