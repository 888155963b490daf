//! What this processor can do at most, measured: products of registers alone, and reading from each level of memory.
//!
//! A kernel is judged against these (Williams, Waterman & Patterson, *Roofline*, Communications of the ACM 52, 2009): a
//! pass cannot take less time than its products at the peak, nor than reading its weights from where they lie.

use super::dot::{Dot, ProductOperation, Tiles};
use super::kernel::Kernel;
use super::packed::{BLOCK, Block};
use super::precision::Precision;
use continuo_simd::{Operation, Simd};
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// As many products as can be under way at once; see [`Tiles::peak`].
struct Peak {
    rounds: u64,
}

impl ProductOperation for Peak {
    type Output = u64;

    #[inline(always)]
    fn run<D: Dot>(self, dot: D) -> u64 {
        D::Tiles::peak(dot, self.rounds)
    }
}

/// Reads blocks, eight sums at a time, and does next to nothing with them.
struct Read<'a>(&'a [Block]);

impl Operation for Read<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let mut sums = [s.splat(0.0); 8];
        for blocks in self.0.as_chunks::<8>().0 {
            for (block, sum) in blocks.iter().zip(&mut sums) {
                *sum = s.max(*sum, s.load_from(&block.0));
            }
        }
        sums.into_iter().fold(0.0, |largest, sum| s.largest(sum).max(largest))
    }
}

/// How often a figure is measured; the best counts, since everything else on the machine only slows it.
const TIMES: usize = 7;

/// Runs `work` on so many threads at once, and gives back the shortest time from a common start to the last one's end.
///
/// The threads work before they start and never sleep in between: to those that wake up, some systems give one core together.
fn best_seconds(threads: usize, work: impl Fn() + Sync) -> f64 {
    let arrived = AtomicUsize::new(0);
    let times_of = || -> Vec<(Instant, Instant)> {
        work();
        let once = |run: usize| {
            arrived.fetch_add(1, Ordering::AcqRel);
            while arrived.load(Ordering::Acquire) < (run + 1) * threads {
                std::hint::spin_loop();
            }
            let began = Instant::now();
            work();
            (began, Instant::now())
        };
        (0..TIMES).map(once).collect()
    };
    let times: Vec<_> = std::thread::scope(|scope| {
        let members: Vec<_> = (0..threads).map(|_| scope.spawn(times_of)).collect();
        members.into_iter().filter_map(|member| member.join().ok()).collect()
    });
    let seconds = |run: usize| {
        let first = times.iter().map(|times| times[run].0).min();
        let last = times.iter().map(|times| times[run].1).max();
        first.zip(last).map_or(f64::INFINITY, |(first, last)| (last - first).as_secs_f64())
    };
    (0..TIMES).map(seconds).fold(f64::INFINITY, f64::min)
}

/// Multiplications with their additions per second, in registers alone.
pub fn peak_multiply_adds(kernel: Kernel, precision: Precision, threads: usize) -> f64 {
    const ROUNDS: u64 = 1 << 20;
    let lines = kernel.run_in(precision, Peak { rounds: 1 });
    let seconds = best_seconds(threads, || {
        black_box(kernel.run_in(precision, Peak { rounds: ROUNDS }));
    });
    let per_line = (BLOCK * precision.per_word()) as u64;
    (threads as u64 * ROUNDS * lines * per_line) as f64 / seconds
}

/// Bytes per second that `threads` threads read, each from `bytes` of its own that it has read just before.
pub fn read_bandwidth(kernel: Kernel, bytes: usize, threads: usize) -> f64 {
    let blocks = bytes / 64;
    let times = (1usize << 28).div_ceil(bytes).max(2);
    let seconds = (0..TIMES)
        .map(|_| {
            let start = Barrier::new(threads);
            let times_of = |_| {
                let memory = vec![Block([0.5; BLOCK]); blocks];
                let pass = || black_box(kernel.run(Read(black_box(&memory))));
                pass();
                start.wait();
                let began = Instant::now();
                (0..times).for_each(|_| {
                    pass();
                });
                began.elapsed().as_secs_f64()
            };
            std::thread::scope(|scope| {
                let times_of = &times_of;
                let members: Vec<_> = (0..threads).map(|index| scope.spawn(move || times_of(index))).collect();
                members.into_iter().filter_map(|member| member.join().ok()).fold(0.0, f64::max)
            })
        })
        .fold(f64::INFINITY, f64::min);
    (threads * times * blocks * 64) as f64 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peak_and_bandwidth_can_be_measured() {
        for kernel in Kernel::available() {
            for precision in Precision::ALL {
                assert!(peak_multiply_adds(kernel, precision, 1) > 1e7, "{} {precision}", kernel.name());
            }
        }
        assert!(read_bandwidth(Kernel::best(), 1 << 14, 1) > 1e8);
    }
}
