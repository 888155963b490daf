//! Work over a list on several threads, results in the list's order.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// Number of threads for `--jobs`; 0 = one per core.
pub(crate) fn threads(jobs: usize) -> usize {
    match jobs {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        n => n.min(256),
    }
}

/// Runs `work` on every item, on `threads` threads, and hands the results to `sink` in the items' order, on this thread.
/// The first error of `sink` raises `stop` and is returned; items not begun by then are left.
pub(crate) fn in_order<T: Sync, R: Send, E>(
    threads: usize,
    items: &[T],
    stop: &AtomicBool,
    work: impl Fn(usize, &T) -> R + Sync,
    mut sink: impl FnMut(usize, R) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut first_error = None;
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    if sender.send((at, work(at, item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let (mut waiting, mut turn) = (BTreeMap::new(), 0);
        for (at, result) in receiver {
            waiting.insert(at, result);
            while let Some(result) = waiting.remove(&turn) {
                if first_error.is_none()
                    && let Err(error) = sink(turn, result)
                {
                    stop.store(true, Ordering::Relaxed);
                    first_error = Some(error);
                }
                turn += 1;
            }
        }
    });
    first_error.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_an_error_stops_the_rest() {
        let items: Vec<u64> = (0..200).collect();
        for threads in [1, 2, 7] {
            let (stop, mut seen) = (AtomicBool::new(false), Vec::new());
            let work = |_, &i: &u64| (0..(i * 7_919) % 5_000).fold(i, |a, b| a ^ b ^ b);
            let done: Result<(), ()> = in_order(threads, &items, &stop, work, |_, i| {
                seen.push(i);
                Ok(())
            });
            assert_eq!((done, &seen), (Ok(()), &items));

            let begun = AtomicUsize::new(0);
            let result = in_order(
                threads,
                &items,
                &stop,
                |_, &i| {
                    begun.fetch_add(1, Ordering::Relaxed);
                    i
                },
                |_, i| if i == 3 { Err(i) } else { Ok(()) },
            );
            assert_eq!(result, Err(3));
            assert!(stop.load(Ordering::Relaxed) && begun.load(Ordering::Relaxed) >= 4);
        }
    }
}
