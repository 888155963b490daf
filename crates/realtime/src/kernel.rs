//! The kernel with which a take is read between its frames, or faster than it was made.
//!
//! A sinc under a Kaiser window, sixteen zero crossings to each side. Read at its own speed or slower, the kernel passes all
//! that the take has. Read faster, the kernel is stretched with the speed, so that what would come out above half the rate
//! (and be folded back) is left out, up to [`MOST_STRETCH`] times the speed; beyond, it stretches no further, so that one
//! voice never costs more than that.

use crate::sine::sine;

/// Zero crossings of the sinc to each side.
const CROSSINGS: usize = 16;
/// Table entries from one zero crossing to the next; between two of them the kernel is a straight line, 104 dB below it.
const PHASES: usize = 256;
/// The Kaiser window's parameter: 90 dB in the stop band.
const BETA: f64 = 9.0;
/// How far the kernel is stretched at most: two octaves up nothing is folded back.
const MOST_STRETCH: usize = 4;
/// Frames on each side that the widest kernel takes in.
pub(crate) const MOST_HALF: usize = CROSSINGS * MOST_STRETCH;

/// One frame per output frame, in the fixed point of positions: 32 bits after the point.
pub(crate) const UNITY: u64 = 1 << 32;

/// Half of the kernel (it is symmetric): `TABLE[phase][k]` is its value at `k + phase / PHASES` frames from its middle. Two
/// rows more than there are phases, so that the end of a phase has a neighbour too.
static TABLE: [[f32; CROSSINGS]; PHASES + 2] = {
    let mut table = [[0.0; CROSSINGS]; PHASES + 2];
    let mut phase = 0;
    while phase < PHASES + 2 {
        let mut k = 0;
        while k < CROSSINGS {
            table[phase][k] = kernel(k, phase as f64 / PHASES as f64) as f32;
            k += 1;
        }
        phase += 1;
    }
    table
};

/// The same in the order of distances, with silence after it.
static LINE: [f32; CROSSINGS * PHASES + 2] = {
    let mut line = [0.0; CROSSINGS * PHASES + 2];
    let mut at = 0;
    while at < CROSSINGS * PHASES {
        line[at] = TABLE[at % PHASES][at / PHASES];
        at += 1;
    }
    line
};

/// How many frames the kernel takes in on each side when a take is read at `step` frames per output frame. A multiple of
/// four, so that sums have whole vectors.
pub(crate) const fn half_width(step: u64) -> usize {
    if step <= UNITY {
        return CROSSINGS;
    }
    let frames = (step.saturating_mul(CROSSINGS as u64) >> 32) as usize + 1;
    let whole = frames.div_ceil(4) * 4;
    if whole < MOST_HALF { whole } else { MOST_HALF }
}

/// What each frame around a position counts: the position lies `fraction` (of 2^32) after a frame, which is in the middle of
/// `weights`, at `half - 1`. Gives `half`.
pub(crate) fn weigh(step: u64, fraction: u32, weights: &mut [f32; 2 * MOST_HALF]) -> usize {
    let half = half_width(step);
    let before = u64::from(fraction);
    let after = UNITY - before;
    if step <= UNITY {
        let [left, right] = [before, after].map(|distance| {
            let phase = (distance >> 24) as usize;
            (&TABLE[phase], &TABLE[phase + 1], (distance & 0x00FF_FFFF) as f32 / (1 << 24) as f32)
        });
        let between = |(low, high, part): (&[f32; CROSSINGS], &[f32; CROSSINGS], f32), k: usize| {
            low[k] + part * (high[k] - low[k])
        };
        for k in 0..CROSSINGS {
            weights[CROSSINGS - 1 - k] = between(left, k);
            weights[CROSSINGS + k] = between(right, k);
        }
        return half;
    }
    // Stretched: the kernel's own distances are the frames' divided by the speed, and so are its values. Places in the table
    // have twenty bits after the point, so that they go on by additions of whole numbers.
    let step = step.min(MOST_STRETCH as u64 * UNITY);
    let squeeze = UNITY as f32 / step as f32;
    let pace = ((1_u64 << 63) / (step >> 9)) >> 12;
    let (left, right) = weights[..2 * half].split_at_mut(half);
    let value = |place: u64| {
        let index = ((place >> 20) as usize).min(LINE.len() - 2);
        let (low, high) = (LINE[index], LINE[index + 1]);
        squeeze * (low + (place & 0x000F_FFFF) as f32 / (1 << 20) as f32 * (high - low))
    };
    let [mut before, mut after] = [before, after].map(|distance| (distance * pace) >> 32);
    for (left, right) in left.iter_mut().rev().zip(right) {
        (*left, *right) = (value(before), value(after));
        (before, after) = (before + pace, after + pace);
    }
    half
}

/// The sum of `frames` by their `weights`, which are as many and a multiple of eight. Always added up in the same order.
pub(crate) fn sum(weights: &[f32], frames: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (weights, frames) in weights.chunks_exact(8).zip(frames.chunks_exact(8)) {
        for (lane, (weight, frame)) in lanes.iter_mut().zip(weights.iter().zip(frames)) {
            *lane += weight * frame;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}

/// The kernel at `k + part`.
const fn kernel(k: usize, part: f64) -> f64 {
    let distance = k as f64 + part;
    if distance == 0.0 {
        return 1.0;
    }
    let edge = distance / CROSSINGS as f64;
    if edge >= 1.0 {
        return 0.0;
    }
    let sign = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
    let sinc = sign * sin_pi(part) / (core::f64::consts::PI * distance);
    sinc * bessel(BETA * BETA * (1.0 - edge * edge)) / bessel(BETA * BETA)
}

/// The sine of π·`x` for `x` from 0 to a little more than 1.
const fn sin_pi(x: f64) -> f64 {
    sine(core::f64::consts::PI * if x > 0.5 { 1.0 - x } else { x })
}

/// The modified Bessel function of the first kind and order 0, of the root of `square`.
const fn bessel(square: f64) -> f64 {
    let (mut term, mut total, mut n) = (1.0, 1.0, 1.0);
    while n < 30.0 {
        term *= square / 4.0 / (n * n);
        total += term;
        n += 1.0;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_frame_it_is_that_frame_and_weights_add_up_to_one_everywhere() {
        let mut weights = [0.0; 2 * MOST_HALF];
        let half = weigh(UNITY, 0, &mut weights);
        assert_eq!((half, weights[half - 1]), (CROSSINGS, 1.0));
        assert!(weights[..2 * half].iter().enumerate().all(|(at, weight)| at == half - 1 || weight.abs() < 1e-7));
        for speed in [0.25, 0.97, 1.0, 1.01, 1.5, 2.0, 3.999, 4.0, 9.0] {
            let step = (speed * UNITY as f64) as u64;
            for fraction in (0..=u32::MAX).step_by(0x0123_4567) {
                let half = weigh(step, fraction, &mut weights);
                assert!(half <= MOST_HALF && half.is_multiple_of(4));
                let total: f32 = weights[..2 * half].iter().sum();
                assert!((total - 1.0).abs() < 1e-4, "{total} at {speed}, {fraction}");
            }
        }
    }

    #[test]
    fn sums_take_every_frame_once() {
        let frames: std::vec::Vec<f32> = (0..40).map(|frame| frame as f32).collect();
        assert_eq!(sum(&[1.0; 40], &frames), 780.0);
    }
}
