//! What a request passes before its handler: who asks, and how often.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use data_encoding::BASE64URL_NOPAD;
use segue_api::{Code, devices::DEVICE_EVENTS, tokens::TOKEN_PREFIX};
use segue_signed::sha256;

use crate::{
    answering::Crowded,
    app::App,
    failure::Failure,
    listen::Peer,
    principal::Principal,
    store::{devices, tokens},
};

/// Refusals that old keys may be the reason for.
const REFUSED: [StatusCode; 3] = [StatusCode::CONFLICT, StatusCode::GONE, StatusCode::UNPROCESSABLE_ENTITY];

/// SHA-256 of the token that a request came with, once it was found to be somebody's.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenHash(pub(super) [u8; 32]);

/// Looks up whose token came, counts the request, and passes the principal on. The lookup is made for each request, so a
/// revoked device is out at once (SPEC A3).
pub(super) async fn identify(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0.0.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    if request.extensions().get::<Crowded>().is_some() {
        let title = "This address has as many requests open as one may.";
        return Failure::later(Code::RateLimited, title, 1).into_response();
    }
    let found = match find(&app, request.headers()).await {
        Ok(found) => found,
        Err(failure) => return failure.into_response(),
    };
    if let Err(failure) = app.rates.count(found.as_ref().map(|(principal, _)| principal), peer) {
        return failure.into_response();
    }
    let Some((principal, token)) = found else { return next.run(request).await };
    let events = principal.device_id().map(|_| HeaderValue::from(principal.device_events));
    request.extensions_mut().insert(token);
    request.extensions_mut().insert(principal);
    let mut response = next.run(request).await;
    // What is not there, or not for this asker, looks the same to everybody.
    let says = response.status().is_success() || REFUSED.contains(&response.status());
    if let Some(events) = events.filter(|_| says) {
        response.headers_mut().insert(DEVICE_EVENTS, events);
    }
    response
}

async fn find(app: &App, headers: &HeaderMap) -> Result<Option<(Principal, TokenHash)>, Failure> {
    let Some((kind, token)) = bearer(headers) else { return Ok(None) };
    let (mut tx, hash) = (app.db.read().await?, sha256(&token));
    let principal = match kind {
        Kind::Device => devices::find_by_token(&mut tx, &hash).await?,
        Kind::Personal => tokens::find_principal(&mut tx, &hash, app.clock.now()).await?,
    };
    Ok(principal.map(|principal| (principal, TokenHash(hash))))
}

/// Whose token it is.
enum Kind {
    Device,
    Personal,
}

/// The token of `Authorization: Bearer <base64url of 32 bytes>`, with [`TOKEN_PREFIX`] before a personal access token.
fn bearer(headers: &HeaderMap) -> Option<(Kind, [u8; 32])> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let (kind, token) = token.strip_prefix(TOKEN_PREFIX).map_or((Kind::Device, token), |rest| (Kind::Personal, rest));
    let token = BASE64URL_NOPAD.decode(token.as_bytes()).ok().filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
    Some((kind, token.try_into().ok()?))
}
