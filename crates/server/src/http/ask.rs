//! How requests are read. In this order, so that an answer depends on syntax and principal and never on existence
//! (`docs/protocol.md` §5, Existence): who asks, then the body, then the ids in the path. A malformed or over-long id is the one 404,
//! before any SQL.

use std::str::FromStr;

use axum::{
    extract::{FromRequest, FromRequestParts, MatchedPath, Query, RawPathParams, Request},
    http::{HeaderMap, request::Parts},
};
use segue_api::{Code, IDEMPOTENCY_KEY};
use segue_domain::limits::{ID_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX};
use segue_signed::{lv::lv_cat, sha256};
use serde::de::DeserializeOwned;

use super::{
    body::{self, Payload},
    scopes,
};
use crate::{
    failure::Failure,
    once::{Key, Once},
    principal::Principal,
};

/// Ids in a path.
pub(super) trait Ids: Sized + Send {
    /// Reads them in the path's order; `None` when one is not an id.
    fn read(segments: &[&str]) -> Option<Self>;
}

/// A path without ids.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoId;

impl Ids for NoId {
    fn read(_: &[&str]) -> Option<Self> {
        Some(Self)
    }
}

/// One id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id<T>(pub(super) T);

impl<T: FromStr + Send> Ids for Id<T> {
    fn read(segments: &[&str]) -> Option<Self> {
        let [segment] = segments else { return None };
        read_id(segment).map(Self)
    }
}

/// One id that is judged after what the body says, for routes that check it beyond its form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Later<T>(pub(super) Option<T>);

impl<T: FromStr + Send> Ids for Later<T> {
    fn read(segments: &[&str]) -> Option<Self> {
        Some(Self(Id::read(segments).map(|id| id.0)))
    }
}

impl<T: FromStr + Send, U: FromStr + Send> Ids for (T, U) {
    fn read(segments: &[&str]) -> Option<Self> {
        let [first, second] = segments else { return None };
        Some((read_id(first)?, read_id(second)?))
    }
}

pub(super) fn read_id<T: FromStr>(segment: &str) -> Option<T> {
    if segment.len() > ID_BYTES_MAX { None } else { segment.parse().ok() }
}

pub(super) async fn ids<I: Ids>(parts: &mut Parts) -> Result<I, Failure> {
    // What is not UTF-8 is no id either.
    let params = RawPathParams::from_request_parts(parts, &()).await.ok();
    let segments: Vec<_> = params.iter().flatten().map(|(_, value)| value).collect();
    I::read(&segments).ok_or_else(Failure::not_found)
}

fn principal(parts: &Parts) -> Result<Principal, Failure> {
    let principal = parts.extensions.get::<Principal>().cloned().ok_or_else(|| {
        Failure::new(Code::NotSignedIn, "No valid device token came with the request.")
            .or("Send `Authorization: Bearer TOKEN`, or join: segue join LINK.")
    })?;
    scopes::check(&principal, &parts.method, &route(parts))?;
    Ok(principal)
}

/// The route as it is documented.
fn route(parts: &Parts) -> String {
    parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default()
}

/// A request without a body, by somebody who is signed in.
#[derive(Debug)]
pub(super) struct Ask<I = NoId> {
    /// Who asks.
    pub(super) principal: Principal,
    /// What for.
    pub(super) ids: I,
}

impl<S: Send + Sync, I: Ids> FromRequestParts<S> for Ask<I> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self { principal: principal(parts)?, ids: ids(parts).await? })
    }
}

/// A request with a body, by somebody who is signed in.
#[derive(Debug)]
pub(super) struct Call<B, I = NoId> {
    /// Who asks.
    pub(super) principal: Principal,
    /// What for.
    pub(super) ids: I,
    /// What.
    pub(super) body: B,
    /// What makes its repeat give the first answer.
    pub(super) once: Once,
}

impl<S: Send + Sync, B: Payload, I: Ids> FromRequest<S> for Call<B, I> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let principal = principal(&parts)?;
        let key = idempotency_key(&parts.headers)?;
        let body = body::read::<B>(&parts, body).await?;
        let keyed = key.is_some();
        let (body, hash) =
            body.with(move |bytes| Ok((B::understand(&bytes)?, if keyed { sha256(&bytes) } else { [0; 32] }))).await?;
        let ids = ids(&mut parts).await?;
        let route = route(&parts);
        let request_hash = sha256(&lv_cat(&[parts.method.as_str().as_bytes(), parts.uri.path().as_bytes(), &hash]));
        let once = Once { user: principal.user, key: key.map(|text| Key { text, request_hash }), route };
        Ok(Self { principal, ids, body, once })
    }
}

/// A JSON body from anybody.
#[derive(Debug)]
pub(super) struct Open<B>(pub(super) B);

impl<S: Send + Sync, B: DeserializeOwned + Send + 'static> FromRequest<S> for Open<B> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        body::read::<B>(&parts, body).await?.with(|bytes| B::understand(&bytes)).await.map(Self)
    }
}

/// A query that must be understood whole.
#[derive(Debug)]
pub(super) struct Wanted<Q>(pub(super) Q);

impl<S: Send + Sync, Q: DeserializeOwned> FromRequestParts<S> for Wanted<Q> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = Query::<Q>::from_request_parts(parts, state).await;
        query
            .map(|query| Self(query.0))
            .map_err(|error| Failure::invalid("The query is not what this route takes.").or(error.body_text()))
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()));
    key.map(|key| Some(key.to_owned())).ok_or_else(|| {
        Failure::invalid(format!("{IDEMPOTENCY_KEY} has 1 to {IDEMPOTENCY_KEY_BYTES_MAX} printable characters."))
    })
}
