//! The operations on tensors.

use burn::tensor::{Int, Tensor};

use super::operations::Operations;
use super::primitive::{unwrap, wrap};
use super::recurrent::{Gru, Lstm};
use crate::kernels::convolution::Convolution;

/// A convolution over time: `[batch, outputs, frames]` of `x` `[batch, inputs, length]`, `weight` `[outputs, inputs, kernel]` and
/// `bias` `[outputs]`.
///
/// # Panics
/// If axes do not fit each other, or the padded input is shorter than a window ([`Convolution::frames`]).
pub fn conv1d<B: Operations>(
    x: Tensor<B, 3>,
    weight: Tensor<B, 3>,
    bias: Option<Tensor<B, 1>>,
    convolution: &Convolution,
) -> Tensor<B, 3> {
    wrap::<B, 3>(B::time_conv(unwrap::<B, _>(x), unwrap::<B, _>(weight), bias.map(unwrap::<B, _>), convolution))
}

/// A transposed convolution over time: `[batch, outputs, length]` of `x` `[batch, inputs, frames]`, `weight` `[inputs, outputs,
/// kernel]` and `bias` `[outputs]`. `length` is at least [`Convolution::transposed_length`] and less than a stride more:
/// PyTorch's `output_padding` is the difference.
///
/// # Panics
/// If axes do not fit each other, or no input of `length` frames has as many windows as `x` has frames.
pub fn conv_transpose1d<B: Operations>(
    x: Tensor<B, 3>,
    weight: Tensor<B, 3>,
    bias: Option<Tensor<B, 1>>,
    length: usize,
    convolution: &Convolution,
) -> Tensor<B, 3> {
    wrap::<B, 3>(B::time_conv_input(
        unwrap::<B, _>(x),
        unwrap::<B, _>(weight),
        bias.map(unwrap::<B, _>),
        length,
        convolution,
    ))
}

/// An LSTM over a sequence: the outputs of all steps, `[steps, batch, units]`, and the state after the last one, outputs and
/// cells. For truncated backpropagation, detach the state before it goes into the next chunk.
///
/// # Panics
/// If axes do not fit each other, or there is no step.
pub fn lstm<B: Operations>(
    x: Tensor<B, 3>,
    (hidden, cells): (Tensor<B, 2>, Tensor<B, 2>),
    input_weight: Tensor<B, 2>,
    state_weight: Tensor<B, 2>,
    bias: Tensor<B, 1>,
) -> (Tensor<B, 3>, (Tensor<B, 2>, Tensor<B, 2>)) {
    let [steps, ..] = x.dims();
    let inputs = Lstm {
        x: unwrap::<B, _>(x),
        hidden: unwrap::<B, _>(hidden),
        cells: unwrap::<B, _>(cells),
        input_weight: unwrap::<B, _>(input_weight),
        state_weight: unwrap::<B, _>(state_weight),
        bias: unwrap::<B, _>(bias),
    };
    let all = wrap::<B, 3>(B::lstm_sequence(inputs));
    let last = |index| all.clone().narrow(0, index, 1).squeeze_dim(0);
    let state = (last(steps - 1), last(steps));
    (all.narrow(0, 0, steps), state)
}

/// A GRU over a sequence: the states after all steps, `[steps, batch, units]`, and the last of them.
///
/// # Panics
/// If axes do not fit each other, or there is no step.
pub fn gru<B: Operations>(
    x: Tensor<B, 3>,
    hidden: Tensor<B, 2>,
    (input_weight, input_bias): (Tensor<B, 2>, Tensor<B, 1>),
    (state_weight, state_bias): (Tensor<B, 2>, Tensor<B, 1>),
) -> (Tensor<B, 3>, Tensor<B, 2>) {
    let [steps, ..] = x.dims();
    let inputs = Gru {
        x: unwrap::<B, _>(x),
        hidden: unwrap::<B, _>(hidden),
        input_weight: unwrap::<B, _>(input_weight),
        state_weight: unwrap::<B, _>(state_weight),
        input_bias: unwrap::<B, _>(input_bias),
        state_bias: unwrap::<B, _>(state_bias),
    };
    let all = wrap::<B, 3>(B::gru_sequence(inputs));
    let last = all.clone().narrow(0, steps - 1, 1).squeeze_dim(0);
    (all, last)
}

/// Softmax cross-entropy in nats of each row of `logits` `[rows, classes]` against its class.
///
/// # Panics
/// If there are not as many targets as rows, or one is no class.
pub fn softmax_loss<B: Operations>(logits: Tensor<B, 2>, targets: Tensor<B, 1, Int>) -> Tensor<B, 1> {
    wrap::<B, 1>(B::row_losses(unwrap::<B, _>(logits), targets.into_primitive()))
}
