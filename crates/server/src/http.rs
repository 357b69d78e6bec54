//! HTTP: every handler reads its request, asks the store or a transition, and maps the answer.
//!
//! To add a route: 1. its types in `segue-api`; 2. a handler in the module of that name, with its `#[utoipa::path]`; 3. a
//! line in [`routes`]; 4. `cargo xtask openapi`. The matrix test meets it by itself.

mod account;
mod ask;
mod body;
mod bundles;
mod devices;
mod document;
mod finish;
mod guard;
mod handoffs;
mod invites;
mod metrics;
mod news;
mod packs;
mod pages;
mod pairings;
mod people;
mod problem;
mod projects;
mod range;
mod records;
mod recovery;
mod scopes;
mod server;
mod sessions;
mod teams;
mod timer;
mod tokens;

use std::sync::Arc;

use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, failure::Failure};
pub(crate) use metrics::router as metrics;
use timer::Times;

/// All routes with what is documented of them.
fn routes(times: Times) -> OpenApiRouter<Arc<App>> {
    let quick = OpenApiRouter::with_openapi(document::Document::openapi())
        .routes(routes!(server::livez))
        .routes(routes!(server::readyz))
        .routes(routes!(server::server))
        .routes(routes!(invites::open))
        .routes(routes!(invites::create))
        .routes(routes!(invites::vouch))
        .routes(routes!(account::join))
        .routes(routes!(account::get))
        .routes(routes!(account::sign_up))
        .routes(routes!(account::ask_code))
        .routes(routes!(account::confirm_code))
        .routes(routes!(devices::list))
        .routes(routes!(devices::changes))
        .routes(routes!(devices::renew))
        .routes(routes!(recovery::open))
        .routes(routes!(recovery::recover))
        .routes(routes!(recovery::new_code))
        .routes(routes!(bundles::create))
        .routes(routes!(bundles::manifest))
        .routes(routes!(bundles::own_wrap))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::get, sessions::delete))
        .routes(routes!(sessions::bundle))
        .routes(routes!(sessions::set_project))
        .routes(routes!(projects::list, projects::create))
        .routes(routes!(projects::get, projects::delete))
        .routes(routes!(projects::members, projects::add_member))
        .routes(routes!(projects::remove_member))
        .routes(routes!(records::list, records::create))
        .routes(routes!(records::get, records::edit, records::delete))
        .routes(routes!(people::look_up))
        .routes(routes!(teams::list, teams::create))
        .routes(routes!(teams::get))
        .routes(routes!(teams::rosters, teams::publish))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(news::listen))
        .routes(routes!(handoffs::reserve))
        .routes(routes!(handoffs::list, handoffs::create))
        .routes(routes!(handoffs::get))
        .routes(routes!(handoffs::bundle))
        .routes(routes!(handoffs::claim))
        .routes(routes!(handoffs::revoke))
        .routes(routes!(handoffs::decline))
        .routes(routes!(handoffs::comments, handoffs::comment))
        .routes(routes!(handoffs::events))
        .routes(routes!(handoffs::recipient))
        .routes(routes!(handoffs::wrap))
        .routes(routes!(handoffs::invite_proof))
        .merge(pairings::routes())
        .layer(middleware::from_fn_with_state(times, timer::limit));
    // A pack may take as long as its bytes keep coming.
    quick
        .routes(routes!(packs::put, packs::patch, packs::head))
        .routes(routes!(packs::get))
        .routes(routes!(pairings::pack))
}

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    document::finished(routes(Times::default()).into_openapi())
}

/// The service: routes, and around them what every request goes through.
pub(crate) fn router(app: Arc<App>) -> Router {
    let times = Times { request: app.settings.request, body_idle: app.settings.body_idle };
    let (router, _) = routes(times).split_for_parts();
    router
        .merge(pages::routes())
        .method_not_allowed_fallback(problem::method_not_allowed)
        .fallback(async || Failure::not_found())
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard::identify))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), finish::finish))
        .with_state(app)
}
