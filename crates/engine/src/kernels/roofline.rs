//! What this processor can do at most, measured: products of registers alone, and reading from each level of memory.
//!
//! A kernel is judged against these (Williams, Waterman & Patterson, *Roofline*, Communications of the ACM 52, 2009): a
//! pass cannot take less time than its products at the peak, nor than reading its weights from where they lie.

use super::contract::{Kernel, primitives_of};
use super::packed::{BLOCK, Block, floats};
use super::precision::Precision;
use super::product::Dot;
use super::simd::Simd;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// `N` sums of their own, all taking the same registers again and again.
#[inline(always)]
pub(super) unsafe fn peak<S: Simd, D: Dot<S>, const N: usize>(rounds: u64) -> u64 {
    // SAFETY: the caller has the instruction set; the arrays reach a line each.
    unsafe {
        let line = black_box([1u32; BLOCK]);
        let weights = D::weights(line.as_ptr());
        let mut sums = [D::zero(); N];
        for round in 0..rounds {
            // Another word each time, so that no part of the product is the same as before.
            let input = D::input(line.as_ptr().add(round as usize % BLOCK));
            for sum in &mut sums {
                *sum = D::dot(*sum, weights, input);
            }
        }
        let mut out = [0f32; BLOCK];
        for sum in sums {
            S::store(out.as_mut_ptr(), D::finish(sum));
            black_box(&out);
        }
    }
    N as u64
}

/// Reads blocks, eight sums at a time.
#[inline(always)]
pub(super) unsafe fn read<S: Simd>(from: *const f32, blocks: usize) -> f32 {
    // SAFETY: the caller has the instruction set and gives `blocks` blocks.
    unsafe {
        let mut sums = [S::splat(0.0); 8];
        let mut block = 0;
        while block + 8 <= blocks {
            for (index, sum) in sums.iter_mut().enumerate() {
                *sum = S::max(*sum, S::load(from.add((block + index) * BLOCK)));
            }
            block += 8;
        }
        sums.into_iter().fold(0.0, |largest, sum| S::largest(sum).max(largest))
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
    let peak = primitives_of(kernel).peak[precision.index()];
    // SAFETY: a `Kernel` exists only where its instruction set does.
    let lines = unsafe { peak(1) };
    let seconds = best_seconds(threads, || {
        // SAFETY: as above.
        black_box(unsafe { peak(ROUNDS) });
    });
    let per_line = (BLOCK * precision.per_word()) as u64;
    (threads as u64 * ROUNDS * lines * per_line) as f64 / seconds
}

/// Bytes per second that `threads` threads read, each from `bytes` of its own that it has read just before.
pub fn read_bandwidth(kernel: Kernel, bytes: usize, threads: usize) -> f64 {
    let blocks = bytes / 64;
    let times = (1usize << 28).div_ceil(bytes).max(2);
    let read = primitives_of(kernel).read;
    let seconds = (0..TIMES)
        .map(|_| {
            let start = Barrier::new(threads);
            let times_of = |_| {
                let memory = vec![Block([0.5; BLOCK]); blocks];
                // SAFETY: a `Kernel` exists only where its instruction set does; the memory has so many blocks.
                let pass = || black_box(unsafe { read(floats(black_box(&memory)).as_ptr(), blocks) });
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
