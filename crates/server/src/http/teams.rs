//! Teams.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use segue_api::teams::{CreateTeam, ListRosters, ListTeams, PublishRoster, PublishedRoster, Rosters, Team, Teams};
use segue_domain::TeamId;

use super::ask::{Ask, Call, Id, Later, Wanted};
use crate::{app::App, failure::Failure, page::Page, teams};

/// Begins a team.
#[utoipa::path(post, path = "/api/v1/teams", request_body = CreateTeam, responses((status = 201, body = PublishedRoster), Failure))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    call: Call<CreateTeam>,
) -> Result<(StatusCode, Json<PublishedRoster>), Failure> {
    let created = teams::publish::create(&app, &call.principal, &call.body, &call.once).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// One page of one's teams, newest first.
#[utoipa::path(get, path = "/api/v1/teams", params(ListTeams), responses((status = 200, body = Teams), Failure))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    ask: Ask,
    Wanted(query): Wanted<ListTeams>,
) -> Result<Json<Teams>, Failure> {
    let page = Page::new(query.cursor.as_deref(), query.limit)?;
    teams::list(&app, ask.principal.user, &page).await.map(Json)
}

/// One of one's teams.
#[utoipa::path(
    get, path = "/api/v1/teams/{id}", params(("id" = String, Path)),
    responses((status = 200, body = Team), Failure)
)]
pub(super) async fn get(State(app): State<Arc<App>>, ask: Ask<Id<TeamId>>) -> Result<Json<Team>, Failure> {
    teams::see(&app, ask.principal.user, ask.ids.0).await.map(Json)
}

/// One page of a team's signed chain, oldest first.
#[utoipa::path(
    get, path = "/api/v1/teams/{id}/rosters", params(("id" = String, Path), ListRosters),
    responses((status = 200, body = Rosters), Failure)
)]
pub(super) async fn rosters(
    State(app): State<Arc<App>>,
    ask: Ask<Id<TeamId>>,
    Wanted(query): Wanted<ListRosters>,
) -> Result<Json<Rosters>, Failure> {
    teams::rosters(&app, ask.principal.user, ask.ids.0, query.after.unwrap_or(0)).await.map(Json)
}

/// Publishes a team's next roster.
#[utoipa::path(
    post, path = "/api/v1/teams/{id}/rosters", params(("id" = String, Path)), request_body = PublishRoster,
    responses((status = 200, body = PublishedRoster), Failure)
)]
pub(super) async fn publish(
    State(app): State<Arc<App>>,
    call: Call<PublishRoster, Later<TeamId>>,
) -> Result<Json<PublishedRoster>, Failure> {
    teams::publish::next(&app, &call.principal, call.ids.0, &call.body, &call.once).await.map(Json)
}
