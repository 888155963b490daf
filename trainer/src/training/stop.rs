//! Ctrl-C: once to write a checkpoint and stop, twice to stop at once.

use std::sync::atomic::{AtomicBool, Ordering};

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

/// Whether to stop.
pub fn requested() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// The flag itself, for work that looks at it between frames.
pub fn flag() -> &'static AtomicBool {
    &STOP
}
