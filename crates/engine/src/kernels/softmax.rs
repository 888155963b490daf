//! What a code is drawn from: the highest of a frame's logits, and beside it every code's weight in the softmax.
//!
//! Made of additions and multiplications alone, each rounded by itself, so that every machine draws the same code from the
//! same logits; instructions that round once for two operations, and the system's library, do not promise that.

use super::contract::{Kernel, primitives_of};
use super::packed::{BLOCK, Block, floats, floats_mut};
use super::simd::{EXP, LN_2_HIGH, LN_2_HIGH_EXCESS, Simd};

/// Weights below e to this power are no smaller: against the highest, which is 1, nobody will draw them.
const LEAST: f32 = -86.0;

/// Added to a number of a few hundred and taken away again, leaves the nearest whole one.
const ROUND: f32 = 12_582_912.0;

/// See [`super::contract::Primitives::highest`].
#[inline(always)]
pub(super) unsafe fn highest<S: Simd>(logits: *const f32, blocks: usize) -> f32 {
    // SAFETY: the caller has the instruction set of `S` and gives so many blocks.
    unsafe {
        let (mut most, mut odd) = (S::splat(f32::NEG_INFINITY), S::splat(0.0));
        for block in 0..blocks {
            let logits = S::load(logits.add(block * BLOCK));
            most = S::max(most, logits);
            // Of all numbers but those that are not finite, the difference is zero.
            odd = S::add(odd, S::sub(logits, logits));
        }
        let mut lanes = [0f32; BLOCK];
        S::store(lanes.as_mut_ptr(), odd);
        S::largest(most) + lanes.iter().sum::<f32>()
    }
}

/// See [`super::contract::Primitives::weigh`].
#[inline(always)]
pub(super) unsafe fn weigh<S: Simd>(logits: *const f32, blocks: usize, highest: f32, inverse: f32, weights: *mut f32) {
    // SAFETY: the caller has the instruction set of `S` and gives so many blocks on both sides.
    unsafe {
        let (highest, inverse) = (S::splat(highest), S::splat(inverse));
        for block in 0..blocks {
            let x = S::mul(S::sub(S::load(logits.add(block * BLOCK)), highest), inverse);
            S::store(weights.add(block * BLOCK), exp::<S>(S::max(S::splat(LEAST), x)));
        }
    }
}

/// `eˣ` for −86 ≤ x ≤ 0: relative error below 3 · 10⁻⁷. The reduction and the polynomial are the gate's.
#[inline(always)]
unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller has the instruction set of `S`.
    unsafe {
        let round = S::splat(ROUND);
        let n = S::sub(S::add(S::mul(x, S::splat(std::f32::consts::LOG2_E)), round), round);
        let r = S::sub(x, S::mul(n, S::splat(LN_2_HIGH)));
        let r = S::add(r, S::mul(n, S::splat(LN_2_HIGH_EXCESS)));
        let mut p = S::splat(0.0);
        for coefficient in EXP {
            p = S::add(S::mul(p, r), S::splat(coefficient));
        }
        let p = S::add(S::mul(S::mul(r, r), p), r);
        S::scale(S::add(p, S::splat(1.0)), n)
    }
}

impl Kernel {
    /// The highest of some logits; `None` where one of them is no finite number or there are none.
    pub(crate) fn highest(self, logits: &[f32]) -> Option<f32> {
        let of = |blocks: &[f32]| {
            // SAFETY: a `Kernel` exists only where its instruction set does; these are whole blocks.
            unsafe { (primitives_of(self).highest)(blocks.as_ptr(), blocks.len() / BLOCK) }
        };
        let (whole, rest) = logits.split_at(logits.len() / BLOCK * BLOCK);
        let parts = [(!whole.is_empty()).then(|| of(whole)), (!rest.is_empty()).then(|| of(floats(&[padded(rest)])))];
        // `max` would pass over what is no number.
        let both = |a: f32, b: f32| if a.is_finite() && b.is_finite() { a.max(b) } else { f32::NAN };
        parts.into_iter().flatten().reduce(both).filter(|highest| highest.is_finite())
    }

    /// Makes `weights` those of the logits: e to the power of (logit − `highest`) · `inverse`, at most 1.
    pub(crate) fn weigh(self, logits: &[f32], highest: f32, inverse: f32, weights: &mut Vec<f32>) {
        weights.resize(logits.len(), 0.0);
        let weigh = |logits: &[f32], weights: &mut [f32]| {
            let blocks = logits.len().min(weights.len()) / BLOCK;
            // SAFETY: a `Kernel` exists only where its instruction set does; both have so many blocks.
            unsafe { (primitives_of(self).weigh)(logits.as_ptr(), blocks, highest, inverse, weights.as_mut_ptr()) }
        };
        weigh(logits, weights);
        let whole = logits.len() / BLOCK * BLOCK;
        if let rest @ [_, ..] = &logits[whole..] {
            let mut of_rest = Block::default();
            weigh(floats(&[padded(rest)]), floats_mut(std::slice::from_mut(&mut of_rest)));
            weights[whole..].copy_from_slice(&of_rest.0[..rest.len()]);
        }
    }
}

/// A block of some values, filled up with the first.
fn padded(values: &[f32]) -> Block {
    let mut block = Block([values[0]; BLOCK]);
    block.0[..values.len()].copy_from_slice(values);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(kernel: Kernel, logits: &[f32], highest: f32, inverse: f32) -> Vec<f32> {
        let mut weights = Vec::new();
        kernel.weigh(logits, highest, inverse, &mut weights);
        weights
    }

    #[test]
    fn weights_are_within_their_bound() {
        let logits: Vec<f32> = (0..=860_000).map(|step| step as f32 / -10_000.0).collect();
        for (logit, weight) in logits.iter().zip(weights(Kernel::best(), &logits, 0.0, 1.0)) {
            let error = f64::from(weight) / f64::from(*logit).exp() - 1.0;
            assert!(error.abs() < 3e-7, "{logit}: {error:e}");
        }
        let far = weights(Kernel::best(), &[0.0, -1e4, f32::MIN], 0.0, 1.0);
        assert!((far[0] - 1.0).abs() < f32::EPSILON && far[1] < 1e-37 && far[2] < 1e-37, "{far:?}");
        assert!(weights(Kernel::best(), &[f32::MIN], f32::MAX, 1e37)[0] < 1e-37);
    }

    #[test]
    fn every_kernel_has_the_same_bits() {
        let logits: Vec<f32> = (0..300).map(|code| (code as f32 * 0.77).sin() * 40.0).collect();
        for length in [1, 2, 15, 16, 17, 31, 32, 33, 255, 256, 300] {
            let logits = &logits[..length];
            let expected = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let reference = weights(Kernel::named("scalar").unwrap(), logits, expected, 0.7);
            for kernel in Kernel::available() {
                assert_eq!(kernel.highest(logits), Some(expected), "{} {length}", kernel.name());
                assert_eq!(weights(kernel, logits, expected, 0.7), reference, "{} {length}", kernel.name());
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_found_wherever_it_is() {
        for kernel in Kernel::available() {
            assert_eq!(kernel.highest(&[]), None);
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for place in 0..37 {
                    let mut logits = vec![1.0; 37];
                    logits[place] = bad;
                    assert_eq!(kernel.highest(&logits), None, "{} {bad} {place}", kernel.name());
                }
            }
            // The ends of the range are still numbers.
            assert_eq!(kernel.highest(&[f32::MIN, f32::MAX, 0.0]), Some(f32::MAX));
        }
    }
}
