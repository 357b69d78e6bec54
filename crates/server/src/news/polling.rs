//! One look for all streams of a process: which accounts and pairings have news, and which tokens ended.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio_util::sync::CancellationToken;

use super::{Topic, listeners::Listener, relaying};
use crate::{
    app::App,
    failure::Failure,
    pairings as relay,
    store::{news, pairings},
};

/// Tokens or pairings of one question to the database.
const AT_ONCE: usize = 500;

/// Wakes and ends streams until the server stops, then ends all of them.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = poll(&app) => {}
        () = relaying::hear(&app) => {}
        () = relaying::tell(&app) => {}
        () = relay::scrub(&app) => {}
    }
    app.news.closing.cancel();
}

async fn poll(app: &App) {
    loop {
        tokio::time::sleep(app.settings.news.poll).await;
        if let Err(error) = look(app).await {
            tracing::warn!(error = format!("{error:?}"), "news cannot be looked for");
        }
    }
}

async fn look(app: &App) -> Result<(), Failure> {
    let all = app.news.all();
    for listener in &all {
        listener.cut_if_stalled(app.settings.news.stalled);
    }
    look_at_tokens(app, &all).await?;
    look_at_pairings(app, &all).await
}

/// Ends streams whose token is no longer valid; tells those of accounts how far their news are.
async fn look_at_tokens(app: &App, all: &[Arc<Listener>]) -> Result<(), Failure> {
    let mut by_token: HashMap<_, Vec<&Arc<Listener>>> = HashMap::new();
    for listener in all {
        if let Some(token) = listener.token {
            by_token.entry(token).or_default().push(listener);
        }
    }
    let tokens: Vec<_> = by_token.keys().copied().collect();
    for some in tokens.chunks(AT_ONCE) {
        for standing in news::standing(&mut app.db.read().await?, some, app.clock.now()).await? {
            let valid = by_token.remove(&standing.token_hash).unwrap_or_default();
            for listener in valid.into_iter().filter(|listener| matches!(listener.topic, Topic::Account(_))) {
                listener.advance(standing.newest);
            }
        }
    }
    // What the database did not name is no valid token any more.
    for listener in by_token.values().flatten() {
        listener.ended.cancel();
    }
    Ok(())
}

/// Tells those who listen to pairings how far these are, after their time was looked at.
async fn look_at_pairings(app: &App, all: &[Arc<Listener>]) -> Result<(), Failure> {
    let pairing = |listener: &Arc<Listener>| match listener.topic {
        Topic::Pairing(id) => Some(id),
        Topic::Account(_) => None,
    };
    let ids: Vec<_> = all.iter().filter_map(pairing).collect::<HashSet<_>>().into_iter().collect();
    for some in ids.chunks(AT_ONCE) {
        for standing in pairings::standing(&mut app.db.read().await?, some, app.clock.now()).await? {
            if standing.due {
                relay::tick(app, standing.id).await?;
            }
            app.news.advance(Topic::Pairing(standing.id), standing.version);
        }
    }
    Ok(())
}
