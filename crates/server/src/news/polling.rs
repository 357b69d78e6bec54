//! One look for all streams of a process: which accounts have news, and which tokens ended.

use std::{collections::HashMap, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{listeners::Listener, relaying};
use crate::{app::App, failure::Failure, store::news};

/// Tokens of one question to the database.
const TOKENS_AT_ONCE: usize = 500;

/// Wakes and ends streams until the server stops, then ends all of them.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = poll(&app) => {}
        () = relaying::hear(&app) => {}
        () = relaying::tell(&app) => {}
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
    let mut by_token: HashMap<_, Vec<Arc<Listener>>> = HashMap::new();
    for listener in app.news.all() {
        listener.cut_if_stalled(app.settings.news.stalled);
        by_token.entry(listener.token).or_default().push(listener);
    }
    let tokens: Vec<_> = by_token.keys().copied().collect();
    for some in tokens.chunks(TOKENS_AT_ONCE) {
        for standing in news::standing(&mut app.db.read().await?, some, app.clock.now()).await? {
            for listener in by_token.remove(&standing.token_hash).unwrap_or_default() {
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
