//! Bodies that are read whole before a handler runs: JSON, and parcels.

use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use segue_domain::limits::BODY_BYTES_MAX;
use segue_signed::parcel;
use serde::de::DeserializeOwned;

use crate::{failure::Failure, parcel::Sent};

/// What a body may be.
pub(super) trait Payload: Sized + Send {
    /// Its `content-type`.
    const MEDIA_TYPE: &str;

    /// Reads it; says what is wrong with it.
    fn understand(bytes: &Bytes) -> Result<Self, Failure>;
}

impl<B: DeserializeOwned + Send> Payload for B {
    const MEDIA_TYPE: &str = "application/json";

    fn understand(bytes: &Bytes) -> Result<Self, Failure> {
        serde_json::from_slice(bytes)
            .map_err(|error| Failure::invalid("The body is not what this route takes.").or(error.to_string()))
    }
}

impl Payload for Sent {
    const MEDIA_TYPE: &str = parcel::MEDIA_TYPE;

    fn understand(bytes: &Bytes) -> Result<Self, Failure> {
        Self::parse(bytes)
    }
}

/// Reads a body of at most [`BODY_BYTES_MAX`] bytes.
pub(super) async fn read<B: Payload>(headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.split(';').next().is_none_or(|media_type| media_type.trim() != B::MEDIA_TYPE) {
        return Err(Failure::invalid("The body is of another type than this route takes.")
            .or(format!("Send it as `content-type: {}`.", B::MEDIA_TYPE)));
    }
    // What is announced as too large is refused before it is sent.
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(Failure::too_large(BODY_BYTES_MAX as u64));
    }
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::too_large(BODY_BYTES_MAX as u64)),
        Err(_) => Err(Failure::invalid("The body was cut.").or("Send it again.")),
    }
}
