//! What a source waits for at once: news of its pairing, words of its person, and time.

use std::{
    io::{self, BufRead as _},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use segue_api::pairings::Pairing;
use segue_domain::{Clock as _, PairingId, Timestamp};

use crate::{
    account::Account,
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
    Happened(Happening),
    Lost(CliError),
}

/// Both ears. Each listens in a thread of its own, which ends with the process.
pub(super) struct Hearing {
    sender: Sender<Sent>,
    receiver: Receiver<Sent>,
    reads: bool,
}

impl Hearing {
    /// Listens to a pairing.
    pub(super) fn of(account: &Account, id: PairingId) -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let (remote, news) = (Remote::signed_in(account)?, sender.clone());
        thread::spawn(move || {
            let mut live = remote.live_pairing(id);
            loop {
                let heard = match live.hear() {
                    Ok(pairing) => Sent::Happened(Happening::Stands(Box::new(pairing))),
                    Err(error) => Sent::Lost(error),
                };
                let lost = matches!(heard, Sent::Lost(_));
                if news.send(heard).is_err() || lost {
                    return;
                }
            }
        });
        let interrupted = sender.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // Where signals cannot be waited for, Ctrl-C ends the process as it always does.
            if let Ok(runtime) = runtime
                && runtime.block_on(tokio::signal::ctrl_c()).is_ok()
            {
                let error = CliError::new(Exit::Interrupted, "interrupted", "interrupted");
                drop(interrupted.send(Sent::Lost(error)));
            }
        });
        Ok(Self { sender, receiver, reads: false })
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
                if words.send(Sent::Happened(said)).is_err() || end {
                    return;
                }
            }
        });
    }

    /// Waits for what happens next, until then.
    pub(super) fn next(&self, until: Timestamp) -> Result<Happening> {
        let left = until.as_millis() - SystemClock.now().as_millis();
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        match self.receiver.recv_timeout(left) {
            Ok(Sent::Happened(happening)) => Ok(happening),
            Ok(Sent::Lost(error)) => Err(error),
            Err(RecvTimeoutError::Timeout) => Ok(Happening::TimeOver),
            Err(RecvTimeoutError::Disconnected) => {
                Err(CliError::new(Exit::Network, "cut", "the pairing is not heard any more"))
            }
        }
    }
}
