//! Joining, and one's own account.

use std::sync::Arc;

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::StatusCode,
};
use segue_api::account::{Account, AskCode, ConfirmCode, Join, Mailed, SignUp};

use super::ask::{Ask, Call, Open};
use crate::{answers, app::App, failure::Failure, joining, listen::Peer, verifying};

/// Joins with an invite. The same join again gives the same account.
#[utoipa::path(post, path = "/api/v1/join", security(()), request_body = Join, responses((status = 200, body = Account), Failure))]
pub(super) async fn join(State(app): State<Arc<App>>, Open(body): Open<Join>) -> Result<Json<Account>, Failure> {
    joining::join(&app, &body).await.map(Json)
}

/// One's own account.
#[utoipa::path(get, path = "/api/v1/account", responses((status = 200, body = Account), Failure))]
pub(super) async fn get(State(app): State<Arc<App>>, ask: Ask) -> Result<Json<Account>, Failure> {
    let mut tx = app.db.read().await?;
    answers::account(&app, &mut tx, &ask.principal).await.map(Json)
}

/// Asks for a link to sign up with. The answer is the same whoever's address it is; the link comes by mail, or not.
#[utoipa::path(
    post, path = "/api/v1/signup", security(()), request_body = SignUp,
    responses((status = 202, body = Mailed), Failure)
)]
pub(super) async fn sign_up(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Open(body): Open<SignUp>,
) -> Result<(StatusCode, Json<Mailed>), Failure> {
    Ok((StatusCode::ACCEPTED, Json(joining::sign_up(&app, &body, peer.0.ip()).await?)))
}

/// Asks for a code that verifies one's address. It comes by mail.
#[utoipa::path(
    post, path = "/api/v1/account/verification", request_body = AskCode,
    responses((status = 202, body = Mailed), Failure)
)]
pub(super) async fn ask_code(
    State(app): State<Arc<App>>,
    call: Call<AskCode>,
) -> Result<(StatusCode, Json<Mailed>), Failure> {
    Ok((StatusCode::ACCEPTED, Json(verifying::ask(&app, &call.principal, &call.once).await?)))
}

/// Verifies one's address with the code.
#[utoipa::path(
    post, path = "/api/v1/account/verification/confirm", request_body = ConfirmCode,
    responses((status = 200, body = Account), Failure)
)]
pub(super) async fn confirm_code(
    State(app): State<Arc<App>>,
    call: Call<ConfirmCode>,
) -> Result<Json<Account>, Failure> {
    verifying::confirm(&app, &call.principal, &call.body, &call.once).await.map(Json)
}
