use burn::backend::Flex;
use burn::tensor::{DType, Tensor};
use continuo_trainer::nn::ops::{gru, lstm};
use continuo_trainer::random::Random;

use crate::common::{Once, assert_near, differences, noise, random, read, tensor};

/// Steps, batch, inputs, units.
type Shape = [usize; 4];

/// Among them fewer and more units than a vector holds, and what is worth sharing among threads.
const SHAPES: [Shape; 5] = [[1, 1, 1, 1], [5, 3, 2, 4], [4, 2, 19, 16], [3, 7, 5, 33], [2, 1, 17, 31]];

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Every array of a layer in one vector, and where each ends.
struct Layer {
    shape: Shape,
    values: Vec<f64>,
    sizes: Vec<usize>,
    /// What the outputs and the last states are multiplied with for a loss.
    weights: Vec<f64>,
}

impl Layer {
    fn new(shape: Shape, gates: usize, states: usize, biases: usize, rng: &mut Random) -> Self {
        let [steps, batch, inputs, units] = shape;
        let mut sizes = vec![steps * batch * inputs];
        sizes.extend(vec![batch * units; states]);
        sizes.extend([gates * units * inputs, gates * units * units]);
        sizes.extend(vec![gates * units; biases]);
        let values = noise(sizes.iter().sum(), rng);
        Self { shape, values, sizes, weights: noise((steps + states) * batch * units, rng) }
    }

    fn parts<'a>(&self, values: &'a [f64]) -> Vec<&'a [f64]> {
        let mut rest = values;
        let mut part = |&size: &usize| {
            let (here, after) = rest.split_at(size);
            rest = after;
            here
        };
        self.sizes.iter().map(&mut part).collect()
    }

    /// The weighted sum of outputs and last states.
    fn loss(&self, outputs: &[f64]) -> f64 {
        outputs.iter().zip(&self.weights).map(|(y, weight)| y * weight).sum()
    }
}

/// Σ weight[row, i] · x[i]
fn dot(weight: &[f64], row: usize, x: &[f64]) -> f64 {
    weight[row * x.len()..].iter().zip(x).map(|(a, b)| a * b).sum()
}

/// PyTorch's equations: the outputs of all steps, then the last outputs and the last cells.
fn lstm_by_hand(layer: &Layer, values: &[f64]) -> Vec<f64> {
    let [steps, batch, inputs, units] = layer.shape;
    let parts = layer.parts(values);
    let [x, h, c, wx, wh, b] = parts[..] else { panic!("six arrays") };
    let (mut h, mut c, mut outputs) = (h.to_vec(), c.to_vec(), Vec::new());
    for step in 0..steps {
        let before = h.clone();
        for row in 0..batch {
            let x = &x[(step * batch + row) * inputs..][..inputs];
            let state = &before[row * units..][..units];
            for unit in 0..units {
                let sum = |gate: usize| {
                    let at = gate * units + unit;
                    dot(wx, at, x) + dot(wh, at, state) + b[at]
                };
                let cell = &mut c[row * units + unit];
                *cell = sigmoid(sum(1)) * *cell + sigmoid(sum(0)) * sum(2).tanh();
                h[row * units + unit] = sigmoid(sum(3)) * cell.tanh();
            }
        }
        outputs.extend(&h);
    }
    outputs.extend(h.iter().chain(&c));
    outputs
}

/// PyTorch's equations: the states after all steps, then the last one.
fn gru_by_hand(layer: &Layer, values: &[f64]) -> Vec<f64> {
    let [steps, batch, inputs, units] = layer.shape;
    let parts = layer.parts(values);
    let [x, h, wx, wh, bx, bh] = parts[..] else { panic!("six arrays") };
    let (mut h, mut outputs) = (h.to_vec(), Vec::new());
    for step in 0..steps {
        let before = h.clone();
        for row in 0..batch {
            let x = &x[(step * batch + row) * inputs..][..inputs];
            let state = &before[row * units..][..units];
            for unit in 0..units {
                let of_x = |gate: usize| dot(wx, gate * units + unit, x) + bx[gate * units + unit];
                let of_h = |gate: usize| dot(wh, gate * units + unit, state) + bh[gate * units + unit];
                let reset = sigmoid(of_x(0) + of_h(0));
                let update = sigmoid(of_x(1) + of_h(1));
                let new = (of_x(2) + reset * of_h(2)).tanh();
                h[row * units + unit] = (1.0 - update) * new + update * state[unit];
            }
        }
        outputs.extend(&h);
    }
    outputs.extend(&h);
    outputs
}

/// Outputs with last states, and the gradients of the loss, through `nn::ops`.
fn through_ops(layer: &Layer, dtype: DType, is_lstm: bool) -> (Vec<f64>, Vec<f64>) {
    let [steps, batch, inputs, units] = layer.shape;
    let gates = if is_lstm { 4 } else { 3 };
    let parts = layer.parts(&layer.values);
    let x = tensor::<Once, 3>(parts[0], [steps, batch, inputs], dtype).require_grad();
    let matrix = |index: usize, shape: [usize; 2]| tensor::<Once, 2>(parts[index], shape, dtype).require_grad();
    let vector = |index: usize| tensor::<Once, 1>(parts[index], [gates * units], dtype).require_grad();
    let hidden = matrix(1, [batch, units]);
    let all = |tensors: Vec<Tensor<Once, 1>>| Tensor::cat(tensors, 0);
    let weights = tensor::<Once, 1>(&layer.weights, [layer.weights.len()], dtype);
    if is_lstm {
        let cells = matrix(2, [batch, units]);
        let (input, state) = (matrix(3, [gates * units, inputs]), matrix(4, [gates * units, units]));
        let bias = vector(5);
        let (y, (h, c)) = lstm(x.clone(), (hidden.clone(), cells.clone()), input.clone(), state.clone(), bias.clone());
        let outputs = all(vec![y.flatten(0, 2), h.flatten(0, 1), c.flatten(0, 1)]);
        let of = (outputs.clone() * weights).sum().backward();
        let mut gradients = read(x.grad(&of).unwrap());
        for tensor in [hidden, cells, input, state] {
            gradients.extend(read(tensor.grad(&of).unwrap()));
        }
        gradients.extend(read(bias.grad(&of).unwrap()));
        return (read(outputs), gradients);
    }
    let (input, state) = (matrix(2, [gates * units, inputs]), matrix(3, [gates * units, units]));
    let (input_bias, state_bias) = (vector(4), vector(5));
    let (y, h) =
        gru(x.clone(), hidden.clone(), (input.clone(), input_bias.clone()), (state.clone(), state_bias.clone()));
    let outputs = all(vec![y.flatten(0, 2), h.flatten(0, 1)]);
    let of = (outputs.clone() * weights).sum().backward();
    let mut gradients = read(x.grad(&of).unwrap());
    for tensor in [hidden, input, state] {
        gradients.extend(read(tensor.grad(&of).unwrap()));
    }
    for tensor in [input_bias, state_bias] {
        gradients.extend(read(tensor.grad(&of).unwrap()));
    }
    (read(outputs), gradients)
}

fn check(is_lstm: bool) {
    let mut rng = random(if is_lstm { 10 } else { 11 });
    for shape in SHAPES {
        let layer = if is_lstm { Layer::new(shape, 4, 2, 1, &mut rng) } else { Layer::new(shape, 3, 1, 2, &mut rng) };
        let by_hand = |values: &[f64]| {
            if is_lstm { lstm_by_hand(&layer, values) } else { gru_by_hand(&layer, values) }
        };
        let expected = by_hand(&layer.values);
        let slopes = differences(&layer.values, |values| layer.loss(&by_hand(values)));
        for (dtype, tolerance, of_slopes) in [(DType::F32, 2e-6, 1e-4), (DType::F64, 1e-13, 1e-8)] {
            let (outputs, gradients) = through_ops(&layer, dtype, is_lstm);
            assert_near(&outputs, &expected, tolerance, &format!("outputs {shape:?} {dtype:?}"));
            let mut place = 0;
            for (index, size) in layer.sizes.iter().enumerate() {
                let part = place..place + size;
                let what = format!("gradient {index} {shape:?} {dtype:?}");
                assert_near(&gradients[part.clone()], &slopes[part], of_slopes, &what);
                place += size;
            }
        }
    }
}

#[test]
fn an_lstm_and_its_gradients_are_the_equations() {
    check(true);
}

#[test]
fn a_gru_and_its_gradients_are_the_equations() {
    check(false);
}

#[test]
fn kernels_are_the_equations_at_every_level() {
    use continuo_trainer::kernels::Level;
    use continuo_trainer::kernels::recurrent::sequence::Axes;
    use continuo_trainer::kernels::recurrent::{gru, lstm};

    use crate::common::single;
    let mut rng = random(14);
    for shape in SHAPES {
        let [steps, batch, inputs, units] = shape;
        let axes = Axes { steps, batch, inputs, units };
        let of_lstm = Layer::new(shape, 4, 2, 1, &mut rng);
        let of_gru = Layer::new(shape, 3, 1, 2, &mut rng);
        let [lstm_parts, gru_parts] =
            [&of_lstm, &of_gru].map(|layer| layer.parts(&layer.values).into_iter().map(single).collect::<Vec<_>>());
        let lstm_expected = lstm_by_hand(&of_lstm, &of_lstm.values);
        let gru_expected = gru_by_hand(&of_gru, &of_gru.values);
        let mut gradients = Vec::new();
        for level in Level::available() {
            let [x, h, c, input, state, bias] = &lstm_parts[..] else { panic!("six arrays") };
            let weights = lstm::Weights { input, state, bias };
            let (outputs, saved) = lstm::forward(level, &axes, x, (h, c), &weights);
            let found: Vec<f64> = outputs.iter().map(|&y| f64::from(y)).collect();
            assert_near(&found[..steps * batch * units], &lstm_expected[..steps * batch * units], 2e-6, "LSTM");
            let saved = lstm::Saved { gates: &saved.gates[..], hidden: &saved.hidden[..], cells: &saved.cells[..] };
            let back = lstm::backward(level, &axes, x, &weights, &saved, &outputs);
            let [x, h, input, state, input_bias, state_bias] = &gru_parts[..] else { panic!("six arrays") };
            let weights = gru::Weights { input, state, input_bias, state_bias };
            let (outputs, saved) = gru::forward(level, &axes, x, h, &weights);
            let found: Vec<f64> = outputs.iter().map(|&y| f64::from(y)).collect();
            assert_near(&found, &gru_expected[..steps * batch * units], 2e-6, "GRU");
            let saved = gru::Saved { gates: &saved.gates[..], hidden: &saved.hidden[..] };
            let again = gru::backward(level, &axes, x, &weights, &saved, &outputs);
            let all = [back.x, back.hidden, back.cells, back.input, back.state, back.bias, again.x, again.hidden]
                .into_iter()
                .chain([again.input, again.state, again.input_bias, again.state_bias]);
            gradients.push(all.flatten().map(f64::from).collect::<Vec<_>>());
        }
        for other in &gradients {
            assert_near(other, &gradients[0], 1e-5, "gradients of another level");
        }
    }
}

#[test]
fn two_chunks_with_a_carried_state_are_one_sequence() {
    let mut rng = random(12);
    let layer = Layer::new([6, 2, 3, 5], 4, 2, 1, &mut rng);
    let parts = layer.parts(&layer.values);
    let x = tensor::<Flex, 3>(parts[0], [6, 2, 3], DType::F32);
    let [hidden, cells] = [1, 2].map(|index| tensor::<Flex, 2>(parts[index], [2, 5], DType::F32));
    let (input, state) = (tensor::<Flex, 2>(parts[3], [20, 3], DType::F32), tensor(parts[4], [20, 5], DType::F32));
    let bias = tensor::<Flex, 1>(parts[5], [20], DType::F32);
    let over = |x: Tensor<Flex, 3>, before| lstm(x, before, input.clone(), state.clone(), bias.clone());
    let (whole, last) = over(x.clone(), (hidden.clone(), cells.clone()));
    let (first, between) = over(x.clone().narrow(0, 0, 2), (hidden, cells));
    let (second, end) = over(x.narrow(0, 2, 4), between);
    assert_eq!(read(whole), [read(first), read(second)].concat());
    assert_eq!((read(last.0), read(last.1)), (read(end.0), read(end.1)));
}

#[test]
#[should_panic(expected = "the axes of the LSTM's weights of the state")]
fn weights_that_do_not_fit_are_refused() {
    let zeros = |shape: [usize; 2]| tensor::<Flex, 2>(&vec![0.0; shape[0] * shape[1]], shape, DType::F32);
    let x = tensor::<Flex, 3>(&[0.0; 6], [1, 2, 3], DType::F32);
    let bias = tensor::<Flex, 1>(&[0.0; 8], [8], DType::F32);
    let _ = lstm(x, (zeros([2, 2]), zeros([2, 2])), zeros([8, 3]), zeros([8, 3]), bias);
}
