//! What tells takes apart.

use std::sync::atomic::{AtomicU64, Ordering};

/// Tells a take from all others of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TakeId(u64);

impl TakeId {
    /// One that nobody has yet.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for TakeId {
    fn default() -> Self {
        Self::new()
    }
}
