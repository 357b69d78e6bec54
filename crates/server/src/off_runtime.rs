//! Work that takes as long as its megabytes.

use crate::failure::Failure;

/// Does it where no other request waits for it.
pub(crate) async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(anyhow::Error::from)?
}
