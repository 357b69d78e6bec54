//! What every answer gets: headers that keep it out of caches, one line in the log with its request id, and, when the server failed, a
//! constant body whose request id leads to the reason in the log.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use data_encoding::HEXLOWER;
use segue_api::Code;
use tokio::time::Instant;

use super::problem::{self, Reason};
use crate::{app::App, failure::Failure, store::watched};

/// Finishes an answer. The log has the route as documented: no ids, no query, no body, no token.
pub(super) async fn finish(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "-".to_owned());
    // Without randomness the request is answered all the same.
    let request_id = HEXLOWER.encode(&app.draw::<8>().unwrap_or_default());
    let begun = Instant::now();
    let (mut response, seen) = watched(next.run(request)).await;
    // Nobody is told of what is not on disk.
    if !app.db.settled(seen).await {
        response =
            Failure::later(Code::Unavailable, "The database undid what this answer relied on.", 1).into_response();
    }
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        if let Some(Reason(error)) = response.extensions().get::<Reason>() {
            tracing::error!(%method, route, request_id, error = format!("{error:#}"), "failed");
        }
        response = problem::internal(&request_id);
    }
    if method == Method::POST && response.status().is_success() {
        // Only now is it committed, and a mail may be part of it.
        app.post.wake();
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (took, status) = (begun.elapsed(), response.status().as_u16());
    app.metrics.answered(&route, method.as_str(), status, took);
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%method, route, request_id, status, took_ms, "answered");
    response
}
