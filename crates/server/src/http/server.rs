//! The server itself.

use std::sync::Arc;

use axum::{Json, extract::State};
use segue_api::account::Server;

use crate::{app::App, failure::Failure};

/// Version of the protocol that this server speaks.
const PROTOCOL: u32 = 1;

/// Whether the process answers.
#[utoipa::path(get, path = "/livez", security(()), responses((status = 200, body = String, content_type = "text/plain"), Failure))]
pub(super) async fn livez() -> &'static str {
    "ok"
}

/// Whether database and storage answer.
#[utoipa::path(
    get, path = "/readyz", security(()),
    responses((status = 200, body = String, content_type = "text/plain"), Failure)
)]
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, Failure> {
    app.db.ping().await?;
    app.packs.probe(app.draw()?).await.map_err(|error| {
        tracing::warn!(%error, "the storage does not answer");
        Failure::later(segue_api::Code::Unavailable, "The storage does not answer.", 1)
    })?;
    Ok("ok")
}

/// What the server says of itself to anybody.
#[utoipa::path(get, path = "/api/v1/server", security(()), responses((status = 200, body = Server), Failure))]
pub(super) async fn server(State(app): State<Arc<App>>) -> Json<Server> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Json(Server {
        version,
        protocols: vec![PROTOCOL],
        now: app.clock.now().as_millis(),
        server_id: app.server_id.to_vec().into(),
        pairing_seconds: app.settings.pairing_seconds,
    })
}
