//! Pages behind the links of mails. They say what to do next and change nothing: mail scanners open links too, and all
//! that a link does is done by a person's command (SPEC A2). What stands behind `#` never comes here.

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::{Html, IntoResponse},
    routing::get,
};

use crate::app::App;

const JOIN: &str = include_str!("pages/join.html");
const HANDOFF: &str = include_str!("pages/handoff.html");
/// No script, no image, no frame, nothing from anywhere.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The pages, which are no part of the documented API.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/join", get(async || page(JOIN)))
        // One page for whatever stands there: it tells nobody what exists.
        .route("/i/{*id}", get(async || page(HANDOFF)))
}

fn page(text: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ];
    (headers, Html(text))
}
