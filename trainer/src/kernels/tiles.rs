//! Sums and copies of frame-major tiles whose rows are whole vectors.

use super::vectors::{load, store};
use super::{LANES, Operation};
use continuo_simd::Simd;

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
