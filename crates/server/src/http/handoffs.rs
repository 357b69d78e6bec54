//! Handoffs.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use segue_api::{
    bundles::Bundle,
    handoffs::{
        Claim, Claimed, Comment, Comments, Decline, Events, Handoff, Handoffs, InviteProof, LateWrap, ListEntries,
        ListHandoffs, NewComment, Reservation, Reserve, ReservedFor, Revoke,
    },
};
use segue_domain::HandoffId;

use super::ask::{Ask, Call, Id, Wanted};
use crate::{
    app::App,
    failure::Failure,
    handing, inbox, late, lifecycle,
    page::{Onward, Page},
    parcel::Sent,
};

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
    inbox::see(&app, ask.principal.actor(), ask.ids.0).await.map(Json)
}

/// What a party needs to begin to open a handoff, before and after the claim.
#[utoipa::path(
    get, path = "/api/v1/handoffs/{id}/bundle", params(("id" = String, Path)),
    responses((status = 200, body = Bundle), Failure)
)]
pub(super) async fn bundle(State(app): State<Arc<App>>, ask: Ask<Id<HandoffId>>) -> Result<Json<Bundle>, Failure> {
    inbox::open(&app, ask.principal.actor(), ask.ids.0).await.map(Json)
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
    lifecycle::claim(&app, &call.principal, call.ids.0, &call.body, &call.once).await.map(Json)
}

/// Takes a handoff back. Its sender only.
#[utoipa::path(
    post, path = "/api/v1/handoffs/{id}/revoke", params(("id" = String, Path)), request_body = Revoke,
    responses((status = 200, body = Handoff), Failure)
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    call: Call<Revoke, Id<HandoffId>>,
) -> Result<Json<Handoff>, Failure> {
    lifecycle::revoke(&app, &call.principal, call.ids.0, &call.body, &call.once).await.map(Json)
}

/// Refuses a handoff. A recipient only; one member of a team refuses for themselves.
#[utoipa::path(
    post, path = "/api/v1/handoffs/{id}/decline", params(("id" = String, Path)), request_body = Decline,
    responses((status = 200, body = Handoff), Failure)
)]
pub(super) async fn decline(
    State(app): State<Arc<App>>,
    call: Call<Decline, Id<HandoffId>>,
) -> Result<Json<Handoff>, Failure> {
    lifecycle::decline(&app, &call.principal, call.ids.0, &call.body, &call.once).await.map(Json)
}

/// Writes to the other party, in any state.
#[utoipa::path(
    post, path = "/api/v1/handoffs/{id}/comments", params(("id" = String, Path)), request_body = NewComment,
    responses((status = 201, body = Comment), Failure)
)]
pub(super) async fn comment(
    State(app): State<Arc<App>>,
    call: Call<NewComment, Id<HandoffId>>,
) -> Result<(StatusCode, Json<Comment>), Failure> {
    let comment = lifecycle::comment(&app, &call.principal, call.ids.0, &call.body, &call.once).await?;
    Ok((StatusCode::CREATED, Json(comment)))
}

/// One page of what the parties wrote to each other, oldest first.
#[utoipa::path(
    get, path = "/api/v1/handoffs/{id}/comments", params(("id" = String, Path), ListEntries),
    responses((status = 200, body = Comments), Failure)
)]
pub(super) async fn comments(
    State(app): State<Arc<App>>,
    ask: Ask<Id<HandoffId>>,
    Wanted(query): Wanted<ListEntries>,
) -> Result<Json<Comments>, Failure> {
    let page = Onward::new(query.cursor.as_deref(), query.limit)?;
    inbox::comments(&app, ask.principal.user, ask.ids.0, &page).await.map(Json)
}

/// One page of the audit log, oldest first.
#[utoipa::path(
    get, path = "/api/v1/handoffs/{id}/events", params(("id" = String, Path), ListEntries),
    responses((status = 200, body = Events), Failure)
)]
pub(super) async fn events(
    State(app): State<Arc<App>>,
    ask: Ask<Id<HandoffId>>,
    Wanted(query): Wanted<ListEntries>,
) -> Result<Json<Events>, Failure> {
    let page = Onward::new(query.cursor.as_deref(), query.limit)?;
    inbox::events(&app, ask.principal.user, ask.ids.0, &page).await.map(Json)
}

/// Whom a handoff is to be sealed for now. Its sender only: who invited somebody sees here when they have joined.
#[utoipa::path(
    get, path = "/api/v1/handoffs/{id}/recipient", params(("id" = String, Path)),
    responses((status = 200, body = ReservedFor), Failure)
)]
pub(super) async fn recipient(
    State(app): State<Arc<App>>,
    ask: Ask<Id<HandoffId>>,
) -> Result<Json<ReservedFor>, Failure> {
    late::recipient(&app, ask.principal.user, ask.ids.0).await.map(Json)
}

/// Locks the key for who joined later. Its sender only.
#[utoipa::path(
    post, path = "/api/v1/handoffs/{id}/wraps", params(("id" = String, Path)), request_body = LateWrap,
    responses((status = 200, body = Handoff), Failure)
)]
pub(super) async fn wrap(
    State(app): State<Arc<App>>,
    call: Call<LateWrap, Id<HandoffId>>,
) -> Result<Json<Handoff>, Failure> {
    late::wrap(&app, &call.principal, call.ids.0, &call.body, &call.once).await.map(Json)
}

/// Stores what the claimer proves about their key card. The claimer only; the first stays.
#[utoipa::path(
    post, path = "/api/v1/handoffs/{id}/invite-proof", params(("id" = String, Path)), request_body = InviteProof,
    responses((status = 200, body = Handoff), Failure)
)]
pub(super) async fn invite_proof(
    State(app): State<Arc<App>>,
    call: Call<InviteProof, Id<HandoffId>>,
) -> Result<Json<Handoff>, Failure> {
    late::prove(&app, &call.principal, call.ids.0, &call.body, &call.once).await.map(Json)
}
