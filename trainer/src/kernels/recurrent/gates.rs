//! The gates' functions of one step, forward and backward, over rows of whole vectors.

use continuo_simd::{Simd, math};

use crate::kernels::vectors::{load, store};
use crate::kernels::{LANES, Operation};

/// `a · (1 − a)`: the derivative of a sigmoid by its value.
#[inline(always)]
fn slope<S: Simd>(s: S, a: S::Lanes) -> S::Lanes {
    s.mul(a, s.sub(s.splat(1.0), a))
}

/// `1 − a²`: the derivative of tanh by its value.
#[inline(always)]
fn tanh_slope<S: Simd>(s: S, a: S::Lanes) -> S::Lanes {
    s.sub(s.splat(1.0), s.mul(a, a))
}

/// One step of an LSTM (Hochreiter & Schmidhuber 1997, with Gers et al.'s forget gate): the sums of its gates become the
/// gates, and give the next state.
#[derive(Debug)]
pub struct LstmStep<'a> {
    /// Units, padded.
    pub width: usize,
    /// `[4 · width]`.
    pub bias: &'a [f32],
    /// `[batch, 4 · width]`: input, forget, cell and output gate; in: sums without bias, out: values.
    pub gates: &'a mut [f32],
    /// The cells before, `[batch, width]`.
    pub before: &'a [f32],
    /// The cells after.
    pub after: &'a mut [f32],
    /// The outputs, `[batch, width]`.
    pub hidden: &'a mut [f32],
}

impl Operation for LstmStep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let LstmStep { width, bias, gates, before, after, hidden } = self;
        for (row, gates) in gates.chunks_exact_mut(4 * width).enumerate() {
            for unit in (0..width).step_by(LANES) {
                let at = row * width + unit;
                let i = math::sigmoid(s, s.add(load(s, gates, unit), load(s, bias, unit)));
                let f = math::sigmoid(s, s.add(load(s, gates, width + unit), load(s, bias, width + unit)));
                let g = math::tanh(s, s.add(load(s, gates, 2 * width + unit), load(s, bias, 2 * width + unit)));
                let o = math::sigmoid(s, s.add(load(s, gates, 3 * width + unit), load(s, bias, 3 * width + unit)));
                let cell = s.mul_add(f, load(s, before, at), s.mul(i, g));
                store(s, gates, unit, i);
                store(s, gates, width + unit, f);
                store(s, gates, 2 * width + unit, g);
                store(s, gates, 3 * width + unit, o);
                store(s, after, at, cell);
                store(s, hidden, at, s.mul(o, math::tanh(s, cell)));
            }
        }
    }
}

/// The way back through [`LstmStep`].
#[derive(Debug)]
pub struct LstmStepBackward<'a> {
    /// Units, padded.
    pub width: usize,
    /// `[batch, 4 · width]`: the gates' values.
    pub gates: &'a [f32],
    /// The cells before, `[batch, width]`.
    pub before: &'a [f32],
    /// The cells after.
    pub after: &'a [f32],
    /// The gradient of the outputs, `[batch, width]`.
    pub hidden: &'a [f32],
    /// The gradient of the cells, `[batch, width]`; in: of those after, out: of those before.
    pub cells: &'a mut [f32],
    /// The gradient of the gates' sums, `[batch, 4 · width]`.
    pub sums: &'a mut [f32],
}

impl Operation for LstmStepBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let LstmStepBackward { width, gates, before, after, hidden, cells, sums } = self;
        for (row, (gates, sums)) in gates.chunks_exact(4 * width).zip(sums.chunks_exact_mut(4 * width)).enumerate() {
            for unit in (0..width).step_by(LANES) {
                let at = row * width + unit;
                let i = load(s, gates, unit);
                let f = load(s, gates, width + unit);
                let g = load(s, gates, 2 * width + unit);
                let o = load(s, gates, 3 * width + unit);
                let bent = math::tanh(s, load(s, after, at));
                let of_hidden = load(s, hidden, at);
                let through = s.mul(s.mul(of_hidden, o), tanh_slope(s, bent));
                let of_cell = s.add(load(s, cells, at), through);
                store(s, sums, unit, s.mul(s.mul(of_cell, g), slope(s, i)));
                store(s, sums, width + unit, s.mul(s.mul(of_cell, load(s, before, at)), slope(s, f)));
                store(s, sums, 2 * width + unit, s.mul(s.mul(of_cell, i), tanh_slope(s, g)));
                store(s, sums, 3 * width + unit, s.mul(s.mul(of_hidden, bent), slope(s, o)));
                store(s, cells, at, s.mul(of_cell, f));
            }
        }
    }
}

/// One step of a GRU (Cho et al. 2014, in the form of cuDNN and PyTorch, where the reset gate is applied after the product).
#[derive(Debug)]
pub struct GruStep<'a> {
    /// Units, padded.
    pub width: usize,
    /// `[3 · width]`: of the sums over the inputs.
    pub input_bias: &'a [f32],
    /// `[3 · width]`: of the sums over the state.
    pub state_bias: &'a [f32],
    /// `[batch, 3 · width]`: the sums over the state, without bias.
    pub sums: &'a [f32],
    /// `[batch, 4 · width]`: reset, update and new gate, and the new gate's sum over the state with its bias; in: the first
    /// three's sums over the inputs, without bias, out: values.
    pub gates: &'a mut [f32],
    /// The state before, `[batch, width]`.
    pub before: &'a [f32],
    /// The state after.
    pub after: &'a mut [f32],
}

impl Operation for GruStep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let GruStep { width, input_bias, state_bias, sums, gates, before, after } = self;
        for (row, (gates, sums)) in gates.chunks_exact_mut(4 * width).zip(sums.chunks_exact(3 * width)).enumerate() {
            for unit in (0..width).step_by(LANES) {
                let at = row * width + unit;
                let (second, third) = (width + unit, 2 * width + unit);
                let reset = s.add(load(s, gates, unit), load(s, input_bias, unit));
                let reset = s.add(reset, s.add(load(s, sums, unit), load(s, state_bias, unit)));
                let reset = math::sigmoid(s, reset);
                let update = s.add(load(s, gates, second), load(s, input_bias, second));
                let update = s.add(update, s.add(load(s, sums, second), load(s, state_bias, second)));
                let update = math::sigmoid(s, update);
                let of_state = s.add(load(s, sums, third), load(s, state_bias, third));
                let new = s.add(load(s, gates, third), load(s, input_bias, third));
                let new = math::tanh(s, s.mul_add(reset, of_state, new));
                store(s, gates, unit, reset);
                store(s, gates, second, update);
                store(s, gates, third, new);
                store(s, gates, 3 * width + unit, of_state);
                // (1 − z) · n + z · h
                store(s, after, at, s.mul_add(update, s.sub(load(s, before, at), new), new));
            }
        }
    }
}

/// The way back through [`GruStep`].
#[derive(Debug)]
pub struct GruStepBackward<'a> {
    /// Units, padded.
    pub width: usize,
    /// `[batch, 4 · width]`, as [`GruStep`] left them.
    pub gates: &'a [f32],
    /// The state before, `[batch, width]`.
    pub before: &'a [f32],
    /// The gradient of the state after, `[batch, width]`; out: the part of it that goes past the gates to the state before.
    pub state: &'a mut [f32],
    /// `[batch, 4 · width]`: the gradients of the sums of reset and update gate, of the new gate, and of the new gate's sum
    /// over the state.
    pub sums: &'a mut [f32],
}

impl Operation for GruStepBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let GruStepBackward { width, gates, before, state, sums } = self;
        for (row, (gates, sums)) in gates.chunks_exact(4 * width).zip(sums.chunks_exact_mut(4 * width)).enumerate() {
            for unit in (0..width).step_by(LANES) {
                let at = row * width + unit;
                let reset = load(s, gates, unit);
                let update = load(s, gates, width + unit);
                let new = load(s, gates, 2 * width + unit);
                let of_state = load(s, gates, 3 * width + unit);
                let gradient = load(s, state, at);
                let of_update = s.mul(gradient, s.sub(load(s, before, at), new));
                let of_new = s.mul(gradient, s.sub(s.splat(1.0), update));
                let of_new = s.mul(of_new, tanh_slope(s, new));
                store(s, sums, unit, s.mul(s.mul(of_new, of_state), slope(s, reset)));
                store(s, sums, width + unit, s.mul(of_update, slope(s, update)));
                store(s, sums, 2 * width + unit, of_new);
                store(s, sums, 3 * width + unit, s.mul(of_new, reset));
                store(s, state, at, s.mul(gradient, update));
            }
        }
    }
}
