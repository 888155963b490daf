//! The operations of automatic differentiation over a backend that has them.
//!
//! The three convolutions are each other's gradients, so they can be differentiated as often as backends are nested (a critic's
//! gradient penalty takes two). Recurrent layers and the loss have a fused first derivative; where a second one is asked for,
//! the first is made of Burn's operations.

mod convolution;
mod loss;
mod recurrent;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::tensor::ops::{FloatTensor, IntTensor};

use super::operations::Operations;
use super::recurrent::{Gru, Lstm};
use crate::kernels::convolution::Convolution;

impl<B: Operations, C: CheckpointStrategy> Operations for Autodiff<B, C> {
    fn time_conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        convolution: &Convolution,
    ) -> FloatTensor<Self> {
        convolution::time_conv::<B, C>(x, weight, bias, *convolution)
    }

    fn time_conv_input(
        y: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        length: usize,
        convolution: &Convolution,
    ) -> FloatTensor<Self> {
        convolution::time_conv_input::<B, C>(y, weight, bias, length, *convolution)
    }

    fn time_conv_weight(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        kernel: usize,
        convolution: &Convolution,
    ) -> FloatTensor<Self> {
        convolution::time_conv_weight::<B, C>(x, y, kernel, *convolution)
    }

    fn channel_sums(y: FloatTensor<Self>) -> FloatTensor<Self> {
        convolution::channel_sums::<B, C>(y)
    }

    fn lstm_sequence(inputs: Lstm<FloatTensor<Self>>) -> FloatTensor<Self> {
        recurrent::lstm::<B, C>(inputs)
    }

    fn gru_sequence(inputs: Gru<FloatTensor<Self>>) -> FloatTensor<Self> {
        recurrent::gru::<B, C>(inputs)
    }

    fn row_losses(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        loss::row_losses::<B, C>(logits, targets)
    }
}
