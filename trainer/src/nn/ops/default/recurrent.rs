//! Recurrent layers of Burn's own operations, step by step.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

use crate::kernels::recurrent::{gru, lstm};
use crate::nn::ops::primitive::{unwrap, wrap};
use crate::nn::ops::recurrent::{Gru, Lstm};

/// Units of one gate.
fn gate<B: Backend>(all: &Tensor<B, 2>, index: usize, units: usize) -> Tensor<B, 2> {
    all.clone().narrow(1, index * units, units)
}

/// One step of a sequence.
fn step<B: Backend>(all: &Tensor<B, 3>, index: usize) -> Tensor<B, 2> {
    all.clone().narrow(0, index, 1).squeeze_dim(0)
}

/// The inputs' part of all steps' sums.
fn sums<B: Backend>(x: Tensor<B, 3>, weight: Tensor<B, 2>, bias: Tensor<B, 1>) -> Tensor<B, 3> {
    let [steps, batch, inputs] = x.dims();
    let [wide, _] = weight.dims();
    let rows = x.reshape([steps * batch, inputs]).matmul(weight.transpose()) + bias.unsqueeze();
    rows.reshape([steps, batch, wide])
}

/// `a · (1 − a)`: the derivative of a sigmoid by its value.
fn slope<B: Backend>(a: Tensor<B, 2>) -> Tensor<B, 2> {
    a.clone() - a.clone() * a
}

/// `1 − a²`: the derivative of tanh by its value.
fn tanh_slope<B: Backend>(a: Tensor<B, 2>) -> Tensor<B, 2> {
    (a.clone() * a).neg() + 1.0
}

/// The gradients of weights, `[gates · units, depth]`, of the gates' sums and what was multiplied, and of their bias.
fn weights<B: Backend>(sums: Tensor<B, 2>, rows: Tensor<B, 2>) -> (FloatTensor<B>, FloatTensor<B>) {
    let [_, wide] = sums.dims();
    let weight = sums.clone().transpose().matmul(rows);
    (unwrap(weight), unwrap(sums.sum_dim(0).reshape([wide])))
}

/// See [`Operations::lstm_saving`](crate::nn::ops::Operations::lstm_saving).
pub fn lstm_saving<B: Backend>(inputs: Lstm<FloatTensor<B>>) -> (FloatTensor<B>, lstm::Saved<FloatTensor<B>>) {
    let x = wrap::<B, 3>(inputs.x);
    let [steps, ..] = x.dims();
    let of_inputs = sums(x, wrap(inputs.input_weight), wrap(inputs.bias));
    let weight = wrap::<B, 2>(inputs.state_weight).transpose();
    let (mut hidden, mut cells) = (vec![wrap::<B, 2>(inputs.hidden)], vec![wrap::<B, 2>(inputs.cells)]);
    let [_, units] = hidden[0].dims();
    let mut gates = Vec::with_capacity(steps);
    for index in 0..steps {
        let sums = step(&of_inputs, index) + hidden[index].clone().matmul(weight.clone());
        let i = sigmoid(gate(&sums, 0, units));
        let f = sigmoid(gate(&sums, 1, units));
        let g = gate(&sums, 2, units).tanh();
        let o = sigmoid(gate(&sums, 3, units));
        let cell = f.clone() * cells[index].clone() + i.clone() * g.clone();
        hidden.push(o.clone() * cell.clone().tanh());
        cells.push(cell);
        gates.push(Tensor::cat(vec![i, f, g, o], 1));
    }
    let hidden = Tensor::stack::<3>(hidden, 0);
    let cells = Tensor::stack::<3>(cells, 0);
    let outputs = Tensor::cat(vec![hidden.clone().narrow(0, 1, steps), cells.clone().narrow(0, steps, 1)], 0);
    let saved =
        lstm::Saved { gates: unwrap(Tensor::stack::<3>(gates, 0)), hidden: unwrap(hidden), cells: unwrap(cells) };
    (unwrap(outputs), saved)
}

/// See [`Operations::lstm_gradient`](crate::nn::ops::Operations::lstm_gradient).
pub fn lstm_gradient<B: Backend>(
    inputs: Lstm<FloatTensor<B>>,
    saved: lstm::Saved<FloatTensor<B>>,
    outputs: FloatTensor<B>,
) -> Lstm<FloatTensor<B>> {
    let (x, outputs) = (wrap::<B, 3>(inputs.x), wrap::<B, 3>(outputs));
    let weight = wrap::<B, 2>(inputs.state_weight);
    let (gates, hiddens, cells) = (wrap::<B, 3>(saved.gates), wrap::<B, 3>(saved.hidden), wrap::<B, 3>(saved.cells));
    let [steps, batch, depth] = x.dims();
    let [_, units] = weight.dims();
    let mut of_cells = step(&outputs, steps);
    let mut carried: Option<Tensor<B, 2>> = None;
    let mut sums = Vec::with_capacity(steps);
    for index in (0..steps).rev() {
        let all = step(&gates, index);
        let [i, f, g, o] = [0, 1, 2, 3].map(|place| gate(&all, place, units));
        let bent = step(&cells, index + 1).tanh();
        let of_step = step(&outputs, index);
        let of_hidden = match carried {
            Some(carried) => carried + of_step,
            None => of_step,
        };
        of_cells = of_cells + of_hidden.clone() * o.clone() * tanh_slope(bent.clone());
        let of_sums = Tensor::cat(
            vec![
                of_cells.clone() * g.clone() * slope(i.clone()),
                of_cells.clone() * step(&cells, index) * slope(f.clone()),
                of_cells.clone() * i * tanh_slope(g),
                of_hidden * bent * slope(o),
            ],
            1,
        );
        of_cells = of_cells * f;
        carried = Some(of_sums.clone().matmul(weight.clone()));
        sums.push(of_sums);
    }
    sums.reverse();
    let sums = Tensor::cat(sums, 0);
    let before = hiddens.narrow(0, 0, steps).reshape([steps * batch, units]);
    let (state_weight, bias) = weights(sums.clone(), before);
    let (input_weight, _) = weights(sums.clone(), x.reshape([steps * batch, depth]));
    let of_x = sums.matmul(wrap::<B, 2>(inputs.input_weight)).reshape([steps, batch, depth]);
    let hidden = carried.unwrap_or_else(|| Tensor::zeros_like(&of_cells));
    Lstm { x: unwrap(of_x), hidden: unwrap(hidden), cells: unwrap(of_cells), input_weight, state_weight, bias }
}

/// See [`Operations::gru_saving`](crate::nn::ops::Operations::gru_saving).
pub fn gru_saving<B: Backend>(inputs: Gru<FloatTensor<B>>) -> (FloatTensor<B>, gru::Saved<FloatTensor<B>>) {
    let x = wrap::<B, 3>(inputs.x);
    let [steps, ..] = x.dims();
    let of_inputs = sums(x, wrap(inputs.input_weight), wrap(inputs.input_bias));
    let weight = wrap::<B, 2>(inputs.state_weight).transpose();
    let bias = wrap::<B, 1>(inputs.state_bias).unsqueeze::<2>();
    let mut hidden = vec![wrap::<B, 2>(inputs.hidden)];
    let [_, units] = hidden[0].dims();
    let mut gates = Vec::with_capacity(steps);
    for index in 0..steps {
        let of_input = step(&of_inputs, index);
        let before = hidden[index].clone();
        let of_state = before.clone().matmul(weight.clone()) + bias.clone();
        let reset = sigmoid(gate(&of_input, 0, units) + gate(&of_state, 0, units));
        let update = sigmoid(gate(&of_input, 1, units) + gate(&of_state, 1, units));
        let inside = gate(&of_state, 2, units);
        let new = (gate(&of_input, 2, units) + reset.clone() * inside.clone()).tanh();
        hidden.push(new.clone() + update.clone() * (before - new.clone()));
        gates.push(Tensor::cat(vec![reset, update, new, inside], 1));
    }
    let hidden = Tensor::stack::<3>(hidden, 0);
    let outputs = hidden.clone().narrow(0, 1, steps);
    let saved = gru::Saved { gates: unwrap(Tensor::stack::<3>(gates, 0)), hidden: unwrap(hidden) };
    (unwrap(outputs), saved)
}

/// See [`Operations::gru_gradient`](crate::nn::ops::Operations::gru_gradient).
pub fn gru_gradient<B: Backend>(
    inputs: Gru<FloatTensor<B>>,
    saved: gru::Saved<FloatTensor<B>>,
    outputs: FloatTensor<B>,
) -> Gru<FloatTensor<B>> {
    let (x, outputs) = (wrap::<B, 3>(inputs.x), wrap::<B, 3>(outputs));
    let weight = wrap::<B, 2>(inputs.state_weight);
    let (gates, hiddens) = (wrap::<B, 3>(saved.gates), wrap::<B, 3>(saved.hidden));
    let [steps, batch, depth] = x.dims();
    let [_, units] = weight.dims();
    let mut carried: Option<Tensor<B, 2>> = None;
    let (mut of_inputs, mut of_states) = (Vec::with_capacity(steps), Vec::with_capacity(steps));
    for index in (0..steps).rev() {
        let all = step(&gates, index);
        let [reset, update, new, inside] = [0, 1, 2, 3].map(|place| gate(&all, place, units));
        let of_step = step(&outputs, index);
        let of_hidden = match carried {
            Some(carried) => carried + of_step,
            None => of_step,
        };
        let of_update = of_hidden.clone() * (step(&hiddens, index) - new.clone()) * slope(update.clone());
        let of_new = (of_hidden.clone() - of_hidden.clone() * update.clone()) * tanh_slope(new);
        let of_reset = of_new.clone() * inside * slope(reset.clone());
        let of_state = Tensor::cat(vec![of_reset.clone(), of_update.clone(), of_new.clone() * reset], 1);
        of_inputs.push(Tensor::cat(vec![of_reset, of_update, of_new], 1));
        carried = Some(of_hidden * update + of_state.clone().matmul(weight.clone()));
        of_states.push(of_state);
    }
    of_inputs.reverse();
    of_states.reverse();
    let (of_inputs, of_states) = (Tensor::cat(of_inputs, 0), Tensor::cat(of_states, 0));
    let hidden = carried.unwrap_or_else(|| step(&hiddens, 0).zeros_like());
    let before = hiddens.narrow(0, 0, steps).reshape([steps * batch, units]);
    let (state_weight, state_bias) = weights(of_states, before);
    let (input_weight, input_bias) = weights(of_inputs.clone(), x.reshape([steps * batch, depth]));
    let of_x = of_inputs.matmul(wrap::<B, 2>(inputs.input_weight)).reshape([steps, batch, depth]);
    Gru { x: unwrap(of_x), hidden: unwrap(hidden), input_weight, state_weight, input_bias, state_bias }
}
