//! The operations as a backend has them.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};

use super::default;
use super::recurrent::{Gru, Lstm};
use crate::kernels::convolution::Convolution;
use crate::kernels::recurrent::{gru, lstm};

/// A backend with these operations. Each has a default of Burn's own, so that `impl Operations for ABackend {}` is enough.
///
/// Axes that do not fit each other panic, as they do in Burn's own operations; [`Convolution::frames`] and
/// [`Convolution::transposed_length`] say beforehand what fits. What `…_saving` saves is the backend's own: only its
/// `…_gradient` reads it.
pub trait Operations: Backend {
    /// `y[b, o, t] = bias[o] + Σ x[b, c, t · stride + k · dilation − padding] · weight[o, c, k]`: `[batch, outputs, frames]` of
    /// `x` `[batch, inputs, length]`, `weight` `[outputs, inputs, kernel]` and `bias` `[outputs]`.
    fn time_conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        convolution: &Convolution,
    ) -> FloatTensor<Self> {
        default::convolution::time_conv::<Self>(x, weight, bias, convolution)
    }

    /// The gradient of [`Operations::time_conv`] for an input of `length` frames, plus `bias` `[inputs]`: a transposed
    /// convolution. `y` is `[batch, outputs, frames]`; gives `[batch, inputs, length]`.
    fn time_conv_input(
        y: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        length: usize,
        convolution: &Convolution,
    ) -> FloatTensor<Self> {
        default::convolution::time_conv_input::<Self>(y, weight, bias, length, convolution)
    }

    /// The gradient of [`Operations::time_conv`] for weights of `kernel` taps, `[outputs, inputs, kernel]`, of the input `x` and
    /// the output's gradient `y`.
    fn time_conv_weight(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        kernel: usize,
        convolution: &Convolution,
    ) -> FloatTensor<Self> {
        default::convolution::time_conv_weight::<Self>(x, y, kernel, convolution)
    }

    /// `[channels]`: the sums of `[batch, channels, frames]` over batch and frames.
    fn channel_sums(y: FloatTensor<Self>) -> FloatTensor<Self> {
        default::convolution::channel_sums::<Self>(y)
    }

    /// An LSTM over a sequence (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000): `[steps + 1, batch,
    /// units]`, the outputs of all steps and then the last cells.
    fn lstm_sequence(inputs: Lstm<FloatTensor<Self>>) -> FloatTensor<Self> {
        Self::lstm_saving(inputs).0
    }

    /// The same, with what the way back needs.
    fn lstm_saving(inputs: Lstm<FloatTensor<Self>>) -> (FloatTensor<Self>, lstm::Saved<FloatTensor<Self>>) {
        default::recurrent::lstm_saving::<Self>(inputs)
    }

    /// The gradients of the inputs, of `outputs`, the gradient of what [`Operations::lstm_sequence`] gave.
    fn lstm_gradient(
        inputs: Lstm<FloatTensor<Self>>,
        saved: lstm::Saved<FloatTensor<Self>>,
        outputs: FloatTensor<Self>,
    ) -> Lstm<FloatTensor<Self>> {
        default::recurrent::lstm_gradient::<Self>(inputs, saved, outputs)
    }

    /// A GRU over a sequence (Cho et al. 2014, in the form of cuDNN and PyTorch): `[steps, batch, units]`, the states after all
    /// steps.
    fn gru_sequence(inputs: Gru<FloatTensor<Self>>) -> FloatTensor<Self> {
        Self::gru_saving(inputs).0
    }

    /// The same, with what the way back needs.
    fn gru_saving(inputs: Gru<FloatTensor<Self>>) -> (FloatTensor<Self>, gru::Saved<FloatTensor<Self>>) {
        default::recurrent::gru_saving::<Self>(inputs)
    }

    /// The gradients of the inputs, of `outputs`, the gradient of what [`Operations::gru_sequence`] gave.
    fn gru_gradient(
        inputs: Gru<FloatTensor<Self>>,
        saved: gru::Saved<FloatTensor<Self>>,
        outputs: FloatTensor<Self>,
    ) -> Gru<FloatTensor<Self>> {
        default::recurrent::gru_gradient::<Self>(inputs, saved, outputs)
    }

    /// Softmax cross-entropy in nats of each row of `logits` `[rows, classes]` against its class in `targets` `[rows]`.
    fn row_losses(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        Self::row_losses_saving(logits, targets).0
    }

    /// The same, and their gradient `[rows, classes]`: softmax − one-hot.
    fn row_losses_saving(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        default::loss::row_losses_saving::<Self>(logits, targets)
    }
}

#[cfg(feature = "cuda")]
impl Operations for burn::backend::Cuda {}
