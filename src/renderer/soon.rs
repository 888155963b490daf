//! For tests: waiting for what another thread does.

use std::time::{Duration, Instant};

/// Waits until it is so, for 20 seconds at most.
pub(super) fn soon(what: &str, is: impl Fn() -> bool) {
    let since = Instant::now();
    while !is() {
        assert!(since.elapsed() < Duration::from_secs(20), "{what} does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}
