//! The operations of the CPU's backend: our kernels for f32, Burn's own operations for every other type.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Element, TensorData, TensorMetadata as _};

use super::default;
use super::operations::Operations;
use super::recurrent::{Gru, Lstm};
use crate::kernels::Level;
use crate::kernels::convolution::{self, Axes, Convolution};
use crate::kernels::recurrent::{gru, lstm, sequence};
use crate::kernels::rows::{ChannelSums, RowLoss};

/// Whether our kernels can compute with all of these.
fn ours<'a>(tensors: impl IntoIterator<Item = &'a FlexTensor>) -> bool {
    tensors.into_iter().all(|tensor| tensor.dtype() == DType::F32)
}

/// The values of a tensor whose axes lie straight on.
fn values<E: Element + bytemuck::Pod>(tensor: &FlexTensor) -> &[E] {
    tensor.as_slice().unwrap_or_default()
}

/// Tensors whose axes lie straight on; copied where they did not.
fn straight<const N: usize>(tensors: [FlexTensor; N]) -> [FlexTensor; N] {
    tensors.map(|tensor| tensor.to_contiguous())
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn axes<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.shape().dims()
}

/// The bias of an output with so many channels, or nothing.
fn bias_values(bias: Option<&FlexTensor>, channels: usize) -> &[f32] {
    let values = bias.map_or(&[][..], values);
    assert!(values.is_empty() || values.len() == channels, "{} biases of {channels} channels", values.len());
    values
}

impl Operations for Flex {
    fn time_conv(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>, convolution: &Convolution) -> FlexTensor {
        if !ours([&x, &weight].into_iter().chain(&bias)) {
            return default::convolution::time_conv::<Self>(x, weight, bias, convolution);
        }
        let [x, weight] = straight([x, weight]);
        let bias = bias.map(|bias| bias.to_contiguous());
        let ([batch, inputs, length], [outputs, of_weight, kernel]) = (axes(&x), axes(&weight));
        assert_eq!(inputs, of_weight, "channels of the input and of the weights");
        let frames = convolution.frames(length, kernel);
        assert!(frames.is_some(), "{length} frames are no input of {convolution:?} with {kernel} taps");
        let axes = Axes { batch, inputs, outputs, kernel, length, frames: frames.unwrap_or(0) };
        let mut y = vec![0.0; batch * outputs * axes.frames];
        let from = (values(&x), values(&weight), bias_values(bias.as_ref(), outputs));
        convolution::forward(Level::detect(), convolution, &axes, from, &mut y);
        tensor(y, [batch, outputs, axes.frames])
    }

    fn time_conv_input(
        y: FlexTensor,
        weight: FlexTensor,
        bias: Option<FlexTensor>,
        length: usize,
        convolution: &Convolution,
    ) -> FlexTensor {
        if !ours([&y, &weight].into_iter().chain(&bias)) {
            return default::convolution::time_conv_input::<Self>(y, weight, bias, length, convolution);
        }
        let [y, weight] = straight([y, weight]);
        let bias = bias.map(|bias| bias.to_contiguous());
        let ([batch, outputs, frames], [of_weight, inputs, kernel]) = (axes(&y), axes(&weight));
        assert_eq!(outputs, of_weight, "channels of the windows and of the weights");
        let axes = Axes { batch, inputs, outputs, kernel, length, frames };
        let mut x = vec![0.0; batch * inputs * length];
        let from = (values(&y), values(&weight), bias_values(bias.as_ref(), inputs));
        convolution::input_gradient(Level::detect(), convolution, &axes, from, &mut x);
        tensor(x, [batch, inputs, length])
    }

    fn time_conv_weight(x: FlexTensor, y: FlexTensor, kernel: usize, convolution: &Convolution) -> FlexTensor {
        if !ours([&x, &y]) {
            return default::convolution::time_conv_weight::<Self>(x, y, kernel, convolution);
        }
        let [x, y] = straight([x, y]);
        let ([batch, inputs, length], [of_y, outputs, frames]) = (axes(&x), axes(&y));
        assert_eq!(batch, of_y, "sequences of the input and of the output");
        let axes = Axes { batch, inputs, outputs, kernel, length, frames };
        let mut weight = vec![0.0; outputs * inputs * kernel];
        let from = (values(&x), values(&y));
        convolution::weight_gradient(Level::detect(), convolution, &axes, from, &mut weight);
        tensor(weight, [outputs, inputs, kernel])
    }

    fn channel_sums(y: FlexTensor) -> FlexTensor {
        if !ours([&y]) {
            return default::convolution::channel_sums::<Self>(y);
        }
        let [y] = straight([y]);
        let [_, channels, frames] = axes(&y);
        let mut sums = vec![0.0; channels];
        Level::detect().run(ChannelSums { from: values(&y), frames, to: &mut sums });
        tensor(sums, [channels])
    }

    fn lstm_saving(inputs: Lstm<FlexTensor>) -> (FlexTensor, lstm::Saved<FlexTensor>) {
        let all = <[FlexTensor; 6]>::from(inputs);
        if !ours(&all) {
            return default::recurrent::lstm_saving::<Self>(all.into());
        }
        let all = Lstm::from(straight(all));
        let shape = lstm_axes(&all);
        let state = (values(&all.hidden), values(&all.cells));
        let (outputs, saved) = lstm::forward(Level::detect(), &shape, values(&all.x), state, &lstm_weights(&all));
        let rows = |values: Vec<f32>| {
            let rows = values.len() / shape.batch.max(1);
            tensor(values, [shape.batch, rows])
        };
        let saved = lstm::Saved { gates: rows(saved.gates), hidden: rows(saved.hidden), cells: rows(saved.cells) };
        (tensor(outputs, [shape.steps + 1, shape.batch, shape.units]), saved)
    }

    fn lstm_gradient(
        inputs: Lstm<FlexTensor>,
        saved: lstm::Saved<FlexTensor>,
        outputs: FlexTensor,
    ) -> Lstm<FlexTensor> {
        let all = <[FlexTensor; 6]>::from(inputs);
        if !ours(all.iter().chain([&outputs])) {
            return default::recurrent::lstm_gradient::<Self>(all.into(), saved, outputs);
        }
        let all = Lstm::from(straight(all));
        let [outputs] = straight([outputs]);
        let shape = lstm_axes(&all);
        let sequence::Axes { steps, batch, inputs, units } = shape;
        let saved =
            lstm::Saved { gates: values(&saved.gates), hidden: values(&saved.hidden), cells: values(&saved.cells) };
        let weights = lstm_weights(&all);
        let of = lstm::backward(Level::detect(), &shape, values(&all.x), &weights, &saved, values(&outputs));
        Lstm {
            x: tensor(of.x, [steps, batch, inputs]),
            hidden: tensor(of.hidden, [batch, units]),
            cells: tensor(of.cells, [batch, units]),
            input_weight: tensor(of.input, [4 * units, inputs]),
            state_weight: tensor(of.state, [4 * units, units]),
            bias: tensor(of.bias, [4 * units]),
        }
    }

    fn gru_saving(inputs: Gru<FlexTensor>) -> (FlexTensor, gru::Saved<FlexTensor>) {
        let all = <[FlexTensor; 6]>::from(inputs);
        if !ours(&all) {
            return default::recurrent::gru_saving::<Self>(all.into());
        }
        let all = Gru::from(straight(all));
        let shape = gru_axes(&all);
        let (outputs, saved) =
            gru::forward(Level::detect(), &shape, values(&all.x), values(&all.hidden), &gru_weights(&all));
        let rows = |values: Vec<f32>| {
            let rows = values.len() / shape.batch.max(1);
            tensor(values, [shape.batch, rows])
        };
        let saved = gru::Saved { gates: rows(saved.gates), hidden: rows(saved.hidden) };
        (tensor(outputs, [shape.steps, shape.batch, shape.units]), saved)
    }

    fn gru_gradient(inputs: Gru<FlexTensor>, saved: gru::Saved<FlexTensor>, outputs: FlexTensor) -> Gru<FlexTensor> {
        let all = <[FlexTensor; 6]>::from(inputs);
        if !ours(all.iter().chain([&outputs])) {
            return default::recurrent::gru_gradient::<Self>(all.into(), saved, outputs);
        }
        let all = Gru::from(straight(all));
        let [outputs] = straight([outputs]);
        let shape = gru_axes(&all);
        let sequence::Axes { steps, batch, inputs, units } = shape;
        let saved = gru::Saved { gates: values(&saved.gates), hidden: values(&saved.hidden) };
        let weights = gru_weights(&all);
        let of = gru::backward(Level::detect(), &shape, values(&all.x), &weights, &saved, values(&outputs));
        Gru {
            x: tensor(of.x, [steps, batch, inputs]),
            hidden: tensor(of.hidden, [batch, units]),
            input_weight: tensor(of.input, [3 * units, inputs]),
            state_weight: tensor(of.state, [3 * units, units]),
            input_bias: tensor(of.input_bias, [3 * units]),
            state_bias: tensor(of.state_bias, [3 * units]),
        }
    }

    fn row_losses_saving(logits: FlexTensor, targets: FlexTensor) -> (FlexTensor, FlexTensor) {
        let targets = targets.to_contiguous();
        let classes_of: Vec<usize> = match targets.dtype() {
            DType::I32 => {
                values::<i32>(&targets).iter().map(|&class| usize::try_from(class).unwrap_or(usize::MAX)).collect()
            }
            DType::I64 => {
                values::<i64>(&targets).iter().map(|&class| usize::try_from(class).unwrap_or(usize::MAX)).collect()
            }
            _ => return default::loss::row_losses_saving::<Self>(logits, targets),
        };
        if !ours([&logits]) {
            return default::loss::row_losses_saving::<Self>(logits, targets);
        }
        let [logits] = straight([logits]);
        let [rows, classes] = axes(&logits);
        assert_eq!(rows, classes_of.len(), "rows of logits and targets");
        let wrong = classes_of.iter().find(|&&class| class >= classes);
        assert!(wrong.is_none(), "target {wrong:?} of {classes} classes");
        let (mut losses, mut gradient) = (vec![0.0; rows], vec![0.0; rows * classes]);
        Level::detect().run(RowLoss {
            logits: values(&logits),
            classes,
            targets: &classes_of,
            losses: &mut losses,
            gradient: &mut gradient,
        });
        (tensor(losses, [rows]), tensor(gradient, [rows, classes]))
    }
}

/// The axes of an LSTM's inputs, which must fit each other.
fn lstm_axes(all: &Lstm<FlexTensor>) -> sequence::Axes {
    let ([steps, batch, inputs], [_, units]) = (axes(&all.x), axes(&all.hidden));
    for (name, tensor, expected) in [
        ("initial outputs", &all.hidden, vec![batch, units]),
        ("initial cells", &all.cells, vec![batch, units]),
        ("weights of the inputs", &all.input_weight, vec![4 * units, inputs]),
        ("weights of the state", &all.state_weight, vec![4 * units, units]),
        ("bias", &all.bias, vec![4 * units]),
    ] {
        assert_eq!(tensor.shape().to_vec(), expected, "the axes of the LSTM's {name}");
    }
    sequence::Axes { steps, batch, inputs, units }
}

fn lstm_weights(all: &Lstm<FlexTensor>) -> lstm::Weights<'_> {
    lstm::Weights { input: values(&all.input_weight), state: values(&all.state_weight), bias: values(&all.bias) }
}

/// The axes of a GRU's inputs, which must fit each other.
fn gru_axes(all: &Gru<FlexTensor>) -> sequence::Axes {
    let ([steps, batch, inputs], [_, units]) = (axes(&all.x), axes(&all.hidden));
    for (name, tensor, expected) in [
        ("initial state", &all.hidden, vec![batch, units]),
        ("weights of the inputs", &all.input_weight, vec![3 * units, inputs]),
        ("weights of the state", &all.state_weight, vec![3 * units, units]),
        ("bias of the inputs", &all.input_bias, vec![3 * units]),
        ("bias of the state", &all.state_bias, vec![3 * units]),
    ] {
        assert_eq!(tensor.shape().to_vec(), expected, "the axes of the GRU's {name}");
    }
    sequence::Axes { steps, batch, inputs, units }
}

fn gru_weights(all: &Gru<FlexTensor>) -> gru::Weights<'_> {
    gru::Weights {
        input: values(&all.input_weight),
        state: values(&all.state_weight),
        input_bias: values(&all.input_bias),
        state_bias: values(&all.state_bias),
    }
}
