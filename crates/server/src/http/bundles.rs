//! Sealed bundles.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use segue_api::bundles::{OwnWrap, Pushed};
use segue_domain::BundleId;

use super::ask::{Ask, Call, Id, Later};
use crate::{app::App, failure::Failure, parcel::Sent, snapshot, store};

/// Stores a snapshot as the newest state of its session.
#[utoipa::path(
    post, path = "/api/v1/bundles", request_body(content = Vec<u8>, content_type = "application/vnd.segue.parcel"),
    responses((status = 201, body = Pushed), Failure)
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    call: Call<Sent>,
) -> Result<(StatusCode, Json<Pushed>), Failure> {
    let pushed = snapshot::push(&app, &call.principal, call.body, &call.once).await?;
    Ok((StatusCode::CREATED, Json(pushed)))
}

/// The sealed manifest of a bundle that one holds.
#[utoipa::path(
    get, path = "/api/v1/bundles/{id}/manifest", params(("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), Failure)
)]
pub(super) async fn manifest(
    State(app): State<Arc<App>>,
    ask: Ask<Id<BundleId>>,
) -> Result<impl IntoResponse, Failure> {
    let mut tx = app.db.read().await?;
    let manifest = store::bundles::manifest(&mut tx, ask.principal.user, ask.ids.0).await?;
    let manifest = manifest.ok_or_else(Failure::not_found)?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], manifest))
}

/// Stores the holder's own wrap; the wraps that were made for the handoff are deleted.
#[utoipa::path(
    put, path = "/api/v1/bundles/{id}/own-wrap", params(("id" = String, Path)), request_body = OwnWrap,
    responses((status = 204), Failure)
)]
pub(super) async fn own_wrap(
    State(app): State<Arc<App>>,
    call: Call<OwnWrap, Later<BundleId>>,
) -> Result<StatusCode, Failure> {
    snapshot::own_wrap(&app, &call.principal, call.ids.0, &call.body).await?;
    Ok(StatusCode::NO_CONTENT)
}
