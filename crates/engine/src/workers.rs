//! The threads that a render may use.

use crate::error::EngineError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Most threads of a render.
pub const MOST_THREADS: usize = 64;

/// Threads that variations are spread over, or that share the frames of one where its model is large enough: the one that
/// renders, and others that help it and sleep while nothing is rendered. Cheap to clone.
///
/// What is rendered does not depend on them, to the bit.
#[derive(Clone, Default)]
pub struct Workers(Option<Arc<Pool>>);

struct Pool {
    /// Taken when the pool ends.
    threads: Option<rayon::ThreadPool>,
    /// Rayon lets threads go without waiting for them; a plugin's code may be gone before they are.
    handles: Vec<JoinHandle<()>>,
    /// Held by who has all threads work on one frame: they wait for one another, so two such must not be mixed.
    one_frame: Mutex<()>,
}

impl Workers {
    /// The calling thread alone.
    pub fn alone() -> Self {
        Self::default()
    }

    /// So many threads: the calling one of a render, and new ones for the rest, of which each calls `start` first, to set its
    /// priority for example. One thread is [`Workers::alone`].
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
        let start = Arc::new(start);
        let mut handles = Vec::with_capacity(threads);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads - 1)
            .spawn_handler(|thread| {
                let start = Arc::clone(&start);
                let name = format!("continuo-render-{}", thread.index());
                handles.push(std::thread::Builder::new().name(name).spawn(move || {
                    start();
                    thread.run();
                })?);
                Ok(())
            })
            .build();
        match pool {
            Ok(pool) => Ok(Self(Some(Arc::new(Pool { threads: Some(pool), handles, one_frame: Mutex::new(()) })))),
            Err(error) => {
                // Those that were started end by themselves.
                for handle in handles {
                    let _ = handle.join();
                }
                Err(EngineError::Threads { threads, reason: error.to_string() })
            }
        }
    }

    /// How many there are.
    pub fn threads(&self) -> usize {
        1 + self.pool().map_or(0, rayon::ThreadPool::current_num_threads)
    }

    /// The threads that help.
    pub(crate) fn pool(&self) -> Option<&rayon::ThreadPool> {
        self.0.as_ref()?.threads.as_ref()
    }

    /// Waits until nobody else has all threads work on one frame.
    pub(crate) fn for_one_frame(&self) -> Option<MutexGuard<'_, ()>> {
        self.0.as_ref().map(|pool| pool.one_frame.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.threads.take());
        let this = std::thread::current().id();
        for handle in self.handles.drain(..).filter(|handle| handle.thread().id() != this) {
            let _ = handle.join();
        }
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Workers({})", self.threads())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn threads_are_gone_when_the_last_hold_on_them_is() {
        struct Leaving(Arc<AtomicUsize>);
        impl Drop for Leaving {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        thread_local! {
            static HERE: std::cell::RefCell<Option<Leaving>> = const { std::cell::RefCell::new(None) };
        }
        let running = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&running);
        let workers = Workers::new(3, move || {
            count.fetch_add(1, Ordering::SeqCst);
            HERE.set(Some(Leaving(Arc::clone(&count))));
        })
        .unwrap();
        assert_eq!(workers.threads(), 3);
        assert_eq!(workers.pool().unwrap().broadcast(|context| context.index()), [0, 1]);
        assert_eq!(running.load(Ordering::SeqCst), 2);
        let second = workers.clone();
        drop(workers);
        assert_eq!(running.load(Ordering::SeqCst), 2);
        drop(second);
        assert_eq!(running.load(Ordering::SeqCst), 0);
    }
}
