//! The way back with the recovery code.

use std::sync::Arc;

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::StatusCode,
};
use segue_api::{
    account::Account,
    devices::{NewCode, OpenRecovery, Recover, Recovery},
};

use super::ask::{Call, Open};
use crate::{app::App, failure::Failure, listen::Peer, recovering};

/// What a recovery code opens. An unknown address and a wrong code are the same.
#[utoipa::path(
    post, path = "/api/v1/recovery/open", security(()), request_body = OpenRecovery,
    responses((status = 200, body = Recovery), Failure)
)]
pub(super) async fn open(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Open(body): Open<OpenRecovery>,
) -> Result<Json<Recovery>, Failure> {
    recovering::open(&app, &body, peer.0.ip()).await.map(Json)
}

/// Becomes a device of an account with its recovery code. The same again gives the same account.
#[utoipa::path(
    post, path = "/api/v1/recovery", security(()), request_body = Recover,
    responses((status = 200, body = Account), Failure)
)]
pub(super) async fn recover(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Open(body): Open<Recover>,
) -> Result<Json<Account>, Failure> {
    recovering::recover(&app, &body, peer.0.ip()).await.map(Json)
}

/// Takes another recovery code; the one before is worth nothing from then on.
#[utoipa::path(
    put, path = "/api/v1/account/recovery", request_body = NewCode, responses((status = 204), Failure)
)]
pub(super) async fn new_code(State(app): State<Arc<App>>, call: Call<NewCode>) -> Result<StatusCode, Failure> {
    recovering::new_code(&app, &call.principal, &call.body).await?;
    Ok(StatusCode::NO_CONTENT)
}
