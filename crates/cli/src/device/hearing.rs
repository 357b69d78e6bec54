//! What a side of a pairing waits for at once: news of it, words of its person, and time.

use std::{
    io::{self, BufRead as _},
    process,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use segue_api::pairings::Pairing;
use segue_domain::{Clock as _, PairingId, Timestamp};

use super::ending::Ending;
use crate::{
    environment::SystemClock,
    error::{CliError, Exit, Result},
    remote::Remote,
};

/// Bytes of a line that a person types.
const LINE_BYTES_MAX: u64 = 1_024;

/// Something that happened.
pub(super) enum Happening {
    /// How the pairing stands.
    Stands(Box<Pairing>),
    /// A line that was typed.
    Said(String),
    /// Nobody types any more.
    Silent,
    /// Time is over.
    TimeOver,
}

enum Sent {
    Stands(PairingId, Box<Pairing>),
    Typed(Happening),
    Lost(CliError),
}

/// All ears. Each listens in a thread of its own, which ends with the process.
pub(super) struct Hearing {
    sender: Sender<Sent>,
    receiver: Receiver<Sent>,
    /// What is heard of others is passed over.
    id: Option<PairingId>,
    reads: bool,
}

impl Hearing {
    /// Hears nothing yet; Ctrl-C ends the process as it always does.
    pub(super) fn begin() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self { sender, receiver, id: None, reads: false }
    }

    /// Hears when its person ends it, who is to be given a word before. Who does it twice does not wait for that.
    pub(super) fn interruptible() -> Self {
        let hearing = Self::begin();
        let interrupted = hearing.sender.clone();
        // Where signals cannot be heard, they end the process as they always do.
        if let Ok(mut ending) = Ending::listen() {
            thread::spawn(move || {
                ending.wait();
                drop(interrupted.send(Sent::Lost(CliError::new(Exit::Interrupted, "interrupted", "interrupted"))));
                ending.wait_again();
                process::exit(Exit::Interrupted as i32);
            });
        }
        hearing
    }

    /// Listens to a pairing from now on, and to no other.
    pub(super) fn listen(&mut self, remote: Remote, id: PairingId) {
        self.id = Some(id);
        let news = self.sender.clone();
        thread::spawn(move || {
            let mut live = remote.live_pairing(id);
            loop {
                let (heard, last) = match live.hear() {
                    Ok(pairing) => {
                        let last = matches!(pairing.state.as_str(), "revoked" | "expired");
                        (Sent::Stands(id, Box::new(pairing)), last)
                    }
                    Err(error) => (Sent::Lost(error), true),
                };
                if news.send(heard).is_err() || last {
                    return;
                }
            }
        });
    }

    /// Reads what a person types from now on.
    pub(super) fn read_lines(&mut self) {
        if std::mem::replace(&mut self.reads, true) {
            return;
        }
        let words = self.sender.clone();
        thread::spawn(move || {
            loop {
                let mut line = String::new();
                let read = io::Read::take(io::stdin().lock(), LINE_BYTES_MAX).read_line(&mut line);
                let end = !matches!(read, Ok(1..));
                let said = if end { Happening::Silent } else { Happening::Said(line.trim().to_owned()) };
                if words.send(Sent::Typed(said)).is_err() || end {
                    return;
                }
            }
        });
    }

    /// Whether somebody may type.
    pub(super) fn reads_lines(&self) -> bool {
        self.reads
    }

    /// Whether its person has ended it meanwhile.
    ///
    /// # Errors
    /// When so, or when the pairing is not heard any more.
    pub(super) fn still_wanted(&self) -> Result<()> {
        self.receiver.try_iter().try_for_each(|sent| if let Sent::Lost(error) = sent { Err(error) } else { Ok(()) })
    }

    /// Waits for how the pairing stands next; none when time is over.
    pub(super) fn stands(&self, until: Timestamp) -> Result<Option<Box<Pairing>>> {
        loop {
            match self.next(until)? {
                Happening::Stands(pairing) => return Ok(Some(pairing)),
                Happening::TimeOver => return Ok(None),
                Happening::Said(_) | Happening::Silent => {}
            }
        }
    }

    /// Waits for what happens next, until then.
    pub(super) fn next(&self, until: Timestamp) -> Result<Happening> {
        loop {
            let left = until.as_millis().saturating_sub(SystemClock.now().as_millis());
            // Also where more comes: who never stops talking does not stop the clock.
            let left = match u64::try_from(left) {
                Ok(left @ 1..) => Duration::from_millis(left),
                Ok(0) | Err(_) => return Ok(Happening::TimeOver),
            };
            match self.receiver.recv_timeout(left) {
                Ok(Sent::Stands(id, _)) if self.id != Some(id) => {}
                Ok(Sent::Stands(_, pairing)) => return Ok(Happening::Stands(pairing)),
                Ok(Sent::Typed(typed)) => return Ok(typed),
                Ok(Sent::Lost(error)) => return Err(error),
                Err(RecvTimeoutError::Timeout) => return Ok(Happening::TimeOver),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(CliError::new(Exit::Network, "cut", "the pairing is not heard any more"));
                }
            }
        }
    }
}

/// Whether the server says that nothing more comes of it.
pub(super) fn is_over(pairing: &Pairing) -> bool {
    matches!(pairing.state.as_str(), "revoked" | "expired")
        || matches!(pairing.reason.as_deref(), Some("completed" | "taken_back" | "lapsed"))
}
