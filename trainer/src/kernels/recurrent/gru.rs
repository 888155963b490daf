//! A GRU over a sequence, forward and backward.

use crate::kernels::matrix::Run;
use crate::kernels::{Level, padded};

use super::gates::{GruStep, GruStepBackward};
use super::sequence::{
    Axes, bias_gradient, by_gate, pack_backward, pack_forward, pad, product, unpad, weight_gradient,
};

/// A GRU's gates: reset, update, new, in PyTorch's order.
const GATES: usize = 3;
/// Those, and the new gate's sum over the state.
const KEPT: usize = 4;

/// The weights.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// Of the inputs, `[3 · units, inputs]`.
    pub input: &'a [f32],
    /// Of the state, `[3 · units, units]`.
    pub state: &'a [f32],
    /// Of the sums over the inputs, `[3 · units]`.
    pub input_bias: &'a [f32],
    /// Of the sums over the state, `[3 · units]`.
    pub state_bias: &'a [f32],
}

/// What the way back needs, units padded to whole vectors.
#[derive(Debug, Clone)]
pub struct Saved<T> {
    /// The gates' values and the new gate's sum over the state, `[steps, batch, 4 · units]`.
    pub gates: T,
    /// The states, beginning with the initial one, `[steps + 1, batch, units]`.
    pub hidden: T,
}

/// The states after all steps, `[steps, batch, units]`.
///
/// `x` is `[steps, batch, inputs]`; the initial state `hidden` is `[batch, units]`.
///
/// # Panics
/// If a slice is shorter than `axes` say.
pub fn forward(
    level: Level,
    axes: &Axes,
    x: &[f32],
    hidden: &[f32],
    weights: &Weights<'_>,
) -> (Vec<f32>, Saved<Vec<f32>>) {
    let Axes { batch, inputs, units, .. } = *axes;
    let (width, state) = (padded(units), axes.state());
    let wide = KEPT * width;
    let mut saved = Saved { gates: vec![0.0; axes.rows() * wide], hidden: vec![0.0; state + axes.rows() * width] };
    pad(hidden, units, &mut saved.hidden[..state]);
    let (mut input_bias, mut state_bias) = (vec![0.0; GATES * width], vec![0.0; GATES * width]);
    pad(weights.input_bias, units, &mut input_bias);
    pad(weights.state_bias, units, &mut state_bias);
    let panels = pack_forward(level, weights.input, GATES, units, inputs);
    let all = [Run { offset: 0, depth: inputs }];
    product(level, axes.rows(), (x, inputs, &all), &panels, (&mut saved.gates, wide, false));
    let panels = pack_forward(level, weights.state, GATES, units, units);
    let all = [Run { offset: 0, depth: units }];
    let mut sums = vec![0.0; batch * GATES * width];
    for (step, gates) in saved.gates.chunks_exact_mut(batch * wide).enumerate() {
        let (before, after) = saved.hidden[step * state..(step + 2) * state].split_at_mut(state);
        product(level, batch, (before, width, &all), &panels, (&mut sums, GATES * width, false));
        let (input_bias, state_bias) = (input_bias.as_slice(), state_bias.as_slice());
        level.run(GruStep { width, input_bias, state_bias, sums: &sums, gates, before, after });
    }
    let mut outputs = vec![0.0; axes.rows() * units];
    unpad(&saved.hidden[state..], units, &mut outputs);
    (outputs, saved)
}

/// The gradients of [`forward`].
#[derive(Debug)]
pub struct Gradients {
    /// Of the inputs, `[steps, batch, inputs]`.
    pub x: Vec<f32>,
    /// Of the initial state, `[batch, units]`.
    pub hidden: Vec<f32>,
    /// Of the weights of the inputs.
    pub input: Vec<f32>,
    /// Of the weights of the state.
    pub state: Vec<f32>,
    /// Of the bias of the inputs' sums.
    pub input_bias: Vec<f32>,
    /// Of the bias of the state's sums.
    pub state_bias: Vec<f32>,
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
    let wide = KEPT * width;
    let mut sums = vec![0.0; rows * wide];
    let mut hidden = vec![0.0; state];
    let panels = pack_backward(level, weights.state, GATES, units, units);
    // The new gate's sum over the state in place of the gate.
    let of_state = [Run { offset: 0, depth: 2 * width }, Run { offset: 3 * width, depth: width }];
    for step in (0..steps).rev() {
        let of_step = &outputs[step * batch * units..];
        for (to, from) in hidden.chunks_exact_mut(width).zip(of_step.chunks_exact(units)) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
        let sums = &mut sums[step * batch * wide..(step + 1) * batch * wide];
        level.run(GruStepBackward {
            width,
            gates: &saved.gates[step * batch * wide..(step + 1) * batch * wide],
            before: &saved.hidden[step * state..(step + 1) * state],
            state: &mut hidden,
            sums,
        });
        product(level, batch, (sums, wide, &of_state), &panels, (&mut hidden, width, true));
    }
    let mut gradients = Gradients {
        x: vec![0.0; rows * inputs],
        hidden: vec![0.0; batch * units],
        input: vec![0.0; GATES * units * inputs],
        state: vec![0.0; GATES * units * units],
        input_bias: vec![0.0; GATES * units],
        state_bias: vec![0.0; GATES * units],
    };
    unpad(&hidden, units, &mut gradients.hidden);
    let panels = pack_backward(level, weights.input, GATES, units, inputs);
    let of_input = [Run { offset: 0, depth: GATES * width }];
    product(level, rows, (&sums, wide, &of_input), &panels, (&mut gradients.x, inputs, false));
    let (of_input, of_state) = (([0, 1, 2].as_slice(), units), ([0, 1, 3].as_slice(), units));
    bias_gradient(level, &sums, wide, of_input, &mut gradients.input_bias);
    bias_gradient(level, &sums, wide, of_state, &mut gradients.state_bias);
    let turned = by_gate(level, &sums, wide);
    weight_gradient(level, &turned, of_input, (x, inputs, inputs), rows, &mut gradients.input);
    weight_gradient(level, &turned, of_state, (saved.hidden, width, units), rows, &mut gradients.state);
    gradients
}
