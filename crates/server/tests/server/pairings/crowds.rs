//! Many at one code, and many streams that come back at the same moment.

use futures::future::join_all;
use segue_api::pairings::Pairing;
use segue_server::{app::Settings, proxies::Proxies};
use serde_json::json;

use crate::harness::{
    Database, TestServer,
    live::Live,
    pairing::{Guest, Shown, claimed, next, release, words},
    raw::PATIENCE,
    seal::draw,
};

/// Releases that the source sends at the same moment.
const CLAIMS: usize = 32;
/// Who enters one code at once in `check`, and in the long test.
const GUESTS: [u32; 2] = [64, 1_000];
/// Pairings whose two streams come back at once in `check`, and in the long test.
const PAIRINGS: [u32; 2] = [20, 250];

/// A server with the limits of a real one, behind a proxy that it trusts; on PostgreSQL with another beside it.
async fn behind_a_proxy(server: TestServer) -> Vec<TestServer> {
    let trusted_proxies = Proxies(vec!["127.0.0.1/32".parse().unwrap()]);
    let settings = Settings { trusted_proxies, mail_every: None, ..Settings::default() };
    let mut servers = vec![server.restart_with(settings).await];
    if matches!(servers[0].database, Database::Postgres(_)) {
        servers.push(servers[0].beside().await);
    }
    servers
}

/// Releases a view to whoever answers, many times at once and each time another one; says which it was, and what reads its bundle.
async fn release_to_the_first(servers: &[TestServer], shown: &Shown) -> (Vec<u8>, [u8; 32]) {
    let mut live = shown.listen().await;
    while next(&mut live).await.answer.is_none() {}
    let views: Vec<_> = (0..CLAIMS).map(|_| (release(), draw())).collect();
    let claims = views.iter().enumerate().map(async |(number, (view, fetch))| {
        shown.at(&servers[number % servers.len()].url).claim(1, view, Some(fetch)).await
    });
    let answers = join_all(claims).await;
    let refused = answers.iter().filter(|answer| answer.status != 200);
    assert!(refused.clone().all(|answer| answer.refused() == (409, "already_claimed".to_owned())));
    assert_eq!(refused.count(), CLAIMS - 1);
    let won = answers.iter().position(|answer| answer.status == 200).unwrap();
    assert_eq!(words(&next(&mut live).await), ("claimed", "delivering"));
    for (number, (view, fetch)) in views.iter().enumerate() {
        let again = shown.claim(1, view, Some(fetch)).await;
        assert_eq!(again.status.is_success(), number == won, "each is answered as before");
    }
    views[won].clone()
}

/// Lets `count` devices enter a code, all at once.
async fn crowd(server: TestServer, count: u32) {
    let servers = behind_a_proxy(server).await;
    let ann = servers[0].owner().await;
    let shown = ann.show(1).await;
    let guests: Vec<_> = Guest::crowd(&servers[0].url, count).into_iter().enumerate().collect();
    let guests = guests.into_iter().map(|(number, guest)| guest.at(&servers[number % servers.len()].url));
    let guests: Vec<_> = guests.collect();
    let enter = async |guest: &Guest| {
        let leased = guest.ask_lease(&shown.nameplate, "handoff").await;
        (leased, guest.answer(&shown, 1).await)
    };
    let (entered, (view, fetch)) =
        futures::join!(join_all(guests.iter().map(enter)), release_to_the_first(&servers, &shown));
    let winners: Vec<_> = (0..guests.len()).filter(|&number| entered[number].1.status == 200).collect();
    let [winner] = winners[..] else { panic!("{winners:?} answered") };
    for (leased, answered) in entered.iter().filter(|(_, answered)| answered.status != 200) {
        if leased.status != 200 {
            let known = [(409, "busy"), (404, "not_found")].map(|(status, code)| (status, code.to_owned()));
            assert!(known.contains(&leased.refused()), "{:?}", leased.refused());
        }
        let known = ["lease_lost", "already_claimed"].map(|code| (409, code.to_owned()));
        assert!(known.contains(&answered.refused()), "{:?}", answered.refused());
    }
    assert_eq!(entered.iter().filter(|(leased, _)| leased.status == 200).count(), 1);
    // The same to each of the others, however often and wherever they ask, and nothing of the view to any.
    for server in servers.iter().chain(&servers) {
        let others = guests.iter().enumerate().filter(|(number, _)| *number != winner);
        join_all(others.map(async |(_, guest)| {
            let guest = guest.at(&server.url);
            let seen = guest.see(&shown).await;
            assert_eq!(words(&seen), ("claimed", "taken"));
            assert!(seen.release.is_none() && seen.answer.is_none() && !seen.bundle_ready);
            assert_eq!(guest.ask_lease(&shown.nameplate, "handoff").await.status, 404);
            let taken = (409, "already_claimed".to_owned());
            assert_eq!(guest.answer(&shown, 1).await.refused(), taken);
            assert_eq!(guest.acknowledge(&shown).await.refused(), taken);
            assert_eq!(guest.post(&shown.path("/complete"), &json!({})).await.refused(), taken);
        }))
        .await;
    }
    let claimer = &guests[winner];
    assert_eq!(claimer.see(&shown).await.release.unwrap().0, view);
    assert_eq!(claimer.fetch(&shown, &fetch, "").await.status, 404, "nothing was sent yet");
    assert_eq!(servers[0].column("SELECT kind FROM pairing_messages").await, ["release"]);
    assert_eq!(claimer.acknowledge(&shown).await.status, 200);
    assert_eq!(servers[0].column("SELECT kind FROM pairing_messages").await, ["acknowledgement"]);
    assert_eq!(servers[0].count("SELECT COUNT(*) FROM pairings WHERE state = 'claimed'").await, 1);
}

/// Opens the streams of both sides of each pairing at the same moment, and reads what they say first.
async fn come(pairings: &[(Shown, Guest)], url: &str) -> Vec<(Live, Pairing)> {
    let open = pairings.iter().flat_map(|pairing| [(pairing, true), (pairing, false)]);
    join_all(open.map(async |((shown, guest), source)| {
        let shown = shown.at(url);
        let mut live = if source { shown.listen().await } else { guest.at(url).listen(&shown).await };
        let seen = next(&mut live).await;
        (live, seen)
    }))
    .await
}

/// Sends the streams of `count` pairings away and lets them come back at once, while pairings go on.
async fn storm(server: TestServer, count: u32) {
    let (ann, ben) = server.ann_and_ben().await;
    let guests = Guest::crowd(&server.url, count).into_iter().enumerate();
    let pairings = join_all(guests.map(async |(number, guest)| {
        // Two accounts, since one shows a bounded number an hour.
        let source = if number % 2 == 0 { &ann } else { &ben };
        let shown = source.show(2 + u8::try_from(number / 2).unwrap()).await;
        guest.lease(&shown).await;
        assert_eq!(guest.answer(&shown, 1).await.status, 200);
        (shown, guest)
    }))
    .await;
    let mut streams = come(&pairings, &server.url).await;
    assert!(streams.iter().all(|(_, seen)| words(seen) == ("issued", "")));
    assert_eq!(server.app.news.count(), 2 * pairings.len());

    let before = server.url.clone();
    let server = server.restart().await;
    let told = join_all(streams.iter_mut().map(async |(live, _)| (live.next().await, live.next().await))).await;
    for (last, end) in told {
        assert!(
            last.is_some_and(|last| last.retry.is_some()) && end.is_none(),
            "each is sent away, and told when to come"
        );
    }
    assert_ne!(before, server.url);
    // Some go on before they are back; nobody who comes back has missed it.
    let ends = join_all(pairings.iter().enumerate().map(async |(number, (shown, _))| {
        let shown = shown.at(&server.url);
        let answer = match number % 3 {
            0 => shown.claim(1, &release(), None).await,
            1 => shown.revoke().await,
            _ => return "issued",
        };
        answer.ok::<Pairing>();
        if number % 3 == 0 { "claimed" } else { "revoked" }
    }))
    .await;
    let mut streams = come(&pairings, &server.url).await;
    for (number, (_, seen)) in streams.iter().enumerate() {
        assert_eq!(seen.state, ends[number / 2]);
        assert_eq!(seen.release.is_some(), number % 2 == 1 && seen.state == "claimed");
    }
    // With all of them there, a code works, and what changes is heard by its two.
    let ann = ann.at(&server.url);
    let (shown, guest, _) = claimed(&ann).await;
    assert_eq!(guest.acknowledge(&shown).await.status, 200);
    join_all(streams.iter_mut().zip(0..).map(async |((live, seen), number)| {
        if seen.state != "issued" {
            return;
        }
        if number % 2 == 0 {
            assert_eq!(pairings[number / 2].0.at(&ann.url).revoke().await.status, 200);
        }
        assert_eq!(words(&next(live).await), ("revoked", "user"));
    }))
    .await;
    drop(streams);
    tokio::time::timeout(PATIENCE, async {
        while server.app.news.count() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("streams stay that nobody reads");
}

on_both! {
    async fn of_many_who_enter_one_code_at_once_one_gets_it(server: TestServer) {
        crowd(server, GUESTS[0]).await;
    }

    async fn streams_that_come_back_at_once_are_told_how_it_stands(server: TestServer) {
        storm(server, PAIRINGS[0]).await;
    }

    #[ignore = "long: five hundred streams"]
    async fn five_hundred_streams_that_come_back_at_once_are_told_how_it_stands(server: TestServer) {
        storm(server, PAIRINGS[1]).await;
    }

    #[ignore = "long: a thousand devices"]
    async fn of_a_thousand_who_enter_one_code_at_once_one_gets_it(server: TestServer) {
        crowd(server, GUESTS[1]).await;
    }
}
