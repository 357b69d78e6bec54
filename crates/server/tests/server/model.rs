//! Random histories of everything that is done with handoffs, one request after the other, on SQLite and on PostgreSQL at once
//! (SPEC T9–T14, T18, T19). Each answer must be what [`crate::reference`] says, both databases must answer alike, and the
//! invariants below hold after every step.

mod invariants;
mod view;
mod world;

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt as _;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Runtime;

use crate::{
    harness::{Database, TestServer},
    reference::{Deed, Who},
};
use world::World;

/// Histories in `check`.
const HISTORIES: u32 = 8;
/// Histories in the long test.
const LONG_HISTORIES: u32 = 300;
/// Histories that are tried to make one that failed shorter.
const SHRINKS: u32 = 100;

/// What somebody does. Handoffs are numbered from the newest.
#[derive(Debug, Clone, Copy)]
enum Step {
    Push(Who),
    DeleteSession(Who),
    Hand {
        from: Who,
        to: Recipient,
        hours: Option<u32>,
    },
    See {
        who: Who,
        which: usize,
    },
    Do {
        who: Who,
        which: usize,
        deed: Deed,
    },
    Events {
        who: Who,
        which: usize,
    },
    List {
        who: Who,
        inbox: bool,
    },
    /// Dan joins, with the address that was handed to before.
    Join,
    Remove(Who),
    Add(Who),
    Pass {
        hours: i64,
    },
    Sweep,
    /// The last request that changed something comes again, with its key.
    Repeat,
    Restart,
}

/// To whom a session is handed.
#[derive(Debug, Clone, Copy)]
enum Recipient {
    Person(Who),
    Team,
    /// Dan's address.
    Address,
}

fn step() -> impl Strategy<Value = Step> {
    let (who, which) = (0_usize..5, 0_usize..4);
    let deed = prop_oneof![
        6 => Just(Deed::Claim { right_proof: true }),
        1 => Just(Deed::Claim { right_proof: false }),
        2 => Just(Deed::Revoke),
        4 => Just(Deed::Decline),
        3 => Just(Deed::Comment),
        1 => Just(Deed::LockKey),
    ];
    let to = prop_oneof![2 => (0_usize..3).prop_map(Recipient::Person), 3 => Just(Recipient::Team), 2 => Just(Recipient::Address)];
    let hours = prop_oneof![2 => Just(None), 1 => Just(Some(1)), 1 => Just(Some(24))];
    prop_oneof![
        2 => (0_usize..2).prop_map(Step::Push),
        1 => (0_usize..2).prop_map(Step::DeleteSession),
        8 => (0_usize..2, to, hours).prop_map(|(from, to, hours)| Step::Hand { from, to, hours }),
        6 => (who.clone(), which.clone()).prop_map(|(who, which)| Step::See { who, which }),
        18 => (who.clone(), which.clone(), deed).prop_map(|(who, which, deed)| Step::Do { who, which, deed }),
        2 => (who.clone(), which).prop_map(|(who, which)| Step::Events { who, which }),
        4 => (who, any::<bool>()).prop_map(|(who, inbox)| Step::List { who, inbox }),
        1 => Just(Step::Join),
        2 => (1_usize..4).prop_map(Step::Remove),
        2 => (1_usize..4).prop_map(Step::Add),
        2 => (1_i64..30).prop_map(|hours| Step::Pass { hours }),
        1 => Just(Step::Sweep),
        4 => Just(Step::Repeat),
        1 => Just(Step::Restart),
    ]
}

/// Everything that one database answered, with ids by the order of their appearance.
async fn told(database: Database, steps: &[Step]) -> Vec<String> {
    let mut world = World::new(TestServer::start(database).await).await;
    let all = async {
        for &step in steps {
            world.go(step).await;
            world.i1_one_claims().await;
            world.i4_one_event_for_each_change().await;
            world.i5_what_is_over_stays_over().await;
            world.i6_everything_agrees().await;
            world.i9_a_stranger_finds_nothing().await;
            world.i10_one_mail_for_each_reader().await;
        }
        world.i7_what_was_claimed_opens().await;
    };
    let ran = AssertUnwindSafe(all).catch_unwind().await;
    // The next history must find nobody else at its database.
    let told = world.end().await;
    ran.map_or_else(|panic| resume_unwind(panic), |()| told)
}

async fn compare(steps: Vec<Step>, postgres: Option<&str>) {
    let on_postgres = async {
        let database = Database::Postgres(postgres?.to_owned());
        Some(told(database.hasty(), &steps).await)
    };
    let (sqlite, postgres) = futures::join!(told(Database::sqlite(), &steps), on_postgres);
    if let Some(postgres) = postgres {
        assert_eq!(sqlite, postgres, "the databases answer differently");
    }
}

fn histories(cases: u32) {
    let runtime = Runtime::new().unwrap();
    // One for all histories: to drop a database takes PostgreSQL seconds.
    let postgres = runtime.block_on(Database::postgres());
    let url = postgres.as_ref().map(|database| match database {
        Database::Postgres(url) => url.as_str(),
        Database::Sqlite => unreachable!("asked for PostgreSQL"),
    });
    let config = Config { cases, max_shrink_iters: SHRINKS, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step(), 20..=60);
    let run = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(compare(steps, url));
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_history_is_answered_as_the_reference_says_on_both_databases() {
    histories(HISTORIES);
}

#[test]
#[ignore = "long: three hundred histories"]
fn three_hundred_histories_are_answered_as_the_reference_says_on_both_databases() {
    histories(LONG_HISTORIES);
}
