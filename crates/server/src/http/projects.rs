//! Projects and their members.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use segue_api::projects::{AddMember, CreateProject, ListProjects, Member, Members, Project, Projects};
use segue_domain::{ProjectId, UserId};

use super::ask::{Ask, Call, Id, Wanted};
use crate::{app::App, failure::Failure, page::Page, projects};

/// One page of one's projects, newest first.
#[utoipa::path(get, path = "/api/v1/projects", params(ListProjects), responses((status = 200, body = Projects), Failure))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    ask: Ask,
    Wanted(query): Wanted<ListProjects>,
) -> Result<Json<Projects>, Failure> {
    let page = Page::new(query.cursor.as_deref(), query.limit)?;
    projects::list(&app, ask.principal.user, &page).await.map(Json)
}

/// Makes a project.
#[utoipa::path(post, path = "/api/v1/projects", request_body = CreateProject, responses((status = 201, body = Project), Failure))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    call: Call<CreateProject>,
) -> Result<(StatusCode, Json<Project>), Failure> {
    let project = projects::create(&app, &call.principal, &call.body, &call.once).await?;
    Ok((StatusCode::CREATED, Json(project)))
}

/// One of one's projects.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}", params(("id" = String, Path)),
    responses((status = 200, body = Project), Failure)
)]
pub(super) async fn get(State(app): State<Arc<App>>, ask: Ask<Id<ProjectId>>) -> Result<Json<Project>, Failure> {
    projects::get(&app, ask.principal.user, ask.ids.0).await.map(Json)
}

/// Deletes a project with its records; admins only.
#[utoipa::path(
    delete, path = "/api/v1/projects/{id}", params(("id" = String, Path)), responses((status = 204), Failure)
)]
pub(super) async fn delete(State(app): State<Arc<App>>, ask: Ask<Id<ProjectId>>) -> Result<StatusCode, Failure> {
    projects::delete(&app, ask.principal.user, ask.ids.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is in a project.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/members", params(("id" = String, Path)),
    responses((status = 200, body = Members), Failure)
)]
pub(super) async fn members(State(app): State<Arc<App>>, ask: Ask<Id<ProjectId>>) -> Result<Json<Members>, Failure> {
    projects::members(&app, ask.principal.user, ask.ids.0).await.map(Json)
}

/// Makes somebody a member, or changes a member's role; admins only.
#[utoipa::path(
    post, path = "/api/v1/projects/{id}/members", params(("id" = String, Path)), request_body = AddMember,
    responses((status = 200, body = Member), Failure)
)]
pub(super) async fn add_member(
    State(app): State<Arc<App>>,
    call: Call<AddMember, Id<ProjectId>>,
) -> Result<Json<Member>, Failure> {
    projects::add_member(&app, &call.principal, call.ids.0, &call.body, &call.once).await.map(Json)
}

/// Ends a membership: an admin anybody's, everybody their own.
#[utoipa::path(
    delete, path = "/api/v1/projects/{id}/members/{user_id}", params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 204), Failure)
)]
pub(super) async fn remove_member(
    State(app): State<Arc<App>>,
    ask: Ask<(ProjectId, UserId)>,
) -> Result<StatusCode, Failure> {
    let (project, person) = ask.ids;
    projects::remove_member(&app, &ask.principal, project, person).await?;
    Ok(StatusCode::NO_CONTENT)
}
