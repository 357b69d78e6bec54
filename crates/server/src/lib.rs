//! The Segue server: accounts, handoffs and sealed packs. It sees ciphertext and cards only.
//!
//! ```text
//!  http ──▶ joining · upload · snapshot · handing · inbox · transition ──▶ store (SQL) · packs (bytes)
//! ```
//!
//! * `http` reads requests and maps answers; it never names the database.
//! * The middle decides: one function for each thing a person can do, each of them one transaction.
//! * [`transition`] is the only place that changes a handoff's state; [`sweep`] is what time does.
//! * [`store`] has all SQL, written once for SQLite and PostgreSQL; [`packs`] has all sealed bytes.

mod admission;
mod answers;
pub mod app;
pub mod config;
pub mod failure;
mod handing;
mod http;
mod inbox;
pub mod joining;
pub mod listen;
pub mod logs;
mod mail;
mod once;
pub mod packs;
pub mod page;
mod person;
pub mod principal;
pub mod rates;
mod snapshot;
pub mod start;
pub mod store;
pub mod sweep;
pub mod transition;
mod upload;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio_util::sync::CancellationToken;

use app::App;
pub use http::openapi;
use listen::Peer;

/// Serves until `shutdown`, then lets open requests end for as long as the settings say.
pub async fn serve<L>(app: Arc<App>, listener: L, shutdown: CancellationToken) -> anyhow::Result<()>
where
    L: Listener<Addr = SocketAddr>,
    Peer: for<'a> Connected<IncomingStream<'a, L>>,
{
    let sweeping = tokio::spawn(sweep::run(Arc::clone(&app), shutdown.clone()));
    let service = http::router(Arc::clone(&app)).into_make_service_with_connect_info::<Peer>();
    let server = axum::serve(listener, service).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(app.settings.drain).await;
    };
    tokio::select! {
        ended = server => ended.context("the server stopped")?,
        () = drained => tracing::warn!("requests that did not end in time were cut"),
    }
    sweeping.await.context("the sweep stopped")?;
    app.db.close().await;
    Ok(())
}
