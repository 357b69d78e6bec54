//! Packs of sealed segments.

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, BodyDataStream},
    extract::{FromRequest, FromRequestParts as _, Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use data_encoding::HEXLOWER;
use segue_api::{PACK_SHA256, bundles::Pack};
use segue_domain::{BundleId, PackId, limits::PACK_BYTES_MAX};

use super::{
    ask::{Ask, Id, NoId},
    range::{self, Span},
};
use crate::{
    app::App,
    failure::Failure,
    principal::Principal,
    store,
    upload::{self, Announced, Stored},
};

/// An upload before its body is read: headers are checked before the id, as bodies are.
pub(super) struct Upload {
    principal: Principal,
    announced: Announced,
    body: BodyDataStream,
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        Ask::<NoId>::from_request_parts(&mut parts, state).await?;
        let (len, sha256) = (announced_len(&parts.headers)?, announced_hash(&parts.headers)?);
        let ask = Ask::<Id<PackId>>::from_request_parts(&mut parts, state).await?;
        let announced = Announced { id: ask.ids.0, sha256, len };
        Ok(Self { principal: ask.principal, announced, body: body.into_data_stream() })
    }
}

fn announced_len(headers: &HeaderMap) -> Result<u64, Failure> {
    let len = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match len {
        Some(1..=PACK_BYTES_MAX) => Ok(len.unwrap_or_default()),
        Some(0) | None => Err(Failure::invalid("A pack needs its content-length, at least 1.")),
        Some(_) => Err(Failure::too_large(PACK_BYTES_MAX)),
    }
}

fn announced_hash(headers: &HeaderMap) -> Result<[u8; 32], Failure> {
    let hash = headers.get(PACK_SHA256).and_then(|value| HEXLOWER.decode(value.as_bytes()).ok()?.try_into().ok());
    hash.ok_or_else(|| Failure::invalid(format!("A pack needs {PACK_SHA256}: 64 lower-case hexadecimal digits.")))
}

/// Stores a pack. Sending the same bytes again is fine; another person's id is as free as any.
#[utoipa::path(
    put, path = "/api/v1/packs/{id}",
    params(("id" = String, Path), ("x-segue-sha256" = String, Header), ("content-length" = u64, Header)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = Pack), (status = 200, body = Pack), Failure)
)]
pub(super) async fn put(State(app): State<Arc<App>>, upload: Upload) -> Result<(StatusCode, Json<Pack>), Failure> {
    match upload::store(&app, &upload.principal, &upload.announced, upload.body).await? {
        Stored::New(pack) => Ok((StatusCode::CREATED, Json(pack))),
        Stored::Again(pack) => Ok((StatusCode::OK, Json(pack))),
    }
}

/// A pack of a bundle that one holds, whole or one range of it.
#[utoipa::path(
    get, path = "/api/v1/bundles/{id}/packs/{pack_id}", params(("id" = String, Path), ("pack_id" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
        Failure
    )
)]
pub(super) async fn get(
    State(app): State<Arc<App>>,
    ask: Ask<(BundleId, PackId)>,
    headers: HeaderMap,
) -> Result<Response<Body>, Failure> {
    let (bundle, id) = ask.ids;
    let mut tx = app.db.read().await?;
    let pack = store::packs::find_listed(&mut tx, ask.principal.user, bundle, id).await?;
    // The connection goes back before the bytes are sent: a slow reader must not hold it.
    drop(tx);
    send(&app, &pack.ok_or_else(Failure::not_found)?, &headers).await
}

async fn send(app: &App, pack: &store::packs::Pack, headers: &HeaderMap) -> Result<Response<Body>, Failure> {
    let (status, first, last) = match range::span(headers, pack.len) {
        Span::Whole => (StatusCode::OK, 0, pack.len - 1),
        Span::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last),
        Span::Beyond => return Err(Failure::no_such_range(pack.len)),
    };
    let len = last - first + 1;
    let stream = app.packs.read(pack, first, len).await.map_err(anyhow::Error::from)?;
    let mut response = Response::new(Body::from_stream(stream));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, len.into());
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{last}/{}", pack.len);
        headers.insert(header::CONTENT_RANGE, HeaderValue::try_from(range).map_err(anyhow::Error::from)?);
    }
    Ok(response)
}
