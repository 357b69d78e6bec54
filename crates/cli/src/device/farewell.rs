//! A last word before Ctrl-C ends the process: the other device need not wait for one that is gone.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::error::Exit;

/// While it is kept, something is said before Ctrl-C ends the process; afterwards that ends it as always.
pub struct Farewell {
    wanted: Arc<AtomicBool>,
}

impl Farewell {
    /// Does `last` then. Who presses twice does not wait for it.
    pub fn before_interrupt(last: impl FnOnce() + Send + 'static) -> Self {
        let wanted = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&wanted);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // Where signals cannot be waited for, Ctrl-C ends the process as it always does.
            let Ok(runtime) = runtime else { return };
            if runtime.block_on(tokio::signal::ctrl_c()).is_err() {
                return;
            }
            if still.load(Ordering::SeqCst) {
                thread::spawn(|| {
                    last();
                    process::exit(Exit::Interrupted as i32);
                });
                drop(runtime.block_on(tokio::signal::ctrl_c()));
            }
            process::exit(Exit::Interrupted as i32);
        });
        Self { wanted }
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::SeqCst);
    }
}
