//! Sums over channels, and the softmax's loss, over rows of any width.

use continuo_simd::{Simd, math};

use super::{LANES, Operation, padded};

/// What a softmax gives no weight.
const NO_WEIGHT: f32 = -1e30;

/// `to[o] = Σ from[b, o, t]`, over all b and t: the gradient of a bias. `from` is `[batch, channels, frames]`.
#[derive(Debug)]
pub struct ChannelSums<'a> {
    /// `[batch, channels, frames]`.
    pub from: &'a [f32],
    /// Frames.
    pub frames: usize,
    /// `[channels]`.
    pub to: &'a mut [f32],
}

impl Operation for ChannelSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.to.fill(0.0);
        let channels = self.to.len();
        for (index, row) in self.from.chunks_exact(self.frames.max(1)).enumerate() {
            let (vectors, rest) = row.as_chunks::<LANES>();
            let mut sums = s.splat(0.0);
            for vector in vectors {
                sums = s.add(sums, s.load_from(vector));
            }
            let mut lanes = [0.0; LANES];
            s.store_to(&mut lanes, sums);
            self.to[index % channels] += lanes.iter().chain(rest).sum::<f32>();
        }
    }
}

/// Softmax cross-entropy of rows of logits against one class each, and its gradient.
#[derive(Debug)]
pub struct RowLoss<'a> {
    /// `[rows, classes]`.
    pub logits: &'a [f32],
    /// Classes.
    pub classes: usize,
    /// `[rows]`, below `classes`.
    pub targets: &'a [usize],
    /// `[rows]`, in nats.
    pub losses: &'a mut [f32],
    /// `[rows, classes]`: softmax − one-hot.
    pub gradient: &'a mut [f32],
}

impl Operation for RowLoss<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let RowLoss { logits, classes, targets, losses, gradient } = self;
        let mut scratch = vec![NO_WEIGHT; padded(classes)];
        let rows = logits.chunks_exact(classes).zip(gradient.chunks_exact_mut(classes));
        for ((logits, gradient), (&target, loss)) in rows.zip(targets.iter().zip(losses)) {
            scratch[..classes].copy_from_slice(logits);
            let (vectors, _) = scratch.as_chunks_mut::<LANES>();
            let mut largest = s.splat(f32::NEG_INFINITY);
            for vector in vectors.iter() {
                largest = s.max(largest, s.load_from(vector));
            }
            let mut lanes = [0.0; LANES];
            s.store_to(&mut lanes, largest);
            let shift = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
            let mut total = s.splat(0.0);
            for vector in vectors.iter_mut() {
                let value = math::exp(s, s.sub(s.load_from(vector), s.splat(shift)));
                total = s.add(total, value);
                s.store_to(vector, value);
            }
            s.store_to(&mut lanes, total);
            // What the padding weighs, e⁻⁸⁷ each, is below rounding.
            let total: f32 = lanes.iter().sum();
            let scale = s.splat(1.0 / total);
            for vector in vectors.iter_mut() {
                let value = s.mul(s.load_from(vector), scale);
                s.store_to(vector, value);
            }
            gradient.copy_from_slice(&scratch[..classes]);
            gradient[target] -= 1.0;
            *loss = total.ln() + shift - logits[target];
            scratch[classes..].fill(NO_WEIGHT);
        }
    }
}
