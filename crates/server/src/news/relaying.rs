//! Hints from and to the other processes of one PostgreSQL, many accounts in one.

use std::{fmt::Write as _, mem, time::Duration};

use super::{Topic, listeners::lock};
use crate::{
    app::App,
    store::hints::{self, Ear},
};

/// Time between two hints of one process: a claim costs no NOTIFY of its own (inside its transaction it made claims 5.6 times
/// slower, measured).
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of one hint: PostgreSQL takes 7 999.
const HINT_BYTES_MAX: usize = 7_000;

/// Hears other processes. When it cannot, the poll still finds everything.
pub(super) async fn hear(app: &App) {
    if !app.settings.news.hears_others {
        return std::future::pending().await;
    }
    loop {
        match listen(app).await {
            Ok(()) => return std::future::pending().await,
            Err(error) => tracing::warn!(%error, "other processes are not heard; news come by the poll"),
        }
        tokio::time::sleep(app.settings.news.poll).await;
    }
}

/// Listens until the connection breaks for good; at once done on SQLite.
async fn listen(app: &App) -> Result<(), sqlx::Error> {
    let Some(mut ear) = Ear::open(&app.db).await? else { return Ok(()) };
    loop {
        for (topic, newest) in ear.next().await?.as_deref().into_iter().flat_map(read) {
            app.news.advance(topic, newest);
        }
    }
}

/// Tells other processes what was committed here.
pub(super) async fn tell(app: &App) {
    loop {
        app.news.hints.some.notified().await;
        let waiting = mem::take(&mut *lock(&app.news.hints.waiting));
        for hint in write(waiting) {
            if let Err(error) = hints::send(&app.db, &hint).await {
                tracing::debug!(%error, "other processes could not be told");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// `topic number` lines, as few texts as they fit in.
fn write(newest: impl IntoIterator<Item = (Topic, i64)>) -> Vec<String> {
    let mut hints = vec![String::new()];
    for (topic, newest) in newest {
        if hints.last().is_some_and(|hint| hint.len() > HINT_BYTES_MAX) {
            hints.push(String::new());
        }
        if let Some(hint) = hints.last_mut() {
            // Writing to a String cannot fail.
            writeln!(hint, "{topic} {newest}").unwrap_or_default();
        }
    }
    hints.retain(|hint| !hint.is_empty());
    hints
}

/// What reads; a newer server may say more.
fn read(hint: &str) -> impl Iterator<Item = (Topic, i64)> {
    hint.lines().filter_map(|line| {
        let (topic, newest) = line.split_once(' ')?;
        Some((topic.parse().ok()?, newest.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use segue_domain::{PairingId, UserId};

    use super::*;

    #[test]
    fn every_topic_is_in_a_hint_that_postgresql_takes() {
        let topic = |n| {
            if n % 2 == 0 {
                Topic::Account(UserId::from_bytes([n; 16]))
            } else {
                Topic::Pairing(PairingId::from_bytes([n; 16]))
            }
        };
        let topics: Vec<_> = (0..=255).map(|n| (topic(n), i64::MAX - i64::from(n))).collect();
        let hints = write(topics.clone());
        assert!(hints.len() > 1 && hints.iter().all(|hint| hint.len() < 8_000), "{}", hints.len());
        assert_eq!(hints.iter().flat_map(|hint| read(hint)).collect::<Vec<_>>(), topics);
        assert!(write([]).is_empty());
        assert_eq!(read("x\n\nusr_ 1\nwhatever 2 3").count(), 0);
    }
}
