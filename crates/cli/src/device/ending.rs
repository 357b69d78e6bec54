//! How a person ends a command: Ctrl-C, a closed terminal, or a word to its process. Who is waited for elsewhere says so before.

use std::{
    fs, future, io, process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    thread,
};

use segue_domain::Clock as _;
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{environment::SystemClock, error::Exit};

/// How long after the first a second is the same, in milliseconds.
const BOUNCE_MS: i64 = 500;

/// Hears when the process is to end, instead of what the system does then.
pub(super) struct Ending {
    runtime: Runtime,
    signals: Vec<Signal>,
}

impl Ending {
    /// Hears it from this moment on. A closed terminal ends nobody who was started to outlive it (`nohup`).
    pub(super) fn listen() -> io::Result<Self> {
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        if !ignores(SignalKind::hangup()) {
            kinds.push(SignalKind::hangup());
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _inside = runtime.enter();
            kinds.into_iter().map(signal).collect::<io::Result<_>>()?
        };
        Ok(Self { runtime, signals })
    }

    /// Waits for the next.
    pub(super) fn wait(&mut self) {
        let signals = &mut self.signals;
        self.runtime.block_on(future::poll_fn(|context| {
            if signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    }

    /// Waits for one that is meant as a second: a terminal that closes says so twice, and keys bounce.
    pub(super) fn wait_again(&mut self) {
        let from = SystemClock.now().plus_millis(BOUNCE_MS);
        self.wait();
        while SystemClock.now() < from {
            self.wait();
        }
    }
}

/// Whether this process was started with a signal ignored, where the system says so (`proc_pid_status(5)`).
fn ignores(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}

/// While it is kept, something is said before the process ends; afterwards it ends as always.
pub struct Farewell {
    wanted: Arc<AtomicBool>,
}

impl Farewell {
    /// Does `last` then. Who asks for the end twice does not wait for it.
    pub fn with(last: impl FnOnce() + Send + 'static) -> Self {
        let wanted = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&wanted);
        // Where signals cannot be heard, they end the process as they always do.
        if let Ok(mut ending) = Ending::listen() {
            thread::spawn(move || {
                ending.wait();
                if still.load(Ordering::SeqCst) {
                    thread::spawn(|| {
                        last();
                        process::exit(Exit::Interrupted as i32);
                    });
                    ending.wait_again();
                }
                process::exit(Exit::Interrupted as i32);
            });
        }
        Self { wanted }
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::SeqCst);
    }
}
