//! Bodies that are read whole before a handler runs: JSON, and parcels.

use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::{header, request::Parts},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use segue_domain::limits::BODY_BYTES_MAX;
use segue_signed::parcel;
use serde::de::DeserializeOwned;

use super::timer::Timer;
use crate::{failure::Failure, off_runtime::off_runtime, parcel::Sent};

/// A body up to this is understood where it is: handing it over would take longer.
const HERE_BYTES_MAX: usize = 64 * 1024;

/// What a body may be.
pub(super) trait Payload: Sized + Send + 'static {
    /// Its `content-type`.
    const MEDIA_TYPE: &str;

    /// Reads it; says what is wrong with it.
    fn understand(bytes: &Bytes) -> Result<Self, Failure>;
}

impl<B: DeserializeOwned + Send + 'static> Payload for B {
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

/// A body that came whole.
pub(super) struct Whole(Vec<Bytes>);

impl Whole {
    /// Hands the bytes to `work`; off the runtime when they are many.
    pub(super) async fn with<T: Send + 'static>(
        self,
        work: impl FnOnce(Bytes) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let len: usize = self.0.iter().map(Bytes::len).sum();
        let work = move || match <[Bytes; 1]>::try_from(self.0) {
            Ok([bytes]) => work(bytes),
            Err(pieces) => work(pieces.concat().into()),
        };
        if len > HERE_BYTES_MAX { off_runtime(work).await } else { work() }
    }
}

/// Reads a body of at most [`BODY_BYTES_MAX`] bytes, as long as it keeps coming.
pub(super) async fn read<B: Payload>(parts: &Parts, body: Body) -> Result<Whole, Failure> {
    let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.split(';').next().is_none_or(|media_type| media_type.trim() != B::MEDIA_TYPE) {
        return Err(Failure::invalid("The body is of another type than this route takes.")
            .or(format!("Send it as `content-type: {}`.", B::MEDIA_TYPE)));
    }
    // What is announced as too large is refused before it is sent.
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(Failure::body_too_large());
    }
    let mut pace = parts.extensions.get::<Timer>().cloned().unwrap_or_default().body();
    let (mut body, mut pieces) = (Limited::new(body, BODY_BYTES_MAX), Vec::new());
    while let Some(frame) = pace.of(body.frame()).await? {
        match frame {
            Ok(frame) => {
                let bytes = frame.into_data().unwrap_or_default();
                pace.came(bytes.len());
                pieces.push(bytes);
            }
            Err(error) if error.is::<LengthLimitError>() => return Err(Failure::body_too_large()),
            Err(_) => return Err(Failure::invalid("The body was cut.").or("Send it again.")),
        }
    }
    Ok(Whole(pieces))
}
