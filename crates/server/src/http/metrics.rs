//! `GET /metrics`, on a port of its own: what is served to everybody has no such route.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing,
};
use segue_domain::limits::STOCK_SECONDS;
use tokio::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::problem;
use crate::{
    app::App,
    failure::Failure,
    store::stock::{self, Stock},
};

/// Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The service.
struct Watched {
    app: Arc<App>,
    /// What was counted last, and when: one count answers all who ask meanwhile.
    stock: Mutex<Option<(Instant, Stock)>>,
}

/// The one route.
pub(crate) fn router(app: Arc<App>) -> Router {
    let watched = Arc::new(Watched { app, stock: Mutex::default() });
    Router::new()
        .route("/metrics", routing::get(metrics))
        .method_not_allowed_fallback(problem::method_not_allowed)
        .fallback(async || Failure::not_found())
        .with_state(watched)
}

async fn metrics(State(watched): State<Arc<Watched>>) -> Result<Response, Failure> {
    let stock = count(&watched).await?;
    let text = watched.app.metrics.text(&stock, watched.app.db.pool());
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}

async fn count(watched: &Watched) -> Result<Stock, Failure> {
    let mut last = watched.stock.lock().await;
    if let Some((at, stock)) = *last
        && at.elapsed() < Duration::from_secs(STOCK_SECONDS)
    {
        return Ok(stock);
    }
    let stock = stock::count(&mut watched.app.db.read().await?).await?;
    *last = Some((Instant::now(), stock));
    Ok(stock)
}
