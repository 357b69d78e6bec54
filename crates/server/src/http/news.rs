//! Live news, as server-sent events.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{
        IntoResponse,
        sse::{KeepAlive, Sse},
    },
};
use segue_api::news::{LAST_EVENT_ID, Listen, News};

use super::{
    ask::{Ask, Wanted},
    guard::TokenHash,
};
use crate::{answering::HangUp, app::App, failure::Failure, news};

/// Streams news of one's handoffs, from now on or after a number that is known. The first event is `begin`; `reset` says that
/// some are no longer kept. Silence is a comment every 20 seconds.
#[utoipa::path(
    get, path = "/api/v1/news", params(Listen, ("last-event-id" = Option<i64>, Header)),
    responses((status = 200, body = News, content_type = "text/event-stream"), Failure)
)]
pub(super) async fn listen(
    State(app): State<Arc<App>>,
    ask: Ask,
    Wanted(query): Wanted<Listen>,
    Extension(TokenHash(token)): Extension<TokenHash>,
    Extension(HangUp(hang_up)): Extension<HangUp>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Failure> {
    let after = known(&headers)?.or(query.after);
    let heartbeat = app.settings.news.heartbeat;
    let events = news::begin(app, news::Begin { user: ask.principal.user, token, after, hang_up }).await?;
    // Proxies that collect an answer before they pass it on would keep the news.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(([unbuffered], Sse::new(events).keep_alive(KeepAlive::new().interval(heartbeat))))
}

fn known(headers: &HeaderMap) -> Result<Option<i64>, Failure> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|number| *number >= 0);
    number.map(Some).ok_or_else(|| Failure::invalid("Last-Event-ID is the number of one of your news."))
}
