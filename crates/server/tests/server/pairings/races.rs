//! What two devices ask of one pairing at the same moment, while the clock steps (SPEC D8, D9).
//!
//! A round races one pairing in each of a few chats, all at once. Who asks is answered by one server on SQLite, and by two over
//! one database on PostgreSQL. Afterwards there must be an order that explains every answer, in which nothing comes before what
//! was answered before it was sent (linearizability); [`Pairing::apply`] says what each order answers. Both sides' live streams
//! end with what was decided, and what is left behind is what may still be read.

mod order;

use std::collections::HashMap;

use futures::future::join_all;
use segue_api::pairings::ReturnToSource;
use segue_domain::{Clock as _, Pairing, Timestamp, limits, pairing::Purpose as Kind};
use segue_signed::{pairing::SizeClass, sha256};
use serde_json::json;
use tokio::sync::Semaphore;

use super::LIFETIME_MS;
use crate::{
    harness::{
        Database, HOUR_MS, Person, TestServer,
        live::Live,
        pairing::{Guest, Shown, answer, next, release},
        person::Answer,
    },
    races::{Dice, moment},
};
use order::{Asked, Said, World, described, explain};

/// Chats whose pairings are raced at the same moment.
const CHATS: u8 = 8;
/// Rounds of a test in `check`: with [`CHATS`], some dozens of races.
const ROUNDS: usize = 3;
/// Rounds of the long tests: ten thousand races of a revocation and a claim, and three thousand of anything.
const LONG_ROUNDS: [usize; 2] = [1_250, 375];
/// Longest time of a code with a confirmation that waits.
const WAITING_MS: i64 = LIFETIME_MS + limits::PAIRING_APPROVAL_MS;
/// What the clock is set by, when it is set: to the end of something, and ten minutes in either direction.
const STEPS: [i64; 6] =
    [limits::PAIRING_LEASE_MS, LIFETIME_MS, WAITING_MS, limits::PAIRING_DELIVERY_MS, 10 * 60_000, -10 * 60_000];

/// A destination: the first two are nobody's, the last is a device of the source's account.
type Who = usize;
const GUESTS: usize = 3;

/// What is asked in a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Lease(Who),
    Answer(Who),
    Refuse,
    /// One of two releases.
    Claim(usize),
    Revoke,
    Acknowledge(Who),
    Complete(Who),
    Return(Who),
    TakeBack,
    /// A look of the source, or of a destination.
    Look(Option<Who>),
    Sweep,
    /// The clock is set.
    Step(i64),
}

use What::{Acknowledge, Claim, Complete, Lease, Look, Refuse, Return, Revoke, Sweep, TakeBack};

/// What was done before a race, and what is done in it: scripts at the same moment.
struct Kinds {
    before: &'static [What],
    scripts: &'static [&'static [What]],
}

const LEASED: &[What] = &[Lease(0)];
const ANSWERED: &[What] = &[Lease(0), What::Answer(0)];
const CLAIMED: &[What] = &[Lease(0), What::Answer(0), Claim(0)];
const READY: &[What] = &[Lease(0), What::Answer(0), Claim(0), Acknowledge(0)];

/// The one that SPEC D9 names.
const REVOKE_AND_CLAIM: &[Kinds] = &[
    Kinds { before: ANSWERED, scripts: &[&[Claim(0)], &[Revoke], &[Look(Some(0))]] },
    Kinds { before: ANSWERED, scripts: &[&[Revoke], &[Claim(0), Claim(0)], &[Claim(0)], &[Acknowledge(0)]] },
];
const ALL: &[Kinds] = &[
    Kinds { before: ANSWERED, scripts: &[&[Claim(0)], &[Revoke], &[Sweep], &[Look(Some(0)), Acknowledge(0)]] },
    Kinds { before: ANSWERED, scripts: &[&[Claim(0), Revoke], &[Claim(1), TakeBack], &[Claim(0)], &[Look(Some(1))]] },
    Kinds { before: ANSWERED, scripts: &[&[Refuse, Claim(0)], &[Claim(0)], &[Lease(1)], &[Look(Some(0))]] },
    Kinds { before: CLAIMED, scripts: &[&[TakeBack], &[Acknowledge(0), Complete(0)], &[Look(Some(0)), Look(None)]] },
    Kinds { before: CLAIMED, scripts: &[&[Acknowledge(0), Return(0)], &[TakeBack], &[Sweep], &[Acknowledge(1)]] },
    Kinds { before: READY, scripts: &[&[TakeBack], &[Complete(0)], &[Return(0)], &[Look(None)]] },
    Kinds { before: READY, scripts: &[&[Complete(0), Return(0)], &[TakeBack, TakeBack], &[Return(0)], &[Return(1)]] },
    Kinds { before: LEASED, scripts: &[&[What::Answer(0)], &[Lease(2), What::Answer(2)], &[Revoke], &[Look(Some(0))]] },
    Kinds {
        before: &[],
        scripts: &[
            &[Lease(0), What::Answer(0)],
            &[Lease(1), What::Answer(1)],
            &[Lease(2), What::Answer(2)],
            &[Claim(0)],
        ],
    },
    Kinds { before: &[], scripts: &[&[Lease(1), What::Answer(1)], &[Lease(0), Look(Some(0))], &[Look(None), Revoke]] },
];

/// A pairing that is raced, and what its two sides send.
struct Lane {
    shown: Shown,
    guests: Vec<Guest>,
    answers: Vec<Vec<u8>>,
    releases: [Vec<u8>; 2],
    begin: World,
}

impl Lane {
    /// Shows a code, and does what comes before a race; each step as the model says.
    async fn begin(source: &Person, guests: &[Guest], chat: u8, before: &[What], now: Timestamp) -> Self {
        let shown = source.show(chat).await;
        let guests: Vec<_> = guests.iter().map(Guest::another).collect();
        let tokens = guests.iter().map(|guest| sha256(&guest.token)).collect();
        let pairing = Pairing::issue(Kind::Handoff, limits::PAIRING_SECONDS_DEFAULT, now);
        let begin = World { pairing, now, tokens };
        let answers = (0..GUESTS).map(|_| answer(1)).collect();
        let mut lane = Self { shown, guests, answers, releases: [release(), release()], begin };
        for &what in before {
            let said = lane.ask(what, &source.url).await.map(|answer| Said::of(what, &answer));
            assert_eq!(said, lane.begin.then(what), "{what:?}");
        }
        lane
    }

    async fn ask(&self, what: What, url: &str) -> Option<Answer> {
        let (shown, guest) = (self.shown.at(url), |who: Who| self.guests[who].at(url));
        let back = ReturnToSource { returned: vec![1; SizeClass::Small.bytes() + 16].into() };
        Some(match what {
            Lease(who) => guest(who).ask_lease(&shown.nameplate, "handoff").await,
            What::Answer(who) => guest(who).send_answer(&shown, &self.answers[who]).await,
            Refuse => shown.refuse(1).await,
            Claim(which) => shown.claim(1, &self.releases[which], None).await,
            Revoke => shown.revoke().await,
            Acknowledge(who) => guest(who).acknowledge(&shown).await,
            Complete(who) => guest(who).post(&shown.path("/complete"), &json!({})).await,
            Return(who) => guest(who).post(&shown.path("/return"), &back).await,
            TakeBack => shown.source.post(&shown.path("/take-back"), &json!({})).await,
            Look(None) => shown.source.get(&shown.path("")).await,
            Look(Some(who)) => Answer::of(guest(who).request(reqwest::Method::GET, &shown.path(""))).await,
            Sweep | What::Step(_) => return None,
        })
    }

    /// Asks what one script asks, one after the other.
    async fn run(&self, servers: &[TestServer], script: &[What], first: usize, progress: &Semaphore) -> Vec<Asked> {
        let mut all = Vec::new();
        for (number, &what) in script.iter().enumerate() {
            let (server, sent) = (&servers[(first + number) % servers.len()], moment());
            let answer = self.ask(what, &server.url).await;
            if what == Sweep {
                segue_server::sweep::once(&server.app).await.unwrap();
            }
            progress.add_permits(1);
            all.push(Asked { what, sent, done: moment(), said: answer.map(|answer| Said::of(what, &answer)) });
        }
        all
    }
}

/// Reads a stream until it tells of the last change; says whether it has ended with that.
async fn hears(live: &mut Live, last: &segue_api::pairings::Pairing) {
    let mut known = 0;
    loop {
        let seen = next(live).await;
        assert!(seen.version > known, "a stream tells of each change once: {seen:?}");
        known = seen.version;
        if seen.version == last.version {
            assert_eq!((&seen.state, &seen.reason), (&last.state, &last.reason));
            break;
        }
        assert!(seen.state == "issued" || seen.state == last.state, "{seen:?} and then {last:?}");
    }
    if ["revoked", "expired"].contains(&last.state.as_str()) {
        assert!(live.next().await.is_none(), "nothing follows the end");
    }
}

/// One race of each lane; counts how each ended.
async fn round(
    servers: &[TestServer],
    people: &(Person, Vec<Guest>),
    kinds: &[Kinds],
    dice: &mut Dice,
    steps: bool,
) -> Vec<String> {
    let now = servers[0].clock.now();
    let which: Vec<_> = (0..CHATS).map(|chat| (chat, dice.below(kinds.len() as u64))).collect();
    let which = which.into_iter().map(|(chat, kind)| (chat, &kinds[usize::try_from(kind).unwrap()]));
    let scripts: Vec<_> = which.clone().map(|(_, kind)| kind.scripts).collect();
    let begin = which.map(|(chat, kind)| Lane::begin(&people.0, &people.1, chat, kind.before, now));
    let lanes = join_all(begin).await;
    let streams = join_all(lanes.iter().map(async |lane| {
        let (here, there) = (&servers[0].url, &servers[servers.len() - 1].url);
        (lane.shown.at(here).listen().await, lane.guests[0].at(there).listen(&lane.shown).await)
    }))
    .await;
    let (progress, asks) = (Semaphore::new(0), scripts.iter().map(|scripts| scripts.len() as u64).sum());
    let (step, after) = (dice.pick(&STEPS), u32::try_from(dice.below(asks)).unwrap());
    let step = async {
        if !steps || dice.one_in(3) {
            return None;
        }
        progress.acquire_many(after).await.unwrap().forget();
        let sent = moment();
        servers[0].clock.advance(step);
        Some(Asked { what: What::Step(step), sent, done: moment(), said: None })
    };
    let turn = |number: usize| number % servers.len();
    let all = join_all(lanes.iter().zip(&scripts).enumerate().map(async |(number, (lane, scripts))| {
        let (progress, begin) = (&progress, turn(number));
        join_all(scripts.iter().enumerate().map(|(at, script)| lane.run(servers, script, begin + at, progress))).await
    }));
    let (step, all) = futures::join!(step, all);
    let ended = lanes.iter().zip(streams).zip(all).map(async |((lane, (mut source, mut guest)), asked)| {
        let mut asked: Vec<_> = asked.into_iter().flatten().chain(step.clone()).collect();
        asked.extend(lane.run(servers, &[Look(None), Look(Some(0)), Look(Some(1))], 0, &progress).await);
        assert!(explain(&asked, &lane.begin), "no order explains {}", described(&asked, &lane.begin));
        let (last, theirs) = (lane.shown.see().await, lane.guests[0].see(&lane.shown).await);
        assert_eq!((last.version, &last.state), (theirs.version, &theirs.state));
        hears(&mut source, &last).await;
        hears(&mut guest, &theirs).await;
        format!("{} {}", last.state, last.reason.unwrap_or_default())
    });
    join_all(ended).await
}

/// What is left behind is what may still be read: an offer while it stands, a view until it is acknowledged or over.
async fn check(server: &TestServer) {
    for (what, sql) in [
        (
            "something sealed is kept for nobody",
            "SELECT COUNT(*) FROM pairing_messages m JOIN pairings p ON p.id = m.pairing_id WHERE NOT CASE m.kind \
             WHEN 'code' THEN p.state = 'issued' WHEN 'link' THEN p.state = 'issued' \
             WHEN 'answer' THEN p.state = 'issued' AND p.confirmed_at IS NOT NULL AND NOT p.refused \
             WHEN 'release' THEN p.state = 'claimed' AND p.closed IS NULL AND p.acknowledged_at IS NULL \
             WHEN 'acknowledgement' THEN p.acknowledged_at IS NOT NULL ELSE p.returned_hash IS NOT NULL END",
        ),
        (
            "something is missing that may be read",
            "SELECT COUNT(*) FROM pairings p WHERE (p.state = 'issued' AND 2 > (SELECT COUNT(*) FROM pairing_messages m \
             WHERE m.pairing_id = p.id AND m.kind IN ('code', 'link'))) OR (p.state = 'claimed' AND p.closed IS NULL \
             AND p.acknowledged_at IS NULL AND NOT EXISTS (SELECT 1 FROM pairing_messages m WHERE m.pairing_id = p.id \
             AND m.kind = 'release'))",
        ),
    ] {
        assert_eq!(server.count(sql).await, 0, "{what}");
    }
}

/// Races `rounds` times; says how often each end came.
async fn race(server: TestServer, kinds: &[Kinds], rounds: usize, steps: bool) -> HashMap<String, usize> {
    server.hurry().await;
    let source = server.owner().await;
    let guests = vec![Guest::new(&source.url), Guest::new(&source.url), Guest::of(&source)];
    let people = (source, guests);
    let mut servers = vec![server];
    if matches!(servers[0].database, Database::Postgres(_)) {
        servers.push(servers[0].beside().await);
    }
    let (mut dice, mut ends) = (Dice(1), HashMap::new());
    for _ in 0..rounds {
        for end in round(&servers, &people, kinds, &mut dice, steps).await {
            *ends.entry(end).or_default() += 1;
        }
        check(&servers[0]).await;
        // What an account may show in an hour, however the clock was set.
        servers[0].clock.advance(HOUR_MS + 10 * 60_000);
        segue_server::sweep::once(&servers[0].app).await.unwrap();
    }
    ends
}

async fn revoke_and_claim(server: TestServer, rounds: usize) {
    let ends = race(server, REVOKE_AND_CLAIM, rounds, false).await;
    let claims: usize = ends.iter().filter(|(end, _)| end.starts_with("claimed")).map(|(_, count)| count).sum();
    let revokes = ends.get("revoked user").copied().unwrap_or_default();
    assert_eq!(claims + revokes, rounds * usize::from(CHATS), "{ends:?}");
    assert!(claims.min(revokes) * 50 > claims + revokes, "that is no race: {ends:?}");
}

async fn anything(server: TestServer, rounds: usize) {
    let ends = race(server, ALL, rounds, true).await;
    assert!(ends.len() > 4, "that is no race: {ends:?}");
}

on_both! {
    async fn of_a_revoke_and_a_claim_at_once_one_wins_and_both_sides_know(server: TestServer) {
        revoke_and_claim(server, ROUNDS).await;
    }

    async fn what_two_devices_ask_at_once_was_asked_in_some_order(server: TestServer) {
        anything(server, ROUNDS + 1).await;
    }
}

mod thousands_of_times {
    use super::{LONG_ROUNDS, anything, revoke_and_claim};
    use crate::harness::{Database, TestServer};

    /// PostgreSQL waits for no disk: what a power cut does is tested elsewhere.
    async fn postgres() -> Option<TestServer> {
        Some(TestServer::start(Database::postgres().await?.hasty()).await)
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "long: ten thousand races"]
    async fn revoke_and_claim_on_sqlite() {
        revoke_and_claim(TestServer::start(Database::sqlite()).await, LONG_ROUNDS[0]).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "long: ten thousand races"]
    async fn revoke_and_claim_on_postgres_of_two_servers() {
        if let Some(server) = postgres().await {
            revoke_and_claim(server, LONG_ROUNDS[0]).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "long: three thousand races"]
    async fn anything_on_sqlite() {
        anything(TestServer::start(Database::sqlite()).await, LONG_ROUNDS[1]).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "long: three thousand races"]
    async fn anything_on_postgres_of_two_servers() {
        if let Some(server) = postgres().await {
            anything(server, LONG_ROUNDS[1]).await;
        }
    }
}
