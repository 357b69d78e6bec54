//! The log: lines on standard error, without bodies, tokens, ids or query strings.

use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, Layer as _, fmt::MakeWriter, layer::SubscriberExt as _, registry};

/// What is logged unless `RUST_LOG` says otherwise. Statements of the database stay out: they would show nothing but
/// SQL, and much of it.
const USUAL: &str = "info,sqlx=warn";

/// A log of text or JSON lines to `writer`.
pub fn subscriber<W>(json: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false).with_target(false);
    let layer = if json { layer.json().flatten_event(true).boxed() } else { layer.boxed() };
    registry().with(layer).with(filter)
}
