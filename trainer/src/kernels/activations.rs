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
