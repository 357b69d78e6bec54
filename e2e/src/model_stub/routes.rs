//! The stub's HTTP: what Claude Code asks for, and 404 in the API's own words for the rest.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, body::Bytes};
use serde_json::{Value, json};

use super::Seen;
use super::{answer, stream};

/// The largest request that is read. Sessions with images are large; the real API stops at 32 MiB.
const LARGEST: usize = 64 << 20;

pub(super) fn of(seen: Arc<Seen>) -> Router {
    Router::new()
        .route("/", get(StatusCode::OK))
        .route("/v1/models", get(Json(json!({ "data": [], "has_more": false }))))
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .fallback(unknown)
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST))
        .with_state(seen)
}

async fn messages(State(seen): State<Arc<Seen>>, Json(request): Json<Value>) -> Response {
    let message = answer::to(&request);
    let streamed = request["stream"] == true;
    seen.requests().push(request);
    if streamed {
        ([(header::CONTENT_TYPE, "text/event-stream")], stream::of(&message)).into_response()
    } else {
        Json(message).into_response()
    }
}

/// Four bytes a token is near enough for a tool that only watches its budget.
async fn count_tokens(body: Bytes) -> Json<Value> {
    Json(json!({ "input_tokens": body.len() / 4 }))
}

async fn unknown() -> (StatusCode, Json<Value>) {
    let error = json!({ "type": "error", "error": { "type": "not_found_error", "message": "stub" } });
    (StatusCode::NOT_FOUND, Json(error))
}
