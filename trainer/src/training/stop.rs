//! How a sitting of a run ends. Ctrl-C: once to write a checkpoint and stop, twice to stop at once.

use std::sync::atomic::{AtomicBool, Ordering};

/// How a sitting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All steps of the configuration are made.
    Finished,
    /// A limit was reached.
    Limit,
    /// Ctrl-C.
    Interrupted,
}

static STOP: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C (and the system's request to end) be noticed by [`requested`]. A second one ends the process.
pub fn listen() {
    // A handler that is already there, or a system without signals: training then simply cannot be stopped gently.
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            eprintln!("\nstopped at once; `continuo-trainer resume` goes on from the last checkpoint");
            std::process::exit(130);
        }
        eprintln!("\nstopping after this step; once more to stop at once");
    });
}

/// The same without a word, for a worker beside one that speaks.
pub fn listen_quietly() {
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
}

/// Whether to stop.
pub fn requested() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// The flag itself, for work that looks at it between frames.
pub fn flag() -> &'static AtomicBool {
    &STOP
}
