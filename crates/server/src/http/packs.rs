//! Packs of sealed segments.

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, BodyDataStream},
    extract::{FromRequest, FromRequestParts as _, Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use data_encoding::HEXLOWER;
use segue_api::{PACK_SHA256, UPLOAD_OFFSET, bundles::Pack};
use segue_domain::{BundleId, PackId, limits::PACK_BYTES_MAX};

use super::{
    ask::{Ask, Id, NoId},
    problem::progress,
    range::{self, Span},
};
use crate::{
    app::App,
    failure::Failure,
    principal::Principal,
    store,
    upload::{self, Announced, Progress, Stored},
};

/// An upload before its body is read: headers are checked before the id, as bodies are.
struct Upload {
    principal: Principal,
    announced: Announced,
    body: BodyDataStream,
}

/// An upload from its first byte on.
pub(super) struct Whole(Upload);

/// The rest of an upload.
pub(super) struct Rest(Upload);

impl Upload {
    async fn read<S: Send + Sync>(request: Request, state: &S, rest: bool) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        Ask::<NoId>::from_request_parts(&mut parts, state).await?;
        let offset = if rest { Some(offset(&parts.headers)?) } else { None };
        let (len, sha256) = (announced_len(&parts.headers, offset)?, announced_hash(&parts.headers)?);
        let ask = Ask::<Id<PackId>>::from_request_parts(&mut parts, state).await?;
        let announced = Announced { id: ask.ids.0, offset, sha256, len };
        Ok(Self { principal: ask.principal, announced, body: body.into_data_stream() })
    }

    async fn store(self, app: &App) -> Result<(StatusCode, Json<Pack>), Failure> {
        match upload::store(app, &self.principal, &self.announced, self.body).await? {
            Stored::New(pack) => Ok((StatusCode::CREATED, Json(pack))),
            Stored::Again(pack) => Ok((StatusCode::OK, Json(pack))),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        Upload::read(request, state, false).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for Rest {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        Upload::read(request, state, true).await.map(Self)
    }
}

fn offset(headers: &HeaderMap) -> Result<u64, Failure> {
    let offset = headers.get(UPLOAD_OFFSET).and_then(|value| value.to_str().ok()?.parse().ok());
    offset
        .filter(|offset| *offset <= PACK_BYTES_MAX)
        .ok_or_else(|| Failure::invalid(format!("{UPLOAD_OFFSET} says how many bytes were sent before.")))
}

/// Bytes of the whole pack; none when the client does not know them yet.
fn announced_len(headers: &HeaderMap, offset: Option<u64>) -> Result<Option<u64>, Failure> {
    let Some(value) = headers.get(header::CONTENT_LENGTH) else { return Ok(None) };
    let len: Option<u64> = value.to_str().ok().and_then(|text| text.parse().ok());
    match len.map(|len| len.saturating_add(offset.unwrap_or_default())) {
        Some(0) | None => Err(Failure::invalid("A pack has at least one byte.")),
        len @ Some(1..=PACK_BYTES_MAX) => Ok(len),
        Some(_) => Err(Failure::pack_too_large()),
    }
}

fn announced_hash(headers: &HeaderMap) -> Result<Option<[u8; 32]>, Failure> {
    let Some(value) = headers.get(PACK_SHA256) else { return Ok(None) };
    let hash = HEXLOWER.decode(value.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
    hash.map(Some).ok_or_else(|| Failure::invalid(format!("{PACK_SHA256} is 64 lower-case hexadecimal digits.")))
}

/// Stores a pack. Sending the same bytes again is fine; another person's id is as free as any. What came of a body that is
/// cut waits a day for its rest.
#[utoipa::path(
    put, path = "/api/v1/packs/{id}",
    params(("id" = String, Path), ("x-segue-sha256" = Option<String>, Header), ("content-length" = Option<u64>, Header)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = Pack), (status = 200, body = Pack), Failure)
)]
pub(super) async fn put(State(app): State<Arc<App>>, upload: Whole) -> Result<(StatusCode, Json<Pack>), Failure> {
    upload.0.store(&app).await
}

/// Sends the rest of a pack.
#[utoipa::path(
    patch, path = "/api/v1/packs/{id}",
    params(
        ("id" = String, Path), ("upload-offset" = u64, Header), ("x-segue-sha256" = Option<String>, Header),
        ("content-length" = Option<u64>, Header)
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = Pack), (status = 200, body = Pack), Failure)
)]
pub(super) async fn patch(State(app): State<Arc<App>>, upload: Rest) -> Result<(StatusCode, Json<Pack>), Failure> {
    upload.0.store(&app).await
}

/// How far one's upload of a pack is. A request that still sends it is ended.
#[utoipa::path(
    head, path = "/api/v1/packs/{id}", params(("id" = String, Path)),
    responses(
        (status = 204, headers(("upload-offset" = u64), ("upload-complete" = String), ("x-segue-sha256" = Option<String>))),
        Failure
    )
)]
pub(super) async fn head(State(app): State<Arc<App>>, ask: Ask<Id<PackId>>) -> Result<Response<Body>, Failure> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    match upload::progress(&app, &ask.principal, ask.ids.0).await? {
        Progress::Partial(offset) => progress(headers, offset, false),
        Progress::Complete(pack) => {
            progress(headers, pack.len, true);
            let hash = HeaderValue::try_from(HEXLOWER.encode(&pack.sha256)).map_err(anyhow::Error::from)?;
            headers.insert(PACK_SHA256, hash);
        }
    }
    Ok(response)
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

/// A pack's bytes, or the range of them that was asked for.
pub(super) async fn send(app: &App, pack: &store::packs::Pack, headers: &HeaderMap) -> Result<Response<Body>, Failure> {
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
