//! The threads that a render may use.

use crate::error::EngineError;
use std::sync::Arc;

/// Most threads of a render.
pub const MOST_THREADS: usize = 64;

/// Threads that takes are spread over, or that share the frames of one take where its model is large enough. They sleep
/// while nothing is rendered. Cheap to clone.
///
/// What is rendered does not depend on them, to the bit.
#[derive(Clone, Default)]
pub struct Workers(Option<Arc<rayon::ThreadPool>>);

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
        Ok(Self(Some(Arc::new(pool))))
    }

    /// How many there are.
    pub fn threads(&self) -> usize {
        self.0.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    pub(crate) fn pool(&self) -> Option<&rayon::ThreadPool> {
        self.0.as_deref()
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Workers({})", self.threads())
    }
}
