//! The non-linear parts of a WaveNet, forward and backward, over frame-major tiles whose rows are whole vectors.

use super::vectors::{load, store};
use super::{LANES, Operation};
use continuo_simd::{Simd, math};

/// The gated activation unit, in place: `h = [f | g]` becomes `[tanh f | sigmoid g]`, and `z = tanh f · sigmoid g`
/// (van den Oord et al. 2016, equation 2).
#[derive(Debug)]
pub struct Gate<'a> {
    /// `[T, 2·half]`.
    pub h: &'a mut [f32],
    /// `[T, half]`.
    pub z: &'a mut [f32],
    /// Values in each half of a row of `h`.
    pub half: usize,
}

impl Operation for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Gate { h, z, half } = self;
        for (h, z) in h.chunks_exact_mut(2 * half).zip(z.chunks_exact_mut(half)) {
            for i in (0..half).step_by(LANES) {
                let a = math::tanh(s, load(s, h, i));
                let b = math::sigmoid(s, load(s, h, half + i));
                store(s, h, i, a);
                store(s, h, half + i, b);
                store(s, z, i, s.mul(a, b));
            }
        }
    }
}

/// `z = a · b` from the stored halves, into rows that are `z_stride` apart.
#[derive(Debug)]
pub struct Product<'a> {
    /// `[T, 2·half]`, `[a | b]`.
    pub gates: &'a [f32],
    /// Values in each half.
    pub half: usize,
    /// `[T, half]` at `z_stride`.
    pub z: &'a mut [f32],
    /// Distance between rows of `z`.
    pub z_stride: usize,
}

impl Operation for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (gates, z) in self.gates.chunks_exact(2 * self.half).zip(self.z.chunks_mut(self.z_stride)) {
            for i in (0..self.half).step_by(LANES) {
                store(s, z, i, s.mul(load(s, gates, i), load(s, gates, self.half + i)));
            }
        }
    }
}

/// Gradient of [`Gate`]: `dh = [dz · b · (1 − a²) | dz · a · b · (1 − b)]`, and `z` again for the weight gradients.
#[derive(Debug)]
pub struct GateBackward<'a> {
    /// `[T, 2·half]`, `[a | b]`.
    pub gates: &'a [f32],
    /// Values in each half.
    pub half: usize,
    /// `[T, half]`.
    pub dz: &'a [f32],
    /// `[T, 2·half]`.
    pub dh: &'a mut [f32],
    /// `[T, half]`.
    pub z: &'a mut [f32],
}

impl Operation for GateBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let half = self.half;
        let one = s.splat(1.0);
        let rows = self.gates.chunks_exact(2 * half).zip(self.dz.chunks_exact(half));
        for ((gates, dz), (dh, z)) in rows.zip(self.dh.chunks_exact_mut(2 * half).zip(self.z.chunks_exact_mut(half))) {
            for i in (0..half).step_by(LANES) {
                let (a, b, d) = (load(s, gates, i), load(s, gates, half + i), load(s, dz, i));
                let product = s.mul(a, b);
                store(s, z, i, product);
                store(s, dh, i, s.mul(s.mul(d, b), s.sub(one, s.mul(a, a))));
                store(s, dh, half + i, s.mul(s.mul(d, product), s.sub(one, b)));
            }
        }
    }
}

/// max(x, 0), in place.
#[derive(Debug)]
pub struct Relu<'a>(pub &'a mut [f32]);

impl Operation for Relu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for i in (0..self.0.len()).step_by(LANES) {
            let value = load(s, self.0, i);
            store(s, self.0, i, s.max(s.splat(0.0), value));
        }
    }
}

/// Gradient of [`Relu`], in place: keeps `d` where the output was positive.
#[derive(Debug)]
pub struct ReluBackward<'a> {
    /// The output of the forward pass.
    pub y: &'a [f32],
    /// The gradient.
    pub d: &'a mut [f32],
}

impl Operation for ReluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for i in (0..self.y.len()).step_by(LANES) {
            let value = s.where_positive(load(s, self.y, i), load(s, self.d, i));
            store(s, self.d, i, value);
        }
    }
}

/// `amplitude · tanh(slope · x)`, in place.
#[derive(Debug)]
pub struct Tanh<'a> {
    /// Whole vectors.
    pub x: &'a mut [f32],
    /// What the tanh is multiplied with.
    pub amplitude: f32,
    /// What its argument is multiplied with.
    pub slope: f32,
}

impl Operation for Tanh<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (amplitude, slope) = (s.splat(self.amplitude), s.splat(self.slope));
        for i in (0..self.x.len()).step_by(LANES) {
            let value = math::tanh(s, s.mul(slope, load(s, self.x, i)));
            store(s, self.x, i, s.mul(amplitude, value));
        }
    }
}

/// Gradient of [`Tanh`], in place: `d · slope · (amplitude − y² / amplitude)`.
#[derive(Debug)]
pub struct TanhBackward<'a> {
    /// The output of the forward pass.
    pub y: &'a [f32],
    /// The gradient.
    pub d: &'a mut [f32],
    /// What the tanh was multiplied with.
    pub amplitude: f32,
    /// What its argument was multiplied with.
    pub slope: f32,
}

impl Operation for TanhBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (steepest, bend) = (s.splat(self.slope * self.amplitude), s.splat(self.slope / self.amplitude));
        for i in (0..self.y.len()).step_by(LANES) {
            let y = load(s, self.y, i);
            let slope = s.sub(steepest, s.mul(bend, s.mul(y, y)));
            let value = s.mul(load(s, self.d, i), slope);
            store(s, self.d, i, value);
        }
    }
}

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

/// Adds every row of a tile to one row: the gradient of a bias.
#[derive(Debug)]
pub struct SumRows<'a> {
    /// `[T, width]`.
    pub tile: &'a [f32],
    /// `[width]`, whole vectors.
    pub into: &'a mut [f32],
}

impl Operation for SumRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.into.len();
        for i in (0..width).step_by(LANES) {
            let mut sum = load(s, self.into, i);
            for row in self.tile.chunks_exact(width) {
                sum = s.add(sum, load(s, row, i));
            }
            store(s, self.into, i, sum);
        }
    }
}

/// `out = x + bias` for every row; `x` may be absent.
#[derive(Debug)]
pub struct AddBias<'a> {
    /// `[T, width]`, or empty for zeros.
    pub x: &'a [f32],
    /// `[width]`, whole vectors.
    pub bias: &'a [f32],
    /// `[T, width]`.
    pub out: &'a mut [f32],
}

impl Operation for AddBias<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.bias.len();
        for (index, out) in self.out.chunks_exact_mut(width).enumerate() {
            for i in (0..width).step_by(LANES) {
                let bias = load(s, self.bias, i);
                let value = if self.x.is_empty() { bias } else { s.add(load(s, self.x, index * width + i), bias) };
                store(s, out, i, value);
            }
        }
    }
}

/// `into += from`, element by element; whole vectors.
#[derive(Debug)]
pub struct AddInto<'a> {
    /// What is added.
    pub from: &'a [f32],
    /// Where to.
    pub into: &'a mut [f32],
}

impl Operation for AddInto<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for i in (0..self.into.len()).step_by(LANES) {
            let value = s.add(load(s, self.into, i), load(s, self.from, i));
            store(s, self.into, i, value);
        }
    }
}

/// One tap of the causal convolution over one-hot codes: adds each frame's row of the table.
#[derive(Debug)]
pub struct Gather<'a> {
    /// `[Q, width]`.
    pub table: &'a [f32],
    /// Row of each frame.
    pub codes: &'a [u16],
    /// Values in a row, whole vectors.
    pub width: usize,
    /// `[T, width]`.
    pub out: &'a mut [f32],
}

impl Operation for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (out, &code) in self.out.chunks_exact_mut(self.width).zip(self.codes) {
            let row = &self.table[usize::from(code) * self.width..];
            for i in (0..self.width).step_by(LANES) {
                let value = s.add(load(s, out, i), load(s, row, i));
                store(s, out, i, value);
            }
        }
    }
}

/// One tap of the causal convolution over real values: adds each frame's multiple of one row.
#[derive(Debug)]
pub struct AddScaled<'a> {
    /// `[width]`, whole vectors.
    pub row: &'a [f32],
    /// What it is multiplied with, per frame.
    pub values: &'a [f32],
    /// `[T, width]`.
    pub out: &'a mut [f32],
}

impl Operation for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.row.len();
        for (out, &value) in self.out.chunks_exact_mut(width).zip(self.values) {
            let by = s.splat(value);
            for i in (0..width).step_by(LANES) {
                let sum = s.add(load(s, out, i), s.mul(by, load(s, self.row, i)));
                store(s, out, i, sum);
            }
        }
    }
}

/// Gradient of [`AddScaled`]: adds each frame, times its value, to the row.
#[derive(Debug)]
pub struct SumScaled<'a> {
    /// `[T, width]`.
    pub from: &'a [f32],
    /// What each frame's row was multiplied with.
    pub values: &'a [f32],
    /// `[width]`, whole vectors.
    pub into: &'a mut [f32],
}

impl Operation for SumScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.into.len();
        for i in (0..width).step_by(LANES) {
            let mut sum = load(s, self.into, i);
            for (row, &value) in self.from.chunks_exact(width).zip(self.values) {
                sum = s.add(sum, s.mul(s.splat(value), load(s, row, i)));
            }
            store(s, self.into, i, sum);
        }
    }
}

/// Gradient of [`Gather`]: adds each frame to its row of the table.
#[derive(Debug)]
pub struct Scatter<'a> {
    /// `[T, width]`.
    pub from: &'a [f32],
    /// Row of each frame.
    pub codes: &'a [u16],
    /// Values in a row, whole vectors.
    pub width: usize,
    /// `[Q, width]`.
    pub table: &'a mut [f32],
}

impl Operation for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (from, &code) in self.from.chunks_exact(self.width).zip(self.codes) {
            let row = &mut self.table[usize::from(code) * self.width..];
            for i in (0..self.width).step_by(LANES) {
                let value = s.add(load(s, row, i), load(s, from, i));
                store(s, row, i, value);
            }
        }
    }
}
