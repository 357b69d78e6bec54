//! Reading segments out of packs. Each segment authenticates alone, so a tail may be shown before the rest is there.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::{
    manifest::SegmentEntry,
    segment::{SegmentError, open_segment},
};

/// A pack that is read in any order.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// Where packs come from: a spool of downloads, or range requests.
pub trait PackSource {
    /// Opens the pack that the envelope lists at `index`, at its start.
    fn open(&mut self, index: usize) -> io::Result<Box<dyn ReadSeek>>;
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
    /// The plain bytes cannot be written.
    #[error("cannot write")]
    Write(#[source] io::Error),
}

/// Opens segments, and keeps the last pack open as the next segment mostly lies in the same.
pub struct SegmentReader<'a> {
    packs: &'a mut dyn PackSource,
    last: Option<(u32, Box<dyn ReadSeek>)>,
}

impl<'a> SegmentReader<'a> {
    /// Reads from `packs`.
    pub fn new(packs: &'a mut dyn PackSource) -> Self {
        Self { packs, last: None }
    }

    /// The verified plain bytes of one segment.
    pub fn segment(&mut self, number: usize, entry: &SegmentEntry) -> Result<Vec<u8>, ReadError> {
        let index = entry.pack_index;
        let sealed = self.sealed(entry).map_err(|source| ReadError::Pack { index, source })?;
        open_segment(entry, sealed).map_err(|source| ReadError::Segment { number, source })
    }

    /// Writes the verified plain bytes of a whole file. On an error `out` holds a verified beginning of it.
    pub fn file(&mut self, segments: &[SegmentEntry], out: &mut dyn Write) -> Result<(), ReadError> {
        for (number, entry) in segments.iter().enumerate() {
            out.write_all(&self.segment(number, entry)?).map_err(ReadError::Write)?;
        }
        Ok(())
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
