//! Progress of a transfer, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// A bar that counts bytes; silent where nobody watches.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar that begins with `verb`.
    pub fn bytes(output: &Output, verb: &'static str) -> Self {
        if !output.shows_progress() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(verb);
        Self(bar)
    }

    /// There are `bytes` more to come.
    pub fn expect(&self, bytes: u64) {
        self.0.inc_length(bytes);
    }

    /// `bytes` more were moved, of a number that nobody knows yet.
    pub fn moved(&self, bytes: u64) {
        self.0.inc_length(bytes);
        self.0.inc(bytes);
    }

    /// `bytes` more were moved.
    pub fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
