//! Pairing two devices. A source asks with its device's token; a destination with the token that it drew for its lease, whether it
//! is signed in or not.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, request::Parts},
    response::{
        IntoResponse,
        sse::{KeepAlive, Sse},
    },
};
use data_encoding::BASE64URL_NOPAD;
use segue_api::{
    Code,
    account::Account,
    bundles::Bundle,
    pairings::{
        AcknowledgeView, AnswerPairing, FETCH_TOKEN, IssuePairing, LeasePairing, Leased, LinkDevice, Nothing,
        PAIRING_TOKEN, Pairing, RefuseAnswer, ReleaseView, ReturnToSource, RevokePairing,
    },
};
use segue_domain::{PackId, PairingId};
use segue_signed::sha256;
use serde::de::DeserializeOwned;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    ask::{Ask, Call, Id, Ids, NoId, ids},
    body::{self, Payload as _},
    guard::TokenHash,
    packs,
};
use crate::{
    answering::HangUp,
    app::App,
    failure::Failure,
    listen::Peer,
    pairings::{self, Side},
    parcel::Sent,
    principal::Principal,
};

/// All of them but the packs of a bundle, which take as long as their bytes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(issue))
        .routes(routes!(lease))
        .routes(routes!(get))
        .routes(routes!(live))
        .routes(routes!(answer))
        .routes(routes!(refuse))
        .routes(routes!(claim))
        .routes(routes!(acknowledge))
        .routes(routes!(link_device))
        .routes(routes!(complete))
        .routes(routes!(send_back))
        .routes(routes!(received))
        .routes(routes!(revoke))
        .routes(routes!(take_back))
        .routes(routes!(put_bundle, bundle))
        .routes(routes!(manifest))
}

/// 32 bytes of a header.
fn token(headers: &HeaderMap, name: &str) -> Option<[u8; 32]> {
    let value = headers.get(name)?;
    BASE64URL_NOPAD.decode(value.as_bytes()).ok()?.try_into().ok()
}

fn destination(headers: &HeaderMap) -> Result<[u8; 32], Failure> {
    token(headers, PAIRING_TOKEN).ok_or_else(|| {
        Failure::new(Code::NotSignedIn, "No pairing token came with the request.")
            .or(format!("Draw 32 bytes and send them as `{PAIRING_TOKEN}`, base64url."))
    })
}

/// A request of a destination.
pub(super) struct Held<B, I = NoId> {
    token: [u8; 32],
    ids: I,
    body: B,
}

impl<S: Send + Sync, B: DeserializeOwned + Send + 'static, I: Ids> FromRequest<S> for Held<B, I> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let token = destination(request.headers())?;
        let (mut parts, body) = request.into_parts();
        let body = body::read::<B>(&parts, body).await?.with(|bytes| B::understand(&bytes)).await?;
        Ok(Self { token, ids: ids(&mut parts).await?, body })
    }
}

/// Who looks at a pairing: its account, or who had a lease of it.
pub(super) struct Looking {
    side: Side,
    bearer: Option<[u8; 32]>,
    id: PairingId,
}

impl<S: Send + Sync> FromRequestParts<S> for Looking {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        if let Some(token) = token(&parts.headers, PAIRING_TOKEN) {
            return Ok(Self {
                side: Side::Destination(sha256(&token)),
                bearer: None,
                id: ids::<Id<_>>(parts).await?.0,
            });
        }
        let ask = Ask::<Id<PairingId>>::from_request_parts(parts, state).await?;
        let bearer = parts.extensions.get::<TokenHash>().map(|hash| hash.0);
        Ok(Self { side: Side::of(&ask.principal), bearer, id: ask.ids.0 })
    }
}

/// A request that reads the bundle of a pairing.
pub(super) struct Fetch<I> {
    token: [u8; 32],
    ids: I,
}

impl<S: Send + Sync, I: Ids> FromRequestParts<S> for Fetch<I> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let token = token(&parts.headers, FETCH_TOKEN).ok_or_else(|| {
            Failure::new(Code::NotSignedIn, "No fetch token came with the request.")
                .or(format!("It came in the view: send it as `{FETCH_TOKEN}`, base64url."))
        })?;
        Ok(Self { token, ids: ids(parts).await? })
    }
}

/// Shows a code: the device that asks is the source. An offer that it shows for the same chat is superseded.
#[utoipa::path(post, path = "/api/v1/pairings", request_body = IssuePairing, responses((status = 201, body = Pairing), Failure))]
pub(super) async fn issue(
    State(app): State<Arc<App>>,
    call: Call<IssuePairing>,
) -> Result<(StatusCode, Json<Pairing>), Failure> {
    Ok((StatusCode::CREATED, Json(pairings::issue(&app, &call.principal, &call.body).await?)))
}

/// Takes a lease on the code with this nameplate. One destination at a time; the source's own account goes first.
#[utoipa::path(
    post, path = "/api/v1/pairings/lease", security(("pairing_token" = [])), request_body = LeasePairing,
    responses((status = 200, body = Leased), Failure)
)]
pub(super) async fn lease(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    principal: Option<Extension<Principal>>,
    held: Held<LeasePairing>,
) -> Result<Json<Leased>, Failure> {
    let principal = principal.map(|extension| extension.0);
    app.rates.count_lease(principal.as_ref(), peer.0.ip())?;
    pairings::lease(&app, principal.as_ref(), &held.token, &held.body).await.map(Json)
}

/// How a pairing stands.
#[utoipa::path(
    get, path = "/api/v1/pairings/{id}", params(("id" = String, Path)),
    responses((status = 200, body = Pairing), Failure)
)]
pub(super) async fn get(State(app): State<Arc<App>>, looking: Looking) -> Result<Json<Pairing>, Failure> {
    pairings::see(&app, looking.id, &looking.side).await.map(Json)
}

/// Streams how a pairing stands, now and after each change, as events `pairing`.
#[utoipa::path(
    get, path = "/api/v1/pairings/{id}/live", params(("id" = String, Path)),
    responses((status = 200, body = Pairing, content_type = "text/event-stream"), Failure)
)]
pub(super) async fn live(
    State(app): State<Arc<App>>,
    looking: Looking,
    Extension(HangUp(hang_up)): Extension<HangUp>,
) -> Result<impl IntoResponse, Failure> {
    let heartbeat = app.settings.news.heartbeat;
    let events = pairings::listen(app, looking.id, looking.side, looking.bearer, hang_up).await?;
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(([unbuffered], Sse::new(events).keep_alive(KeepAlive::new().interval(heartbeat))))
}

/// Answers the offer. The holder of the lease only, once.
#[utoipa::path(
    post, path = "/api/v1/pairings/{id}/answer", security(("pairing_token" = [])), request_body = AnswerPairing,
    params(("id" = String, Path)), responses((status = 200, body = Pairing), Failure)
)]
pub(super) async fn answer(
    State(app): State<Arc<App>>,
    held: Held<AnswerPairing, Id<PairingId>>,
) -> Result<Json<Pairing>, Failure> {
    pairings::answer(&app, &held.token, held.ids.0, &held.body).await.map(Json)
}

/// Refuses the answer that waits: a wrong guess. Its source only.
#[utoipa::path(
    post, path = "/api/v1/pairings/{id}/refuse", params(("id" = String, Path)), request_body = RefuseAnswer,
    responses((status = 200, body = Pairing), Failure)
)]
pub(super) async fn refuse(
    State(app): State<Arc<App>>,
    call: Call<RefuseAnswer, Id<PairingId>>,
) -> Result<Json<Pairing>, Failure> {
    pairings::refuse(&app, &call.principal, call.ids.0, &call.body).await.map(Json)
}

/// Releases the view to who answered, which claims. Its source only; the same release again is the same claim.
#[utoipa::path(
    post, path = "/api/v1/pairings/{id}/claim", params(("id" = String, Path)), request_body = ReleaseView,
    responses((status = 200, body = Pairing), Failure)
)]
pub(super) async fn claim(
    State(app): State<Arc<App>>,
    call: Call<ReleaseView, Id<PairingId>>,
) -> Result<Json<Pairing>, Failure> {
    pairings::claim(&app, &call.principal, call.ids.0, &call.body).await.map(Json)
}

/// Becomes a device of the account that the pairing links to. The claimer only, once.
#[utoipa::path(
    post, path = "/api/v1/pairings/{id}/device", security(("pairing_token" = [])), request_body = LinkDevice,
    params(("id" = String, Path)), responses((status = 200, body = Account), Failure)
)]
pub(super) async fn link_device(
    State(app): State<Arc<App>>,
    held: Held<LinkDevice, Id<PairingId>>,
) -> Result<Json<Account>, Failure> {
    pairings::link(&app, &held.token, held.ids.0, &held.body).await.map(Json)
}

/// Acknowledges the view, which is deleted then. The claimer only.
#[utoipa::path(
    post, path = "/api/v1/pairings/{id}/acknowledge", security(("pairing_token" = [])), request_body = AcknowledgeView,
    params(("id" = String, Path)), responses((status = 200, body = Pairing), Failure)
)]
pub(super) async fn acknowledge(
    State(app): State<Arc<App>>,
    held: Held<AcknowledgeView, Id<PairingId>>,
) -> Result<Json<Pairing>, Failure> {
    pairings::acknowledge(&app, &held.token, held.ids.0, &held.body).await.map(Json)
}

/// Says that everything has arrived. The claimer only; the bundle is deleted then.
#[utoipa::path(
    post, path = "/api/v1/pairings/{id}/complete", security(("pairing_token" = [])), request_body = Nothing,
    params(("id" = String, Path)), responses((status = 200, body = Pairing), Failure)
)]
pub(super) async fn complete(
    State(app): State<Arc<App>>,
    held: Held<Nothing, Id<PairingId>>,
) -> Result<Json<Pairing>, Failure> {
    pairings::complete(&app, &held.token, held.ids.0).await.map(Json)
}

/// Sends something back to the source, once. The claimer only.
#[utoipa::path(
    post, path = "/api/v1/pairings/{id}/return", security(("pairing_token" = [])), request_body = ReturnToSource,
    params(("id" = String, Path)), responses((status = 200, body = Pairing), Failure)
)]
pub(super) async fn send_back(
    State(app): State<Arc<App>>,
    held: Held<ReturnToSource, Id<PairingId>>,
) -> Result<Json<Pairing>, Failure> {
    pairings::send_back(&app, &held.token, held.ids.0, &held.body).await.map(Json)
}

/// Says that what was sent back has arrived. Its source only.
#[utoipa::path(
    post, path = "/api/v1/pairings/{id}/received", params(("id" = String, Path)), request_body = Nothing,
    responses((status = 200, body = Pairing), Failure)
)]
pub(super) async fn received(
    State(app): State<Arc<App>>,
    call: Call<Nothing, Id<PairingId>>,
) -> Result<Json<Pairing>, Failure> {
    pairings::receive(&app, &call.principal, call.ids.0).await.map(Json)
}

/// Ends a pairing that nobody has claimed. Any device of its account.
#[utoipa::path(
    post, path = "/api/v1/pairings/{id}/revoke", params(("id" = String, Path)), request_body = RevokePairing,
    responses((status = 200, body = Pairing), Failure)
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    call: Call<RevokePairing, Id<PairingId>>,
) -> Result<Json<Pairing>, Failure> {
    pairings::revoke(&app, &call.principal, call.ids.0, &call.body).await.map(Json)
}

/// Takes the chat back after the claim: what the claimer may still fetch ends. Any device of its account.
#[utoipa::path(
    post, path = "/api/v1/pairings/{id}/take-back", params(("id" = String, Path)), request_body = Nothing,
    responses((status = 200, body = Pairing), Failure)
)]
pub(super) async fn take_back(
    State(app): State<Arc<App>>,
    call: Call<Nothing, Id<PairingId>>,
) -> Result<Json<Pairing>, Failure> {
    pairings::take_back(&app, &call.principal, call.ids.0).await.map(Json)
}

/// Stores the bundle that follows the view. Its source only, after the claim; the first stays.
#[utoipa::path(
    put, path = "/api/v1/pairings/{id}/bundle", params(("id" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/vnd.segue.parcel"),
    responses((status = 200, body = Pairing), Failure)
)]
pub(super) async fn put_bundle(
    State(app): State<Arc<App>>,
    call: Call<Sent, Id<PairingId>>,
) -> Result<Json<Pairing>, Failure> {
    pairings::put(&app, &call.principal, call.ids.0, call.body).await.map(Json)
}

/// What one needs to begin to open the bundle that follows a view.
#[utoipa::path(
    get, path = "/api/v1/pairings/{id}/bundle", security(("fetch_token" = [])),
    params(("id" = String, Path)), responses((status = 200, body = Bundle), Failure)
)]
pub(super) async fn bundle(State(app): State<Arc<App>>, fetch: Fetch<Id<PairingId>>) -> Result<Json<Bundle>, Failure> {
    pairings::fetch(&app, fetch.ids.0, &fetch.token).await.map(Json)
}

/// Its sealed manifest.
#[utoipa::path(
    get, path = "/api/v1/pairings/{id}/bundle/manifest", security(("fetch_token" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), Failure)
)]
pub(super) async fn manifest(
    State(app): State<Arc<App>>,
    fetch: Fetch<Id<PairingId>>,
) -> Result<impl IntoResponse, Failure> {
    let manifest = pairings::manifest(&app, fetch.ids.0, &fetch.token).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], manifest))
}

/// One of its packs, or a range of it.
#[utoipa::path(
    get, path = "/api/v1/pairings/{id}/bundle/packs/{pack_id}", security(("fetch_token" = [])),
    params(("id" = String, Path), ("pack_id" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
        Failure
    )
)]
pub(super) async fn pack(
    State(app): State<Arc<App>>,
    fetch: Fetch<(PairingId, PackId)>,
    headers: HeaderMap,
) -> Result<Response<Body>, Failure> {
    let pack = pairings::pack(&app, fetch.ids.0, &fetch.token, fetch.ids.1).await?;
    packs::send(&app, &pack, &headers).await
}
