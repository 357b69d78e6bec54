//! The time that is left of a code, on a line that is written over; on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use segue_domain::{Clock as _, Timestamp};

use crate::{environment::SystemClock, output::Output};

/// Time between two looks at it, in milliseconds.
const LOOK_MS: i64 = 1_000;

/// The line.
pub(super) struct Countdown(Option<ProgressBar>);

impl Countdown {
    /// Not shown yet, and never where nobody watches.
    pub(super) fn of(output: &Output) -> Self {
        Self(output.shows_progress().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        }))
    }

    /// When it is looked at next, at most at the end.
    pub(super) fn next(&self, end: Timestamp) -> Timestamp {
        if self.0.is_none() {
            return end;
        }
        end.min(SystemClock.now().plus_millis(LOOK_MS))
    }

    /// Shows what is left until the end.
    pub(super) fn show(&self, end: Timestamp) {
        if let Some(bar) = &self.0 {
            if bar.is_finished() {
                bar.reset();
            }
            let left = end.as_millis() - SystemClock.now().as_millis();
            bar.set_message(format!("Expires in {}", minutes(left.max(0))));
            bar.tick();
        }
    }

    /// Makes room for other words.
    pub(super) fn hide(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Countdown {
    fn drop(&mut self) {
        self.hide();
    }
}

/// Milliseconds as minutes and seconds.
pub(super) fn minutes(milliseconds: i64) -> String {
    format!("{}:{:02}", milliseconds / 60_000, milliseconds / 1_000 % 60)
}
