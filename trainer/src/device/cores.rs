//! How many of this machine's cores this process takes: workers that train on one machine share them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

static SHARED_BY: AtomicUsize = AtomicUsize::new(1);

/// From now on, so many processes share the cores.
pub fn share_among(processes: usize) {
    SHARED_BY.store(processes.max(1), Ordering::Relaxed);
}

/// The threads of a pool for which a configuration asks for so many, 0 being one per core: this process's share of them, at
/// least one. 0 stays 0 where nobody shares.
pub fn threads(asked: usize) -> usize {
    share_of(asked, SHARED_BY.load(Ordering::Relaxed))
}

fn share_of(asked: usize, processes: usize) -> usize {
    if processes == 1 {
        return asked;
    }
    let all = if asked == 0 { available_parallelism().map_or(1, usize::from) } else { asked };
    (all / processes).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_at_least_one_thread() {
        assert_eq!([share_of(0, 1), share_of(3, 1), share_of(8, 4), share_of(2, 4)], [0, 3, 2, 1]);
        assert!(share_of(0, 2) >= 1);
    }
}
