//! A capture that is made beside the sealing of its transcript: both read it once, on a core each.

use std::{
    iter,
    sync::Arc,
    thread::{self, JoinHandle},
};

use segue_bundle::SourceFile;
use segue_formats::{Env, Found};

use super::{Capture, Progress, files::LocalFile};
use crate::error::{CliError, Exit, Result};

/// A capture, or one that is under way.
pub struct Capturing {
    transcript: Option<LocalFile>,
    reading: Option<JoinHandle<Result<Capture>>>,
    done: Option<Arc<Capture>>,
}

impl From<Capture> for Capturing {
    fn from(capture: Capture) -> Self {
        Arc::new(capture).into()
    }
}

impl From<Arc<Capture>> for Capturing {
    fn from(capture: Arc<Capture>) -> Self {
        Self { transcript: None, reading: None, done: Some(capture) }
    }
}

impl Capturing {
    /// Captures a session from its tool, as it was found. With what the last push knew, only what was appended since is read;
    /// without, or where more than that changed, all is read in a thread of its own.
    pub fn start(tools: &Env, found: &Found, known: Option<&Progress>) -> Result<Self> {
        if let Some(known) = known
            && let Some(capture) = Capture::from_growth(tools, found, known)?
        {
            return Ok(capture.into());
        }
        let transcript = segue_formats::format_for(found.tool).transcript(found);
        let (tools, found) = (tools.clone(), found.clone());
        Ok(Self {
            transcript: Some(LocalFile::native(0, transcript)),
            reading: Some(thread::spawn(move || Capture::from_tool(&tools, &found, None))),
            done: None,
        })
    }

    /// Whether most of the session is still to be read.
    pub fn is_under_way(&self) -> bool {
        self.done.is_none()
    }

    /// The capture, once it is made.
    ///
    /// # Errors
    /// Why it cannot be made; said once.
    pub fn wait(&mut self) -> Result<&Capture> {
        if let Some(reading) = self.reading.take() {
            self.done = Some(Arc::new(reading.join().expect("capturing does not panic")?));
        }
        self.done.as_deref().ok_or_else(|| CliError::new(Exit::Error, "capture", "the session was not read"))
    }

    /// The files, to be read once each, the transcript first. With `prefixes`, what was appended is compressed with what stands
    /// before it; with `trusting`, what the last push sent is not read again.
    ///
    /// They end early where the capture fails: [`Capturing::wait`] then says why, unless `failed` holds it.
    pub fn sources<'a>(
        &'a mut self,
        prefixes: bool,
        trusting: bool,
        failed: &'a mut Option<CliError>,
    ) -> impl Iterator<Item = SourceFile<'a>> + 'a {
        // While it is under way, nothing is known that could be trusted.
        let early = self.transcript.as_ref().filter(|_| self.done.is_none()).map(|file| file.source(prefixes, false));
        let skipped = usize::from(early.is_some());
        let rest = iter::once_with(move || match self.wait() {
            Ok(capture) => capture.sources(skipped, prefixes, trusting),
            Err(error) => {
                *failed = Some(error);
                Vec::new()
            }
        });
        early.into_iter().chain(rest.flatten())
    }
}
