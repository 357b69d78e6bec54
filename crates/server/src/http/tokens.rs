//! Personal access tokens.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use segue_api::tokens::{CreateToken, ListTokens, Token, Tokens};
use segue_domain::TokenId;

use super::ask::{Ask, Call, Id, Wanted};
use crate::{app::App, failure::Failure, page::Page, tokens};

/// Makes a token. The device draws it.
#[utoipa::path(
    post, path = "/api/v1/tokens", request_body = CreateToken, responses((status = 201, body = Token), Failure)
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    call: Call<CreateToken>,
) -> Result<(StatusCode, Json<Token>), Failure> {
    let token = tokens::create(&app, &call.principal, &call.body, &call.once).await?;
    Ok((StatusCode::CREATED, Json(token)))
}

/// One page of one's tokens, newest first.
#[utoipa::path(get, path = "/api/v1/tokens", params(ListTokens), responses((status = 200, body = Tokens), Failure))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    ask: Ask,
    Wanted(query): Wanted<ListTokens>,
) -> Result<Json<Tokens>, Failure> {
    let page = Page::new(query.cursor.as_deref(), query.limit)?;
    tokens::list(&app, &ask.principal, &page).await.map(Json)
}

/// Ends a token at once.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", params(("id" = String, Path)), responses((status = 204), Failure)
)]
pub(super) async fn revoke(State(app): State<Arc<App>>, ask: Ask<Id<TokenId>>) -> Result<StatusCode, Failure> {
    tokens::revoke(&app, &ask.principal, ask.ids.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
