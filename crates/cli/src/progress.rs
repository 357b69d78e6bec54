//! Progress of a transfer, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// A bar that counts bytes; silent where nobody watches, and until there is something to count.
pub struct Progress {
    bar: ProgressBar,
    watched: bool,
}

impl Progress {
    /// A bar that begins with `verb`.
    pub fn bytes(output: &Output, verb: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(verb);
        Self { bar, watched: output.shows_progress() }
    }

    /// There are `bytes` more to come.
    pub fn expect(&self, bytes: u64) {
        if self.watched && self.bar.length() == Some(0) {
            // Its time begins here.
            self.bar.reset();
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc_length(bytes);
    }

    /// `bytes` more were moved, of a number that nobody knows yet.
    pub fn moved(&self, bytes: u64) {
        self.expect(bytes);
        self.advance(bytes);
    }

    /// `bytes` more were moved.
    pub fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
