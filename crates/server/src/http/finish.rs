//! What every answer gets: headers that keep it out of caches, one line in the log, and, when the server failed, a
//! constant body whose request id leads to the reason in the log.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use data_encoding::HEXLOWER;

use super::problem::{self, Reason};
use crate::app::App;

/// Finishes an answer. The log has the route as documented: no ids, no query, no body, no token.
pub(super) async fn finish(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "-".to_owned());
    let begun = app.clock.now();
    let mut response = next.run(request).await;
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        // Without randomness the reason is logged all the same.
        let request_id = HEXLOWER.encode(&app.draw::<8>().unwrap_or_default());
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
    let took_ms = app.clock.now().as_millis() - begun.as_millis();
    tracing::info!(%method, route, status = response.status().as_u16(), took_ms, "answered");
    response
}
