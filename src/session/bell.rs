//! What wakes the renderer.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::lock::lock;

/// Wakes the renderer's service thread. Never rung from `process()`, which the service thread polls instead.
#[derive(Debug)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    signal: Condvar,
}

/// The process's one bell, as there is one renderer per process.
pub(crate) static BELL: Bell = Bell { rung: Mutex::new(false), signal: Condvar::new() };

impl Bell {
    pub(crate) fn ring(&self) {
        *lock(&self.rung) = true;
        self.signal.notify_all();
    }

    /// Waits until the bell rings, at most for `patience`.
    pub(crate) fn wait(&self, patience: Duration) {
        let rung = lock(&self.rung);
        let (mut rung, _) =
            self.signal.wait_timeout_while(rung, patience, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}
