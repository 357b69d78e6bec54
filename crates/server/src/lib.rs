//! The Segue server: accounts, handoffs and sealed packs. It sees ciphertext and cards only.
//!
//! ```text
//!  http ──▶ joining · verifying · teams · upload · snapshot · handing · inbox · lifecycle ▸ transition ──▶ store (SQL)
//!                                                                                           └─▶ packs (bytes)
//! ```
//!
//! * `connections` bounds what a client may hold open; `answering` is the service of one connection.
//! * `http` reads requests and maps answers; it never names the database.
//! * The middle decides: one function for each thing a person can do, each of them one transaction.
//! * [`transition`] is the only place that changes a handoff's state; [`sweep`] is what time does; [`mail`] sends what
//!   they decided to tell people; [`news`] is what live connections hear of it.
//! * [`store`] has all SQL, written once for SQLite and PostgreSQL; [`packs`] has all sealed bytes.

mod accounts;
mod admission;
mod answering;
mod answers;
pub mod app;
pub mod backup;
mod cards;
pub mod check;
pub mod config;
pub mod connections;
mod devices;
pub mod failure;
mod handing;
mod http;
mod inbox;
pub mod joining;
mod late;
mod lifecycle;
pub mod listen;
pub mod logs;
pub mod mail;
pub mod metrics;
pub mod news;
mod off_runtime;
mod once;
pub mod operate;
pub mod packs;
pub mod page;
mod pairings;
mod parcel;
mod people;
mod person;
mod places;
pub mod principal;
mod projects;
mod provenance;
pub mod proxies;
pub mod rates;
mod records;
mod recovering;
mod snapshot;
pub mod start;
pub mod store;
pub mod sweep;
mod teams;
pub mod tls;
mod tokens;
pub mod transition;
mod upload;
mod verifying;

use std::sync::Arc;

use anyhow::Context as _;
use futures::future::OptionFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use app::App;
use connections::Attendant;
pub use http::openapi;
use listen::Transport;

/// Where a server listens.
#[derive(Debug)]
pub struct Listeners {
    /// To clients.
    pub clients: TcpListener,
    /// To who watches it, if to anybody.
    pub metrics: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(clients: TcpListener) -> Self {
        Self { clients, metrics: None }
    }
}

/// Serves until `shutdown`, then lets open requests end for as long as the settings say.
pub async fn serve(
    app: Arc<App>,
    listeners: impl Into<Listeners>,
    transport: Transport,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let Listeners { clients, metrics } = listeners.into();
    let sweeping = tokio::spawn(sweep::run(Arc::clone(&app), shutdown.clone()));
    let mailing = tokio::spawn(mail::run(Arc::clone(&app), shutdown.clone()));
    let telling = tokio::spawn(news::run(Arc::clone(&app), shutdown.clone()));
    let watched = metrics.map(|listener| {
        let attendant = Attendant {
            router: http::metrics(Arc::clone(&app)),
            transport: Transport::Plain,
            bounds: app.settings.connections,
            proxies: Arc::default(),
            open: Arc::default(),
            shutdown: shutdown.clone(),
        };
        connections::serve(listener, attendant, app.settings.drain)
    });
    let attendant = Attendant {
        router: http::router(Arc::clone(&app)),
        transport,
        bounds: app.settings.connections,
        proxies: Arc::new(app.settings.trusted_proxies.clone()),
        open: Arc::clone(&app.metrics.connections),
        shutdown,
    };
    let attended = connections::serve(clients, attendant, app.settings.drain);
    // Who watches sees the end, too.
    tokio::join!(attended, OptionFuture::from(watched));
    sweeping.await.context("the sweep stopped")?;
    mailing.await.context("the sending of mails stopped")?;
    telling.await.context("the news stopped")?;
    app.packs.settled().await;
    app.db.close().await;
    Ok(())
}
