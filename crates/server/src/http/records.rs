//! Records of projects.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use segue_api::projects::{EditRecord, ListProjects, NewRecord, Record, Records};
use segue_domain::{ProjectId, RecordKind, Reference};

use super::ask::{Ask, Call, Ids, Wanted, read_id};
use crate::{app::App, failure::Failure, page::Page, records};

/// A record in a path. A wiki page's slug is longer than ids are; the kind says how long.
#[derive(Debug)]
pub(super) struct Named(ProjectId, Reference);

impl Ids for Named {
    fn read(segments: &[&str]) -> Option<Self> {
        let [project, kind, name] = segments else { return None };
        Some(Self(read_id(project)?, Reference::new(read_id(kind)?, name).ok()?))
    }
}

/// One page of a project's records of one kind, newest first.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/records/{kind}", params(("id" = String, Path), ("kind" = String, Path), ListProjects),
    responses((status = 200, body = Records), Failure)
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    ask: Ask<(ProjectId, RecordKind)>,
    Wanted(query): Wanted<ListProjects>,
) -> Result<Json<Records>, Failure> {
    let page = Page::new(query.cursor.as_deref(), query.limit)?;
    let (project, kind) = ask.ids;
    records::list(&app, ask.principal.user, project, kind, &page).await.map(Json)
}

/// Makes a record.
#[utoipa::path(
    post, path = "/api/v1/projects/{id}/records/{kind}", params(("id" = String, Path), ("kind" = String, Path)),
    request_body = NewRecord, responses((status = 201, body = Record), Failure)
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    call: Call<NewRecord, (ProjectId, RecordKind)>,
) -> Result<(StatusCode, Json<Record>), Failure> {
    let (project, kind) = call.ids;
    let made = records::create(&app, &call.principal, project, kind, &call.body, &call.once).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// One record.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/records/{kind}/{ref_id}",
    params(("id" = String, Path), ("kind" = String, Path), ("ref_id" = String, Path)),
    responses((status = 200, body = Record), Failure)
)]
pub(super) async fn get(State(app): State<Arc<App>>, ask: Ask<Named>) -> Result<Json<Record>, Failure> {
    let Named(project, reference) = &ask.ids;
    records::get(&app, ask.principal.user, *project, reference).await.map(Json)
}

/// Changes a record that is still as it was when it was read.
#[utoipa::path(
    put, path = "/api/v1/projects/{id}/records/{kind}/{ref_id}",
    params(("id" = String, Path), ("kind" = String, Path), ("ref_id" = String, Path)),
    request_body = EditRecord, responses((status = 200, body = Record), Failure)
)]
pub(super) async fn edit(State(app): State<Arc<App>>, call: Call<EditRecord, Named>) -> Result<Json<Record>, Failure> {
    let Named(project, reference) = &call.ids;
    records::edit(&app, call.principal.user, *project, reference, &call.body).await.map(Json)
}

/// Deletes a record.
#[utoipa::path(
    delete, path = "/api/v1/projects/{id}/records/{kind}/{ref_id}",
    params(("id" = String, Path), ("kind" = String, Path), ("ref_id" = String, Path)), responses((status = 204), Failure)
)]
pub(super) async fn delete(State(app): State<Arc<App>>, ask: Ask<Named>) -> Result<StatusCode, Failure> {
    let Named(project, reference) = &ask.ids;
    records::delete(&app, ask.principal.user, *project, reference).await?;
    Ok(StatusCode::NO_CONTENT)
}
