//! A request for a render.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A render that was asked for; lives until it is concluded.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// Distinguishes requests within the process.
    pub(crate) id: u64,
    /// Set to stop it.
    pub(crate) cancel: AtomicBool,
}

impl Ticket {
    pub(crate) fn new() -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self { id: NEXT.fetch_add(1, Ordering::Relaxed), cancel: AtomicBool::new(false) })
    }

    /// One of a take that a test has put on the bench.
    #[cfg(test)]
    pub(crate) fn with_id(id: u64) -> Self {
        Self { id, cancel: AtomicBool::new(false) }
    }

    /// Ends the request at the next frame.
    pub(crate) fn stop(&self) {
        self.cancel.store(true, Ordering::Release);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Acquire)
    }
}
