//! Sessions that one has pushed or claimed.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use segue_api::{
    bundles::Bundle,
    sessions::{ListSessions, Session, Sessions, SetProject},
};
use segue_domain::SessionId;

use super::ask::{Ask, Call, Id, Wanted};
use crate::{answers, app::App, failure::Failure, page::Page, projects, snapshot, store};

/// One page of one's sessions, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", params(ListSessions), responses((status = 200, body = Sessions), Failure))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    ask: Ask,
    Wanted(query): Wanted<ListSessions>,
) -> Result<Json<Sessions>, Failure> {
    let page = Page::new(query.cursor.as_deref(), query.limit)?;
    let mut rows = store::sessions::list(&mut app.db.read().await?, ask.principal.user, &page).await?;
    let next = page.cut(&mut rows, answers::session_cursor);
    let sessions = rows.iter().map(answers::session).collect::<Result<_, _>>()?;
    Ok(Json(Sessions { sessions, next }))
}

/// One of one's sessions.
#[utoipa::path(
    get, path = "/api/v1/sessions/{id}", params(("id" = String, Path)),
    responses((status = 200, body = Session), Failure)
)]
pub(super) async fn get(State(app): State<Arc<App>>, ask: Ask<Id<SessionId>>) -> Result<Json<Session>, Failure> {
    let row = store::sessions::find(&mut app.db.read().await?, ask.principal.user, ask.ids.0).await?;
    answers::session(&row.ok_or_else(Failure::not_found)?).map(Json)
}

/// Deletes a session. What was handed over stays with whom it was given to.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{id}", params(("id" = String, Path)), responses((status = 204), Failure)
)]
pub(super) async fn delete(State(app): State<Arc<App>>, ask: Ask<Id<SessionId>>) -> Result<StatusCode, Failure> {
    snapshot::delete(&app, &ask.principal, ask.ids.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What one needs to begin to open a session.
#[utoipa::path(
    get, path = "/api/v1/sessions/{id}/bundle", params(("id" = String, Path)),
    responses((status = 200, body = Bundle), Failure)
)]
pub(super) async fn bundle(State(app): State<Arc<App>>, ask: Ask<Id<SessionId>>) -> Result<Json<Bundle>, Failure> {
    snapshot::open(&app, &ask.principal, ask.ids.0).await.map(Json)
}

/// Puts a session into a project that one is a member of, or takes it out.
#[utoipa::path(
    put, path = "/api/v1/sessions/{id}/project", params(("id" = String, Path)), request_body = SetProject,
    responses((status = 204), Failure)
)]
pub(super) async fn set_project(
    State(app): State<Arc<App>>,
    call: Call<SetProject, Id<SessionId>>,
) -> Result<StatusCode, Failure> {
    projects::set_project(&app, &call.principal, call.ids.0, &call.body).await?;
    Ok(StatusCode::NO_CONTENT)
}
