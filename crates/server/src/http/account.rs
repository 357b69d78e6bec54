//! Joining, and one's own account.

use std::sync::Arc;

use axum::{Json, extract::State};
use segue_api::account::{Account, Join};

use super::ask::{Ask, Open};
use crate::{answers, app::App, failure::Failure, joining};

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
