//! Reading sealed segments out of packs.

use std::io::{self, Read, Seek, SeekFrom};

use crate::{manifest::SegmentEntry, segment::SegmentError};

/// A pack that is read in any order. One that is still on its way waits for the bytes that are asked for.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// Where packs come from: a spool of downloads, or range requests.
pub trait PackSource: Sync {
    /// Opens the pack that the envelope lists at `index`, at its start.
    fn open(&self, index: usize) -> io::Result<Box<dyn ReadSeek>>;
}

/// Why a file did not come out of its packs.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A pack cannot be read, or ends too early.
    #[error("cannot read pack {index}")]
    Pack {
        /// Its place in the envelope.
        index: u32,
        /// What the system says.
        source: io::Error,
    },
    /// A segment is not what the manifest names.
    #[error("segment {number}: {source}")]
    Segment {
        /// Its place in the file, from 0.
        number: usize,
        /// What is wrong with it.
        source: SegmentError,
    },
}

/// Reads sealed segments, and keeps the last pack open as the next segment mostly lies in the same.
pub(crate) struct PackReader<'a> {
    packs: &'a dyn PackSource,
    last: Option<(u32, Box<dyn ReadSeek>)>,
}

impl<'a> PackReader<'a> {
    pub(crate) fn new(packs: &'a dyn PackSource) -> Self {
        Self { packs, last: None }
    }

    /// The sealed bytes of one segment.
    pub(crate) fn read(&mut self, entry: &SegmentEntry) -> Result<Vec<u8>, ReadError> {
        let index = entry.pack_index;
        self.sealed(entry).map_err(|source| ReadError::Pack { index, source })
    }

    fn sealed(&mut self, entry: &SegmentEntry) -> io::Result<Vec<u8>> {
        let pack = match &mut self.last {
            Some((index, pack)) if *index == entry.pack_index => pack,
            last => &mut last.insert((entry.pack_index, self.packs.open(entry.pack_index as usize)?)).1,
        };
        pack.seek(SeekFrom::Start(entry.offset))?;
        let mut sealed = vec![0; entry.sealed_len as usize];
        pack.read_exact(&mut sealed)?;
        Ok(sealed)
    }
}
