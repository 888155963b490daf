//! An LSTM over a sequence, forward and backward.

use crate::kernels::matrix::Run;
use crate::kernels::{Level, padded};

use super::gates::{LstmStep, LstmStepBackward};
use super::sequence::{
    Axes, bias_gradient, by_gate, pack_backward, pack_forward, pad, product, unpad, weight_gradient,
};

/// An LSTM's gates: input, forget, cell, output, in PyTorch's order.
const GATES: usize = 4;

/// The weights.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// Of the inputs, `[4 · units, inputs]`.
    pub input: &'a [f32],
    /// Of the state, `[4 · units, units]`.
    pub state: &'a [f32],
    /// `[4 · units]`.
    pub bias: &'a [f32],
}

/// What the way back needs, units padded to whole vectors.
#[derive(Debug, Clone)]
pub struct Saved<T> {
    /// The gates' values, `[steps, batch, 4 · units]`.
    pub gates: T,
    /// The outputs, beginning with the initial ones, `[steps + 1, batch, units]`.
    pub hidden: T,
    /// The cells likewise.
    pub cells: T,
}

/// The outputs of all steps, and then the last cells: `[steps + 1, batch, units]`.
///
/// `x` is `[steps, batch, inputs]`; the initial `hidden` and `cells` are `[batch, units]`.
///
/// # Panics
/// If a slice is shorter than `axes` say.
pub fn forward(
    level: Level,
    axes: &Axes,
    x: &[f32],
    (hidden, cells): (&[f32], &[f32]),
    weights: &Weights<'_>,
) -> (Vec<f32>, Saved<Vec<f32>>) {
    let Axes { batch, inputs, units, .. } = *axes;
    let (width, state) = (padded(units), axes.state());
    let wide = GATES * width;
    let mut saved = Saved {
        gates: vec![0.0; axes.rows() * wide],
        hidden: vec![0.0; state + axes.rows() * width],
        cells: vec![0.0; state + axes.rows() * width],
    };
    pad(hidden, units, &mut saved.hidden[..state]);
    pad(cells, units, &mut saved.cells[..state]);
    let mut bias = vec![0.0; wide];
    pad(weights.bias, units, &mut bias);
    let panels = pack_forward(level, weights.input, GATES, units, inputs);
    let all = [Run { offset: 0, depth: inputs }];
    product(level, axes.rows(), (x, inputs, &all), &panels, (&mut saved.gates, wide, false));
    let panels = pack_forward(level, weights.state, GATES, units, units);
    let all = [Run { offset: 0, depth: units }];
    for (step, gates) in saved.gates.chunks_exact_mut(batch * wide).enumerate() {
        let (before, after) = saved.hidden[step * state..(step + 2) * state].split_at_mut(state);
        product(level, batch, (before, width, &all), &panels, (gates, wide, true));
        let (before, cells) = saved.cells[step * state..(step + 2) * state].split_at_mut(state);
        level.run(LstmStep { width, bias: &bias, gates, before, after: cells, hidden: after });
    }
    let mut outputs = vec![0.0; (axes.steps + 1) * batch * units];
    let (all, last) = outputs.split_at_mut(axes.steps * batch * units);
    unpad(&saved.hidden[state..], units, all);
    unpad(&saved.cells[axes.steps * state..], units, last);
    (outputs, saved)
}

/// The gradients of [`forward`].
#[derive(Debug)]
pub struct Gradients {
    /// Of the inputs, `[steps, batch, inputs]`.
    pub x: Vec<f32>,
    /// Of the initial outputs, `[batch, units]`.
    pub hidden: Vec<f32>,
    /// Of the initial cells, `[batch, units]`.
    pub cells: Vec<f32>,
    /// Of the weights of the inputs.
    pub input: Vec<f32>,
    /// Of the weights of the state.
    pub state: Vec<f32>,
    /// Of the bias.
    pub bias: Vec<f32>,
}

/// Back from `outputs`, the gradient of what [`forward`] gave.
///
/// # Panics
/// If a slice is shorter than `axes` say.
pub fn backward(
    level: Level,
    axes: &Axes,
    x: &[f32],
    weights: &Weights<'_>,
    saved: &Saved<&[f32]>,
    outputs: &[f32],
) -> Gradients {
    let Axes { steps, batch, inputs, units } = *axes;
    let (width, state, rows) = (padded(units), axes.state(), axes.rows());
    let wide = GATES * width;
    let mut sums = vec![0.0; rows * wide];
    let (mut hidden, mut cells) = (vec![0.0; state], vec![0.0; state]);
    let (per_step, last) = outputs.split_at(rows * units);
    pad(last, units, &mut cells);
    let panels = pack_backward(level, weights.state, GATES, units, units);
    let all = [Run { offset: 0, depth: wide }];
    for step in (0..steps).rev() {
        let of_step = &per_step[step * batch * units..];
        for (to, from) in hidden.chunks_exact_mut(width).zip(of_step.chunks_exact(units)) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
        let sums = &mut sums[step * batch * wide..(step + 1) * batch * wide];
        level.run(LstmStepBackward {
            width,
            gates: &saved.gates[step * batch * wide..(step + 1) * batch * wide],
            before: &saved.cells[step * state..(step + 1) * state],
            after: &saved.cells[(step + 1) * state..(step + 2) * state],
            hidden: &hidden,
            cells: &mut cells,
            sums,
        });
        product(level, batch, (sums, wide, &all), &panels, (&mut hidden, width, false));
    }
    let mut gradients = Gradients {
        x: vec![0.0; rows * inputs],
        hidden: vec![0.0; batch * units],
        cells: vec![0.0; batch * units],
        input: vec![0.0; GATES * units * inputs],
        state: vec![0.0; GATES * units * units],
        bias: vec![0.0; GATES * units],
    };
    unpad(&hidden, units, &mut gradients.hidden);
    unpad(&cells, units, &mut gradients.cells);
    let panels = pack_backward(level, weights.input, GATES, units, inputs);
    product(level, rows, (&sums, wide, &all), &panels, (&mut gradients.x, inputs, false));
    let gates = ([0, 1, 2, 3].as_slice(), units);
    bias_gradient(level, &sums, wide, gates, &mut gradients.bias);
    let turned = by_gate(level, &sums, wide);
    weight_gradient(level, &turned, gates, (x, inputs, inputs), rows, &mut gradients.input);
    weight_gradient(level, &turned, gates, (saved.hidden, width, units), rows, &mut gradients.state);
    gradients
}
