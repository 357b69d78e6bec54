//! Reading a stored pack while it is sent.

use std::{fs::File, io, os::unix::fs::FileExt as _, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, future, stream};

use super::{Packs, READ_BYTES, Step, blocking};
use crate::store::packs::Pack;

/// Pieces of one pack that are in memory at once: one is sent while the next is read.
const PIECES: usize = 2;

impl Packs {
    /// Reads `len` bytes of a pack from `start` on. The first are there when this returns; a pack that is deleted meanwhile is
    /// read to its end, and one that became shorter ends with an error.
    pub async fn read(
        &self,
        pack: &Pack,
        start: u64,
        len: u64,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + use<>> {
        self.step(Step::Read)?;
        let (path, whole) = (self.path(pack), pack.len);
        let end = start.saturating_add(len);
        let (file, first) = blocking(move || {
            let file = File::open(path)?;
            if file.metadata()?.len() != whole {
                return Err(io::Error::other("a stored pack has another length than its row"));
            }
            let first = piece(&file, start, end)?;
            Ok((Arc::new(file), first))
        })
        .await?;
        let next = start.saturating_add(first.len() as u64);
        let rest = stream::iter((next..end).step_by(READ_BYTES)).map(move |at| {
            let file = Arc::clone(&file);
            blocking(move || piece(&file, at, end))
        });
        Ok(stream::once(future::ready(Ok(first))).chain(rest.buffered(PIECES)))
    }
}

/// The bytes from `at` on, as many as are read at once; all of them, or an error.
fn piece(file: &File, at: u64, end: u64) -> io::Result<Bytes> {
    let len = usize::try_from(end - at).unwrap_or(READ_BYTES).min(READ_BYTES);
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes.into())
}
