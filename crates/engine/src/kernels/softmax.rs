//! What a code is drawn from: the highest of a frame's logits, and beside it every code's weight in the softmax.
//!
//! Made of additions and multiplications alone, each rounded by itself, so that every machine draws the same code from the
//! same logits; instructions that round once for two operations, and the system's library, do not promise that.

use super::kernel::Kernel;
use super::packed::BLOCK;
use continuo_simd::{Operation, Simd, math};

/// Weights below e to this power are no smaller: against the highest, which is 1, nobody will draw them.
const LEAST: f32 = -86.0;

/// The highest of some logits, in whole blocks; not finite where one of them is not.
struct Highest<'a>(&'a [[f32; BLOCK]]);

impl Operation for Highest<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let (mut most, mut odd) = (s.splat(f32::NEG_INFINITY), s.splat(0.0));
        for logits in self.0 {
            let logits = s.load_from(logits);
            most = s.max(most, logits);
            // Of all numbers but those that are not finite, the difference is zero.
            odd = s.add(odd, s.sub(logits, logits));
        }
        let mut lanes = [0f32; BLOCK];
        s.store_to(&mut lanes, odd);
        s.largest(most) + lanes.iter().sum::<f32>()
    }
}

/// The weights of some logits in a softmax, in whole blocks; see [`Kernel::weigh`].
struct Weigh<'a> {
    logits: &'a [[f32; BLOCK]],
    highest: f32,
    inverse: f32,
    weights: &'a mut [[f32; BLOCK]],
}

impl Operation for Weigh<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (highest, inverse) = (s.splat(self.highest), s.splat(self.inverse));
        for (logits, weights) in self.logits.iter().zip(self.weights) {
            let x = s.mul(s.sub(s.load_from(logits), highest), inverse);
            s.store_to(weights, math::exp_same_everywhere(s, s.max(s.splat(LEAST), x)));
        }
    }
}

impl Kernel {
    /// The highest of some logits; `None` where one of them is no finite number or there are none.
    pub(crate) fn highest(self, logits: &[f32]) -> Option<f32> {
        let (whole, rest) = logits.as_chunks();
        let [whole, rest] = [
            (!whole.is_empty()).then(|| self.run(Highest(whole))),
            (!rest.is_empty()).then(|| self.run(Highest(&[padded(rest)]))),
        ];
        // `max` would pass over what is no number.
        let both = |a: f32, b: f32| if a.is_finite() && b.is_finite() { a.max(b) } else { f32::NAN };
        whole.into_iter().chain(rest).reduce(both).filter(|highest| highest.is_finite())
    }

    /// Makes `weights` those of the logits: e to the power of (logit − `highest`) · `inverse`, at most 1.
    pub(crate) fn weigh(self, logits: &[f32], highest: f32, inverse: f32, weights: &mut Vec<f32>) {
        weights.resize(logits.len(), 0.0);
        let (whole, rest) = logits.as_chunks();
        let (of_whole, of_rest) = weights.as_chunks_mut();
        self.run(Weigh { logits: whole, highest, inverse, weights: of_whole });
        if !rest.is_empty() {
            let mut block = [[0.0; BLOCK]];
            self.run(Weigh { logits: &[padded(rest)], highest, inverse, weights: &mut block });
            of_rest.copy_from_slice(&block[0][..rest.len()]);
        }
    }
}

/// A block of some values, filled up with the first.
fn padded(values: &[f32]) -> [f32; BLOCK] {
    let mut block = [values[0]; BLOCK];
    block[..values.len()].copy_from_slice(values);
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
