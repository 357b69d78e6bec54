//! One of two processes is killed while sources release their views through it (SPEC D9, S1).

use std::{
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use futures::future::join_all;
use reqwest::Method;
use segue_api::{IDEMPOTENCY_KEY, pairings::Pairing};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    harness::{
        Database, Person,
        live::Live,
        pairing::{Guest, Shown, next, release, releasing, words},
        person::Answer,
        seal::draw,
    },
    process::Program,
    processes::owner,
    races::Dice,
};

/// Sources that release at the same moment: an account each, so that none shows more codes in an hour than it may.
const SOURCES: usize = 8;
/// Processes that are killed in `check`, and in the long test.
const KILLS: [u32; 2] = [2, 60];

/// A pairing that was answered, and who listens to it at the process that stays.
struct Lane {
    shown: Shown,
    guest: Guest,
    view: Vec<u8>,
    fetch: [u8; 32],
    streams: [Live; 2],
}

impl Lane {
    async fn begin(source: &Person, guest: Guest) -> Self {
        let shown = source.show(1).await;
        guest.lease(&shown).await;
        assert_eq!(guest.answer(&shown, 1).await.status, 200);
        let streams = [shown.listen().await, guest.listen(&shown).await];
        Self { shown, guest, view: release(), fetch: draw(), streams }
    }

    /// Releases the view through a process; nothing when that does not answer any more.
    async fn claim(&self, url: &str) -> Option<u16> {
        let source = self.shown.source.at(url);
        let request = source.request(Method::POST, &self.shown.path("/claim"));
        let request = request.header(IDEMPOTENCY_KEY, self.shown.id());
        let answer = request.json(&releasing(1, &self.view, Some(&self.fetch))).send().await.ok()?;
        let status = answer.status().as_u16();
        answer.bytes().await.ok().map(|_| status)
    }

    /// What holds after the kill, at the process that stays; says whether the claim was made before it.
    async fn goes_on(mut self, answered: Option<u16>) -> bool {
        let seen = self.shown.see().await;
        let claimed = seen.state == "claimed";
        assert!(claimed || words(&seen) == ("issued", ""), "{seen:?}");
        assert!(claimed || answered.is_none(), "what was answered is there");
        if claimed {
            // Nobody who listens here was told by the process that made the claim, or by anybody who asks.
            self.hear().await;
        }
        assert_eq!(self.claim(&self.shown.source.url).await, Some(200), "the same request again");
        if !claimed {
            self.hear().await;
        }
        let other: Answer = self.shown.claim(1, &release(), None).await;
        assert_eq!(other.refused(), (409, "already_claimed".to_owned()));
        assert_eq!(self.guest.see(&self.shown).await.release.unwrap().0, self.view);
        assert_eq!(self.guest.another().see(&self.shown).await.release, None);
        assert_eq!(self.guest.acknowledge(&self.shown).await.status, 200);
        for live in &mut self.streams {
            assert_eq!(words(&next(live).await), ("claimed", "acknowledged"));
        }
        claimed
    }

    /// Both sides hear of the claim, once, and the destination with the view.
    async fn hear(&mut self) {
        for (number, live) in self.streams.iter_mut().enumerate() {
            let mut seen: Pairing = next(live).await;
            while seen.state == "issued" {
                seen = next(live).await;
            }
            assert_eq!(words(&seen), ("claimed", "delivering"));
            assert_eq!(seen.release.map(|release| release.0), (number == 1).then(|| self.view.clone()));
        }
    }
}

/// A process that believes a proxy, so that each destination is counted by an address of its own.
fn behind_a_proxy(data: &Path, url: &str) -> Child {
    let mut command = Program::command(data);
    command.args(["--trusted-proxies", "127.0.0.1/32"]).env("SEGUE_DATABASE_URL", url);
    // Nobody reads its log, and a pipe that is full would hold it up.
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// Kills processes while they claim; says how many claims were made and how many were not.
async fn kill(kills: u32) -> Option<(usize, usize)> {
    let Some(Database::Postgres(url)) = Database::postgres().await else { return None };
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let another = || behind_a_proxy(&data, &url);
    let stays = Program::ready(another());
    let mut sources = vec![owner(&stays).await];
    for number in 1..SOURCES {
        sources.push(sources[0].bring(&format!("p{number}@example.com")).await);
    }
    let mut guests = Guest::crowd(stays.url(), (kills + 1) * u32::try_from(SOURCES).unwrap());
    let (mut dice, mut made, mut span) = (Dice(1), 0, None);
    for _ in 0..=kills {
        let dies = Program::ready(another());
        let lanes =
            join_all(sources.iter().zip(guests.drain(..SOURCES)).map(|(source, guest)| Lane::begin(source, guest)))
                .await;
        let url = dies.url().to_owned();
        let claims = join_all(lanes.iter().map(|lane| lane.claim(&url)));
        let begun = Instant::now();
        let Some(span) = span else {
            // The first one is not killed: so long do claims take here.
            assert!(claims.await.iter().all(|status| *status == Some(200)));
            span = Some(u64::try_from(begun.elapsed().as_micros()).unwrap());
            continue;
        };
        let after = Duration::from_micros(dice.below(span));
        let killed = tokio::task::spawn_blocking(move || {
            while begun.elapsed() < after {
                std::hint::spin_loop();
            }
            drop(dies);
        });
        let (claims, killed) = futures::join!(claims, killed);
        killed.unwrap();
        let went = join_all(lanes.into_iter().zip(claims).map(|(lane, answered)| lane.goes_on(answered))).await;
        made += went.iter().filter(|claimed| **claimed).count();
    }
    let check = Program::command(&data).env("SEGUE_DATABASE_URL", &url).arg("check").output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    let all = usize::try_from(kills).unwrap() * SOURCES;
    Some((made, all - made))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_process_is_killed_is_made_or_not_and_its_repeat_makes_it() {
    kill(KILLS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: sixty processes"]
async fn a_claim_whose_process_is_killed_is_made_or_not_and_its_repeat_makes_it_sixty_times() {
    if let Some((made, not)) = kill(KILLS[1]).await {
        assert!(made.min(not) * 20 > made + not, "{made} claims were made and {not} were not: that is no race");
    }
}
