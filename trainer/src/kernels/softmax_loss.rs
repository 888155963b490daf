//! The loss of a WaveNet's logits and its gradient, over frame-major tiles whose rows are whole vectors.

use super::vectors::{load, store};
use super::{LANES, Operation};
use continuo_simd::{Simd, math};

/// Softmax cross-entropy of rows of logits against one code each; the logits become their gradient.
/// Gives back the sum of the losses, in nats.
#[derive(Debug)]
pub struct SoftmaxLoss<'a> {
    /// `[T, width]`; in: logits, out: softmax − one-hot + `pull` · logits.
    pub logits: &'a mut [f32],
    /// What draws the logits towards 0, besides the cross-entropy.
    pub pull: f32,
    /// `[width]`, of any content.
    pub scratch: &'a mut [f32],
    /// Values in a row, whole vectors.
    pub width: usize,
    /// `Q`: how many of them are logits; the others have no weight and get a zero gradient.
    pub levels: usize,
    /// `[T]`.
    pub targets: &'a [u16],
}

impl Operation for SoftmaxLoss<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let mut loss = 0.0;
        for (row, &target) in self.logits.chunks_exact_mut(self.width).zip(self.targets) {
            row[self.levels..].fill(-1e30);
            let mut largest = load(s, row, 0);
            for i in (LANES..self.width).step_by(LANES) {
                largest = s.max(largest, load(s, row, i));
            }
            let largest = reduce(s, largest, f32::max);
            let target_logit = row[usize::from(target)];
            let shift = s.splat(largest);
            if self.pull > 0.0 {
                self.scratch.copy_from_slice(row);
            }
            let mut total = s.splat(0.0);
            for i in (0..self.width).step_by(LANES) {
                let e = math::exp(s, s.sub(load(s, row, i), shift));
                total = s.add(total, e);
                store(s, row, i, e);
            }
            let total = reduce(s, total, |a, b| a + b);
            let scale = s.splat(1.0 / total);
            for i in (0..self.width).step_by(LANES) {
                let value = s.mul(load(s, row, i), scale);
                store(s, row, i, value);
            }
            if self.pull > 0.0 {
                let pull = s.splat(self.pull);
                for i in (0..self.width).step_by(LANES) {
                    let value = s.add(load(s, row, i), s.mul(pull, load(s, self.scratch, i)));
                    store(s, row, i, value);
                }
            }
            row[usize::from(target)] -= 1.0;
            row[self.levels..].fill(0.0);
            loss += f64::from(total.ln() + largest - target_logit);
        }
        loss
    }
}

/// Folds sixteen lanes, in order.
#[inline(always)]
fn reduce<S: Simd>(s: S, lanes: S::Lanes, fold: impl Fn(f32, f32) -> f32) -> f32 {
    let mut values = [0.0; LANES];
    store(s, &mut values, 0, lanes);
    values.into_iter().reduce(fold).unwrap_or(0.0)
}
