//! Claim, revoke, decline, comment, look, leave and the end of the time at the same moment (SPEC T10, T13).
//!
//! A round races one handoff in each of a few teams, all at once, and steps the clock in the middle of it. Who asks is answered
//! by one server on SQLite, and by two over one database on PostgreSQL. Afterwards there must be an order of what was done that
//! explains every answer and the log, and in which nothing comes before what was answered before it was sent
//! (linearizability); [`crate::reference`] says what each order answers.

mod order;

use std::{
    collections::HashSet,
    sync::atomic::{AtomicU64, Ordering},
};

use futures::future::join_all;
use segue_api::handoffs::{Events, Handoff, Reservation, Reserve};
use segue_signed::{
    MemberRole::{Admin, Member},
    Roster, SignedEnvelope,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    harness::{
        Database, HOUR_MS, Person, TestServer,
        person::Answer,
        roster::{after, keys},
        seal::{Draft, TestPack},
        team::Team,
    },
    operating::soon,
    reference::{Deed, People, Reference, To, Who},
};
use order::{Explanation, World};

/// Handoffs that are raced at the same moment.
const TEAMS: usize = 8;
/// Rounds of one server in `check`: with [`TEAMS`] and two databases, 2 000 races.
const ROUNDS: usize = 125;
/// Servers of each database in the long test: 100 000 races.
const LONG_SERVERS: u64 = 50;
/// The sender, who is the teams' admin.
const ANN: Who = 0;
/// The others.
const OTHERS: std::ops::Range<Who> = 1..5;
/// The final states.
const ENDS: [&str; 4] = ["claimed", "revoked", "declined", "expired"];
const CLAIM: What = What::Do(Deed::Claim { right_proof: true });

/// Numbers that look random and are the same in each run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// What is asked in a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Do(Deed),
    /// A look, and what is shown then: two moments.
    View,
    /// The next roster, without this member.
    Leave(Who),
    /// The clock steps to the end of the handoff's time.
    End,
}

impl What {
    fn deeds(&self) -> &[Deed] {
        match self {
            Self::Do(deed) => std::slice::from_ref(deed),
            Self::View => &[Deed::Look, Deed::Read],
            Self::Leave(_) | Self::End => &[Deed::Sweep],
        }
    }
}

/// Something that is asked.
#[derive(Debug, Clone, Copy)]
struct Ask {
    by: Who,
    what: What,
    /// Asks of one key are one request and its repeat.
    key: usize,
    /// Which of the servers is asked.
    server: usize,
}

/// What came of it. The times are moments of [`TIME`].
struct Asked {
    ask: Ask,
    sent: u64,
    done: u64,
    said: (u16, String),
    body: Value,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ask, sent, done, said, .. } = self;
        write!(f, "{sent}..{done}: {} {:?} (key {}) at {}: {said:?}", ask.by, ask.what, ask.key, ask.server)
    }
}

static TIME: AtomicU64 = AtomicU64::new(0);

/// Tells what was before what.
pub(crate) fn moment() -> u64 {
    TIME.fetch_add(1, Ordering::SeqCst)
}

/// A team with a handoff at a time.
struct Lane {
    people: Vec<Person>,
    roster: Roster,
    members: People,
    snapshot: SignedEnvelope,
}

/// A handoff that is about to be raced.
struct Race {
    handoff: Handoff,
    draft: Draft,
    begin: World,
    scripts: Vec<Vec<Ask>>,
}

impl Lane {
    async fn publish(&mut self, members: People, server: &str) -> Answer {
        let of = |who: Who| &self.people[who];
        let listed = members.iter().map(|who| (of(who), if who == ANN { Admin } else { Member })).collect::<Vec<_>>();
        let next = after(&self.roster, &listed);
        let new = if next.epoch == self.roster.epoch { members.without(self.members) } else { members };
        let new: Vec<_> = new.iter().map(of).collect();
        let answer = self.people[ANN].at(server).publish(&next, keys(&new)).await;
        if answer.status == 200 {
            (self.roster, self.members) = (next, members);
        }
        answer
    }

    /// Hands over, and decides who will do what.
    async fn begin(&mut self, mut dice: Dice, servers: usize) -> Race {
        let everybody = People::of(OTHERS).with(ANN);
        if self.members.iter().count() < 3 {
            let url = self.people[ANN].url.clone();
            assert_eq!(self.publish(everybody, &url).await.status, 200);
        }
        let ann = &self.people[ANN];
        let hours = dice.one_in(2).then_some(1);
        let (to, may_claim, draft) = if dice.below(3) > 0 {
            let draft = ann.seal_for_team_until(&self.snapshot, &Team::published(&self.roster), hours).await;
            (To::Team, self.members.without(People::of([ANN])), draft)
        } else {
            let who = if dice.one_in(8) { ANN } else { 1 };
            (To::Person, People::of([who]), self.seal_for(who, hours).await)
        };
        let handoff: Handoff = ann.post("/api/v1/handoffs", &draft.body(&draft.sign(ann))).await.ok();
        let reference = Reference::new(ANN, to, handoff.expires_at);
        let begin = World { handoff: reference, may_claim, late: false, kept: Vec::new() };
        let mut scripts = scripts(&mut dice, to, may_claim, hours.is_some());
        for (key, ask) in scripts.iter_mut().flatten().enumerate() {
            (ask.key, ask.server) = (key, usize::try_from(dice.below(servers as u64)).unwrap());
        }
        if dice.one_in(4) {
            // Some request is sent again, with its key.
            let ask = scripts[usize::try_from(dice.below(scripts.len() as u64)).unwrap()][0];
            if matches!(ask.what, What::Do(Deed::Claim { .. } | Deed::Revoke | Deed::Decline | Deed::Comment)) {
                scripts.push(vec![Ask { server: servers - 1 - ask.server, ..ask }]);
            }
        }
        Race { handoff, draft, begin, scripts }
    }

    async fn seal_for(&self, who: Who, expires_in_hours: Option<u32>) -> Draft {
        let (ann, to) = (&self.people[ANN], &self.people[who]);
        let session_id = self.snapshot.envelope.header.session_id.clone();
        let body = Reserve { session_id, to_user_id: Some(to.user_id.clone()), expires_in_hours, ..Reserve::default() };
        let reserved: Reservation = ann.post("/api/v1/handoffs/reserve", &body).await.ok();
        Draft::handoff(ann, &self.snapshot, &reserved.handoff_id, reserved.not_after, &[to.card()])
    }
}

/// What people will do, each of a script after the other, scripts at the same moment.
fn scripts(dice: &mut Dice, to: To, may_claim: People, ends: bool) -> Vec<Vec<Ask>> {
    let mut scripts = Vec::new();
    let mut add = |by: Who, whats: &[What]| {
        scripts.push(whats.iter().map(|&what| Ask { by, what, key: 0, server: 0 }).collect::<Vec<_>>());
    };
    let (revoke, decline, comment) = (What::Do(Deed::Revoke), What::Do(Deed::Decline), What::Do(Deed::Comment));
    let wrong = What::Do(Deed::Claim { right_proof: false });
    let nobody_wants_it = dice.one_in(6);
    for who in may_claim.iter().chain(may_claim.iter().filter(|_| to == To::Person)) {
        match dice.below(8) {
            _ if nobody_wants_it => add(who, &[decline]),
            0..3 => add(who, &[CLAIM]),
            3 => add(who, &[What::View, CLAIM]),
            4 => add(who, &[decline, What::View]),
            5 => add(who, &[comment, CLAIM]),
            6 => add(who, &[wrong, What::View]),
            _ => add(who, &[What::View, decline]),
        }
    }
    match dice.below(5) {
        0 => add(ANN, &[What::View, comment]),
        1 => add(ANN, &[comment]),
        2 => add(ANN, &[comment, revoke]),
        _ if nobody_wants_it => add(ANN, &[What::View]),
        _ => add(ANN, &[revoke]),
    }
    match to {
        To::Team if dice.one_in(2) => {
            let gone = dice.pick(&may_claim.iter().collect::<Vec<_>>());
            let mut script = vec![Ask { by: ANN, what: What::Leave(gone), key: 0, server: 0 }];
            script.push(Ask { by: gone, what: dice.pick(&[CLAIM, CLAIM, What::View, decline]), key: 0, server: 0 });
            scripts.push(script);
        }
        To::Team => add(ANN, &[What::View]),
        // A stranger.
        To::Person | To::Address => add(2, &[dice.pick(&[CLAIM, What::View, comment])]),
    }
    if ends {
        scripts.push(vec![Ask { by: ANN, what: What::Do(Deed::Sweep), key: 0, server: 0 }]);
    }
    scripts
}

/// Asks the servers what one script asks, one after the other.
async fn run(servers: &[TestServer], lane: &Lane, race: &Race, script: &[Ask], progress: &Semaphore) -> Vec<Asked> {
    let mut all = Vec::new();
    for &ask in script {
        let server = &servers[ask.server];
        let (sent, person) = (moment(), lane.people[ask.by].at(&server.url));
        let path = format!("/api/v1/handoffs/{}", race.handoff.handoff_id);
        let post = async |deed: &str, body: Value| {
            person.post_once(&format!("{path}/{deed}"), &format!("{path}{}", ask.key), &body).await
        };
        let answer = match ask.what {
            What::View => Some(person.get(&path).await),
            What::Do(Deed::Claim { right_proof }) => {
                let proof = if right_proof { race.draft.claim } else { [0; 32] };
                Some(post("claim", json!({ "claim_proof": data_encoding::BASE64URL_NOPAD.encode(&proof) })).await)
            }
            What::Do(Deed::Revoke) => Some(post("revoke", json!({"reason": "stale"})).await),
            What::Do(Deed::Decline) => Some(post("decline", json!({})).await),
            What::Do(Deed::Comment) => Some(post("comments", json!({"body": "hm"})).await),
            What::Do(_) => {
                segue_server::sweep::once(&server.app).await.unwrap();
                None
            }
            What::Leave(_) | What::End => unreachable!("done by the round"),
        };
        progress.add_permits(1);
        all.push(Asked::new(ask, sent, answer));
    }
    all
}

impl Asked {
    fn new(ask: Ask, sent: u64, answer: Option<Answer>) -> Self {
        let done = moment();
        let Some(answer) = answer else {
            return Self { ask, sent, done, said: (200, String::new()), body: Value::Null };
        };
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let word = match (answer.status.as_u16(), ask.what) {
            (200, What::Do(Deed::Claim { .. })) => "claimed",
            (200..300, _) => body["status"].as_str().unwrap_or_default(),
            _ => body["code"].as_str().unwrap(),
        };
        Self { ask, sent, done, said: (answer.status.as_u16(), word.to_owned()), body }
    }
}

/// One race of each lane; says how each ended.
async fn round(servers: &[TestServer], lanes: &mut [Lane], dice: &mut Dice) -> Vec<String> {
    let begin = lanes.iter_mut().map(|lane| {
        let own = Dice(dice.below(u64::MAX));
        lane.begin(own, servers.len())
    });
    let races = join_all(begin).await;
    let asks: usize = races.iter().map(|race| race.scripts.iter().map(Vec::len).sum::<usize>()).sum();
    let (progress, when) = (Semaphore::new(0), u32::try_from(dice.below(asks as u64 / 2)).unwrap());
    let step = async {
        progress.acquire_many(when).await.unwrap().forget();
        let sent = moment();
        servers[0].clock.advance(HOUR_MS);
        (sent, moment())
    };
    let all = join_all(lanes.iter_mut().zip(&races).map(|(lane, race)| raced(servers, lane, race, &progress)));
    let ((sent, done), answers) = futures::join!(step, all);
    segue_server::sweep::once(&servers[0].app).await.unwrap();
    let ended = lanes.iter().zip(&races).zip(answers).map(async |((lane, race), mut asked)| {
        if race.handoff.expires_at == race.handoff.created_at + HOUR_MS {
            let at = |what, sent, done| {
                let ask = Ask { by: ANN, what, key: usize::MAX, server: 0 };
                Asked { ask, sent, done, said: (200, String::new()), body: Value::Null }
            };
            asked.push(at(What::End, sent, done));
            asked.push(at(What::Do(Deed::Sweep), moment(), moment()));
        }
        judge(lane, race, &asked).await
    });
    join_all(ended).await
}

/// Lets the scripts of a race run beside each other.
async fn raced(servers: &[TestServer], lane: &mut Lane, race: &Race, progress: &Semaphore) -> Vec<Asked> {
    let leaving = race.scripts.iter().find(|script| matches!(script[0].what, What::Leave(_)));
    let (roster, members) = (lane.roster.clone(), lane.members);
    let mut admin = Lane { people: lane.people.clone(), roster, members, snapshot: lane.snapshot.clone() };
    let others = race.scripts.iter().filter(|script| !matches!(script[0].what, What::Leave(_)));
    let others = join_all(others.map(|script| run(servers, lane, race, script, progress)));
    let leave = async {
        let Some([first, rest @ ..]) = leaving.map(Vec::as_slice) else { return Vec::new() };
        let What::Leave(gone) = first.what else { unreachable!("looked for above") };
        let (sent, without) = (moment(), admin.members.without(People::of([gone])));
        let answer = admin.publish(without, &servers[first.server].url).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        progress.add_permits(1);
        let mut all = vec![Asked::new(*first, sent, Some(answer))];
        all.extend(run(servers, &admin, race, rest, progress).await);
        all
    };
    let (mut all, left) = futures::join!(others, leave);
    all.push(left);
    (lane.roster, lane.members) = (admin.roster, admin.members);
    all.into_iter().flatten().collect()
}

/// Compares answers and log with what is possible, and says how it ended.
async fn judge(lane: &Lane, race: &Race, asked: &[Asked]) -> String {
    let path = format!("/api/v1/handoffs/{}", race.handoff.handoff_id);
    let events: Events = lane.people[ANN].get(&format!("{path}/events?limit=100")).await.ok();
    let who = |actor: &str| lane.people.iter().position(|person| person.user_id == actor);
    let log: Vec<_> = events.events.iter().map(|event| (event.kind.clone(), who(&event.actor))).collect();
    assert!(
        Explanation::of(asked, &log).exists(&vec![0; asked.len()], &race.begin),
        "no order explains {:?}\n{log:?}\n{asked:#?}",
        race.begin
    );
    assert!(events.events.is_sorted_by_key(|event| event.at), "time goes back: {:?}", events.events);
    let won: HashSet<_> =
        asked.iter().filter_map(|one| one.body["session_id"].as_str().filter(|_| one.ask.what == CLAIM)).collect();
    assert!(won.len() <= 1, "{won:?} {asked:#?}");
    for (one, other) in asked.iter().flat_map(|one| asked.iter().map(move |other| (one, other))) {
        let repeated = one.ask.key == other.ask.key && one.said.0 < 300 && other.said.0 < 300;
        assert!(!repeated || one.body == other.body, "{one:?} {} {other:?} {}", one.body, other.body);
    }
    let end = log.iter().rfind(|(kind, _)| ENDS.contains(&kind.as_str()));
    end.map_or_else(|| "pending".to_owned(), |(kind, _)| kind.clone())
}

/// One event and one mail for each change, for nobody but the other party, and all of it sound.
async fn check(server: &TestServer) {
    for (what, sql) in [
        (
            "a change without its event, or an event without its change",
            "SELECT COUNT(*) FROM handoffs h WHERE h.version <> 1 + (SELECT COUNT(*) FROM events e WHERE e.handoff_id = h.id \
             AND e.kind IN ('viewed', 'claimed', 'revoked', 'declined', 'expired'))",
        ),
        (
            "a claim without its session, or a session without its claim",
            "SELECT COUNT(*) FROM (SELECT id FROM handoffs WHERE state = 'claimed') h FULL JOIN \
             (SELECT handoff_id FROM sessions WHERE handoff_id IS NOT NULL) s ON s.handoff_id = h.id \
             WHERE h.id IS NULL OR s.handoff_id IS NULL",
        ),
        (
            "a comment without its event, or an event without its comment",
            "SELECT COUNT(*) FROM (SELECT handoff_id, seq FROM events WHERE kind = 'commented') e FULL JOIN comments c \
             ON c.handoff_id = e.handoff_id AND c.seq = e.seq WHERE c.seq IS NULL OR e.seq IS NULL",
        ),
        (
            "the sender was not told what a recipient did",
            "SELECT COUNT(*) FROM events e JOIN handoffs h ON h.id = e.handoff_id \
             WHERE e.kind IN ('claimed', 'declined', 'commented') AND e.actor <> h.sender_id \
             AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.id = h.id || '.' || e.seq || '.' || h.sender_id AND o.kind = e.kind)",
        ),
        (
            "somebody was told what they did themselves, or what did not happen",
            "SELECT COUNT(*) FROM outbox o WHERE o.kind <> 'created' AND NOT EXISTS (SELECT 1 FROM events e JOIN users u \
             ON u.id <> e.actor WHERE o.id = e.handoff_id || '.' || e.seq || '.' || u.id AND o.kind = e.kind)",
        ),
    ] {
        assert_eq!(server.count(sql).await, 0, "{what}");
    }
    assert_eq!(soon(server).await, []);
}

/// Races `rounds` times, and checks everything behind it.
async fn race(server: TestServer, rounds: usize, seed: u64) {
    server.hurry().await;
    let mut people = vec![server.owner().await];
    for who in OTHERS {
        people.push(people[ANN].bring(&format!("p{who}@example.com")).await);
    }
    // Two sessions of the same packs in another order: who takes a reference and who gives it back must not wait for each
    // other.
    let (one, other) = (TestPack::new(2_000), TestPack::new(2_000));
    let (first, _) = people[ANN].push_new(&one).await;
    assert_eq!(people[ANN].upload(&other).await.status, 201);
    let both = people[ANN].push(&Draft::next(&people[ANN], &first, &[&one, &other])).await.0;
    let id = "ses_00000000000000000000000000";
    let turned = people[ANN].push(&Draft::snapshot(&people[ANN], id, &[&other, &one])).await.0;
    let mut lanes = Vec::new();
    for number in 0..TEAMS {
        let others: Vec<_> = people[1..].iter().collect();
        let (roster, members) = (people[ANN].team_with(&others).await, People::of(OTHERS).with(ANN));
        let snapshot = if number % 2 == 0 { both.clone() } else { turned.clone() };
        lanes.push(Lane { people: people.clone(), roster, members, snapshot });
    }
    let mut servers = vec![server];
    if matches!(servers[0].database, Database::Postgres(_)) {
        servers.push(servers[0].beside().await);
    }
    let (mut dice, mut ends) = (Dice(seed), Vec::new());
    for _ in 0..rounds {
        ends.extend(round(&servers, &mut lanes, &mut dice).await);
    }
    for state in ENDS {
        let times = ends.iter().filter(|end| *end == state).count();
        assert!(times * 50 > ends.len(), "{times} of {} were {state}: that is no race", ends.len());
    }
    check(&servers[0]).await;
}

async fn race_on(database: Database, seed: u64) {
    race(TestServer::start(database.hasty()).await, ROUNDS, seed).await;
}

mod whatever_is_done_at_once_was_done_in_some_order {
    use super::{Database, race_on};

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite() {
        race_on(Database::sqlite(), 0).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres_of_two_servers() {
        if let Some(database) = Database::postgres().await {
            race_on(database, 0).await;
        }
    }
}

mod whatever_is_done_at_once_was_done_in_some_order_a_hundred_thousand_times {
    use tokio::runtime::Runtime;

    use super::{Database, LONG_SERVERS, race_on};

    /// Each in a runtime of its own: with it end the servers, and their connections to the database.
    fn race(database: impl AsyncFn() -> Option<Database>) {
        for seed in 1..=LONG_SERVERS {
            Runtime::new().unwrap().block_on(async {
                if let Some(database) = database().await {
                    race_on(database, seed).await;
                }
            });
        }
    }

    #[test]
    #[ignore = "long: fifty thousand races"]
    fn sqlite() {
        race(async || Some(Database::sqlite()));
    }

    #[test]
    #[ignore = "long: fifty thousand races"]
    fn postgres_of_two_servers() {
        race(Database::postgres);
    }
}
