//! Whether what is being sealed may leave this machine yet.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::error::{CliError, Exit, Result};

/// Sealing goes on behind it, and nothing is sent before it is open.
#[derive(Debug)]
pub struct Gate {
    open: Mutex<Option<bool>>,
    changed: Condvar,
}

impl Gate {
    /// One that was never closed.
    pub fn open() -> Self {
        Self { open: Mutex::new(Some(true)), changed: Condvar::new() }
    }

    /// One that waits for a decision, and who decides. Dropped without a decision, the keeper gives up what waits: nobody
    /// waits for ever.
    pub fn closed() -> (Arc<Self>, Keeper) {
        let gate = Arc::new(Self { open: Mutex::new(None), changed: Condvar::new() });
        (Arc::clone(&gate), Keeper(gate))
    }

    /// The first decision counts.
    fn decide(&self, open: bool) {
        // A decision is whole whenever the lock is free.
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(open);
        self.changed.notify_all();
    }

    /// Waits for the decision.
    ///
    /// # Errors
    /// Nothing is to be sent.
    pub fn pass(&self) -> Result<()> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = self.changed.wait_while(open, |open| open.is_none()).unwrap_or_else(PoisonError::into_inner);
        if *open == Some(true) {
            return Ok(());
        }
        Err(CliError::new(Exit::Error, "given_up", "the session was not sent"))
    }
}

/// Who decides, and must not leave without.
#[derive(Debug)]
pub struct Keeper(Arc<Gate>);

impl Keeper {
    /// Lets pass what waits.
    pub fn open(self) {
        self.0.decide(true);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.decide(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn who_waits_hears_the_decision() {
        for open in [true, false] {
            let (gate, keeper) = Gate::closed();
            thread::scope(|scope| {
                let waiting = [(); 2].map(|()| scope.spawn(|| gate.pass().is_ok()));
                if open {
                    keeper.open();
                } else {
                    drop(keeper);
                }
                assert_eq!(waiting.map(|waits| waits.join().unwrap()), [open; 2]);
            });
            assert_eq!(gate.pass().is_ok(), open);
        }
        assert!(Gate::open().pass().is_ok());
    }
}
