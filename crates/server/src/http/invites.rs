//! Inviting people.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use segue_api::{
    account::{Invitation, OpenInvite},
    invites::{CreateInvite, Invite, Person, Vouch},
};

use super::ask::{Call, Open};
use crate::{app::App, failure::Failure, joining, verifying};

/// What an invite lets one do. Changes nothing, so that a mail scanner that follows links does no harm.
#[utoipa::path(
    post, path = "/api/v1/invites/open", security(()), request_body = OpenInvite,
    responses((status = 200, body = Invitation), Failure)
)]
pub(super) async fn open(
    State(app): State<Arc<App>>,
    Open(body): Open<OpenInvite>,
) -> Result<Json<Invitation>, Failure> {
    joining::open_invite(&app, &body).await.map(Json)
}

/// Invites somebody.
#[utoipa::path(post, path = "/api/v1/invites", request_body = CreateInvite, responses((status = 201, body = Invite), Failure))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    call: Call<CreateInvite>,
) -> Result<(StatusCode, Json<Invite>), Failure> {
    let invite = joining::invite(&app, &call.principal, &call.body, &call.once).await?;
    Ok((StatusCode::CREATED, Json(invite)))
}

/// Vouches for the address of somebody who has joined; for owners.
#[utoipa::path(post, path = "/api/v1/vouches", request_body = Vouch, responses((status = 200, body = Person), Failure))]
pub(super) async fn vouch(State(app): State<Arc<App>>, call: Call<Vouch>) -> Result<Json<Person>, Failure> {
    verifying::vouch(&app, &call.principal, &call.body, &call.once).await.map(Json)
}
