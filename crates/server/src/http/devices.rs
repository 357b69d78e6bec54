//! One's devices.

use std::sync::Arc;

use axum::{Json, extract::State};
use segue_api::{
    account::Account,
    devices::{Changes, Devices, ListChanges, Renew},
};

use super::ask::{Ask, Call, Wanted};
use crate::{app::App, devices, failure::Failure};

/// One's devices, those included that were removed.
#[utoipa::path(get, path = "/api/v1/devices", responses((status = 200, body = Devices), Failure))]
pub(super) async fn list(State(app): State<Arc<App>>, ask: Ask) -> Result<Json<Devices>, Failure> {
    devices::list(&app, &ask.principal).await.map(Json)
}

/// What this device missed: the key cards and the events that followed those it knows.
#[utoipa::path(
    get, path = "/api/v1/devices/changes", params(ListChanges), responses((status = 200, body = Changes), Failure)
)]
pub(super) async fn changes(
    State(app): State<Arc<App>>,
    ask: Ask,
    Wanted(query): Wanted<ListChanges>,
) -> Result<Json<Changes>, Failure> {
    devices::changes(&app, &ask.principal, &query).await.map(Json)
}

/// Begins a new epoch without one or more devices: their access ends at once, and all keys are new.
#[utoipa::path(
    post, path = "/api/v1/devices/removals", request_body = Renew, responses((status = 200, body = Account), Failure)
)]
pub(super) async fn renew(State(app): State<Arc<App>>, call: Call<Renew>) -> Result<Json<Account>, Failure> {
    devices::renew(&app, &call.principal, &call.body, &call.once).await.map(Json)
}
