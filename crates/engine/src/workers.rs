//! The threads that a render may use.

use crate::error::EngineError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most threads of a render.
pub const MOST_THREADS: usize = 64;

/// Threads that takes are spread over, or that share the frames of one take where its model is large enough. They sleep
/// while nothing is rendered. Cheap to clone.
///
/// What is rendered does not depend on them, to the bit.
#[derive(Clone, Default)]
pub struct Workers(Option<Arc<Pool>>);

struct Pool {
    threads: rayon::ThreadPool,
    /// Held by who has all threads work on one frame: they wait for one another, so two such must not be mixed.
    whole: Mutex<()>,
}

impl Workers {
    /// The calling thread alone.
    pub fn alone() -> Self {
        Self::default()
    }

    /// So many threads, of which each calls `start` first, to set its priority for example. One thread is
    /// [`Workers::alone`].
    ///
    /// # Errors
    /// [`EngineError::Request`] for none or more than [`MOST_THREADS`]; [`EngineError::Threads`] if the system has none left.
    pub fn new(threads: usize, start: impl Fn() + Send + Sync + 'static) -> Result<Self, EngineError> {
        if !(1..=MOST_THREADS).contains(&threads) {
            let reason = format!("is {threads}; it must be from 1 to {MOST_THREADS}");
            return Err(EngineError::Request { setting: "the number of threads", reason });
        }
        if threads == 1 {
            return Ok(Self::alone());
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("continuo-render-{index}"))
            .start_handler(move |_| start())
            .build()
            .map_err(|error| EngineError::Threads { threads, reason: error.to_string() })?;
        Ok(Self(Some(Arc::new(Pool { threads: pool, whole: Mutex::new(()) }))))
    }

    /// How many there are.
    pub fn threads(&self) -> usize {
        self.0.as_ref().map_or(1, |pool| pool.threads.current_num_threads())
    }

    /// The threads, for tasks of their own.
    pub(crate) fn pool(&self) -> Option<&rayon::ThreadPool> {
        self.0.as_ref().map(|pool| &pool.threads)
    }

    /// Waits until nobody else has all threads work on one frame.
    pub(crate) fn whole(&self) -> Option<MutexGuard<'_, ()>> {
        self.0.as_ref().map(|pool| pool.whole.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Workers({})", self.threads())
    }
}
