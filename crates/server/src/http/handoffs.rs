//! Handoffs.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use segue_api::{
    bundles::Bundle,
    handoffs::{Claim, Claimed, Handoff, Handoffs, ListHandoffs, Reservation, Reserve},
};
use segue_domain::HandoffId;

use super::ask::{Ask, Call, Id, Wanted};
use crate::{app::App, failure::Failure, handing, inbox, page::Page, parcel::Sent, transition};

/// Names a handoff, its end and the keys to seal it for.
#[utoipa::path(post, path = "/api/v1/handoffs/reserve", request_body = Reserve, responses((status = 200, body = Reservation), Failure))]
pub(super) async fn reserve(State(app): State<Arc<App>>, call: Call<Reserve>) -> Result<Json<Reservation>, Failure> {
    handing::reserve(&app, &call.principal, &call.body, &call.once).await.map(Json)
}

/// Creates a handoff that was reserved.
#[utoipa::path(
    post, path = "/api/v1/handoffs", request_body(content = Vec<u8>, content_type = "application/vnd.segue.parcel"),
    responses((status = 201, body = Handoff), Failure)
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    call: Call<Sent>,
) -> Result<(StatusCode, Json<Handoff>), Failure> {
    let handoff = handing::create(&app, &call.principal, call.body, &call.once).await?;
    Ok((StatusCode::CREATED, Json(handoff)))
}

/// One page of handoffs, newest first.
#[utoipa::path(get, path = "/api/v1/handoffs", params(ListHandoffs), responses((status = 200, body = Handoffs), Failure))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    ask: Ask,
    Wanted(query): Wanted<ListHandoffs>,
) -> Result<Json<Handoffs>, Failure> {
    let page = Page::new(query.cursor.as_deref(), query.limit)?;
    inbox::list(&app, ask.principal.user, query.which, &page).await.map(Json)
}

/// One handoff. A recipient's first look is recorded.
#[utoipa::path(
    get, path = "/api/v1/handoffs/{id}", params(("id" = String, Path)),
    responses((status = 200, body = Handoff), Failure)
)]
pub(super) async fn get(State(app): State<Arc<App>>, ask: Ask<Id<HandoffId>>) -> Result<Json<Handoff>, Failure> {
    inbox::see(&app, ask.principal.user, ask.ids.0).await.map(Json)
}

/// What a party needs to begin to open a handoff, before and after the claim.
#[utoipa::path(
    get, path = "/api/v1/handoffs/{id}/bundle", params(("id" = String, Path)),
    responses((status = 200, body = Bundle), Failure)
)]
pub(super) async fn bundle(State(app): State<Arc<App>>, ask: Ask<Id<HandoffId>>) -> Result<Json<Bundle>, Failure> {
    inbox::open(&app, ask.principal.user, ask.ids.0).await.map(Json)
}

/// Claims a handoff. One claim wins; repeating one's own won claim gives the same answer.
#[utoipa::path(
    post, path = "/api/v1/handoffs/{id}/claim", params(("id" = String, Path)), request_body = Claim,
    responses((status = 200, body = Claimed), Failure)
)]
pub(super) async fn claim(
    State(app): State<Arc<App>>,
    call: Call<Claim, Id<HandoffId>>,
) -> Result<Json<Claimed>, Failure> {
    transition::claim(&app, &call.principal, call.ids.0, &call.body, &call.once).await.map(Json)
}
