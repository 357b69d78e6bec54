//! Failures as problem documents (RFC 9457).

use std::{any::Any, collections::BTreeMap, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use segue_api::{Code, Problem, UPLOAD_COMPLETE, UPLOAD_OFFSET};
use utoipa::{
    IntoResponses,
    openapi::{Content, Ref, RefOr, ResponseBuilder, response::Response as Documented},
};

use crate::failure::Failure;

const MEDIA_TYPE: &str = "application/problem+json";

/// Why the server failed, on its way from the handler to the log. The answer never has it.
#[derive(Debug, Clone)]
pub(super) struct Reason(pub(super) Arc<anyhow::Error>);

impl IntoResponse for Failure {
    fn into_response(self) -> Response<Body> {
        match self {
            Self::Refused(refusal) => {
                let mut response = answer(&refusal.problem());
                if let Some(seconds) = refusal.retry_after_seconds {
                    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                }
                if let Some((offset, complete)) = refusal.upload {
                    progress(response.headers_mut(), offset, complete);
                }
                if refusal.code == Code::NotSignedIn {
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                }
                response
            }
            Self::Internal(error) => {
                let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
                response.extensions_mut().insert(Reason(Arc::new(error)));
                response
            }
        }
    }
}

/// Says how far an upload is.
pub(super) fn progress(headers: &mut HeaderMap, offset: u64, complete: bool) {
    headers.insert(UPLOAD_OFFSET, offset.into());
    headers.insert(UPLOAD_COMPLETE, HeaderValue::from_static(if complete { "?1" } else { "?0" }));
}

/// A problem document as a response.
pub(super) fn answer(problem: &Problem) -> Response<Body> {
    // A struct of numbers and text always has a JSON form.
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

/// The constant answer to everything that is the server's fault.
pub(super) fn internal(request_id: &str) -> Response<Body> {
    answer(&Problem {
        status: 500,
        code: Code::Internal,
        title: "The server failed.".to_owned(),
        detail: "Try again; if it stays, tell whoever runs this server the request id.".to_owned(),
        request_id: Some(request_id.to_owned()),
    })
}

/// The answer to a known path with another method.
pub(super) async fn method_not_allowed() -> Failure {
    Failure::new(Code::MethodNotAllowed, "This path does not take this method.")
}

/// One bad request must not stop the server.
#[expect(clippy::needless_pass_by_value, reason = "the shape that the layer asks for")]
pub(super) fn panicked(cause: Box<dyn Any + Send>) -> Response<Body> {
    let text = cause.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_default();
    Failure::Internal(anyhow::anyhow!("a handler panicked: {text}")).into_response()
}

impl IntoResponses for Failure {
    fn responses() -> BTreeMap<String, RefOr<Documented>> {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let problem =
            ResponseBuilder::new().description("What failed, in one stable word.").content(MEDIA_TYPE, content);
        BTreeMap::from([("default".to_owned(), problem.build().into())])
    }
}
