//! Finding people.

use std::sync::Arc;

use axum::{Json, extract::State};
use segue_api::{handoffs::RecipientKey, people::LookUp};

use super::ask::Call;
use crate::{app::App, failure::Failure, people};

/// Who has a verified address. Changes nothing.
#[utoipa::path(post, path = "/api/v1/people/lookup", request_body = LookUp, responses((status = 200, body = RecipientKey), Failure))]
pub(super) async fn look_up(State(app): State<Arc<App>>, call: Call<LookUp>) -> Result<Json<RecipientKey>, Failure> {
    people::look_up(&app, &call.principal, &call.body).await.map(Json)
}
