//! Convolutions over time of Burn's own.

use burn::tensor::backend::Backend;
use burn::tensor::module;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, FloatTensor};
use burn::tensor::{DType, Tensor};

use crate::kernels::convolution::Convolution;
use crate::nn::ops::primitive::{unwrap, wrap};

/// Zeros of the type and on the device of another tensor.
fn zeros_like<B: Backend>(like: &Tensor<B, 3>, shape: [usize; 3]) -> Tensor<B, 3> {
    let dtype: DType = like.dtype();
    Tensor::zeros(shape, (&like.device(), dtype))
}

/// `length` frames of `x`, from `padding` frames before its first one on; zero where it has none.
fn window<B: Backend>(x: Tensor<B, 3>, padding: usize, length: usize) -> Tensor<B, 3> {
    let [batch, channels, frames] = x.dims();
    let kept = frames.min(length.saturating_sub(padding));
    let after = length.saturating_sub(padding + kept);
    let mut parts = Vec::new();
    if padding > 0 {
        parts.push(zeros_like(&x, [batch, channels, padding.min(length)]));
    }
    if after > 0 {
        parts.push(zeros_like(&x, [batch, channels, after]));
    }
    if kept > 0 {
        let x = if kept < frames { x.narrow(2, 0, kept) } else { x };
        parts.insert(usize::from(padding > 0), x);
    }
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => Tensor::cat(parts, 2),
    }
}

/// The frames that the windows of a convolution read.
fn read<B: Backend>(x: Tensor<B, 3>, kernel: usize, convolution: &Convolution) -> Tensor<B, 3> {
    let [_, _, length] = x.dims();
    let frames = convolution.frames(length, kernel);
    assert!(frames.is_some(), "{length} frames are no input of {convolution:?} with {kernel} taps");
    let frames = frames.unwrap_or(1);
    window(x, convolution.padding.0, (frames - 1) * convolution.stride + convolution.reach(kernel))
}

/// See [`Operations::time_conv`](crate::nn::ops::Operations::time_conv).
pub fn time_conv<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    convolution: &Convolution,
) -> FloatTensor<B> {
    let weight = wrap::<B, 3>(weight);
    let x = read(wrap::<B, 3>(x), weight.dims()[2], convolution);
    let options = ConvOptions::new([convolution.stride], [0], [convolution.dilation], 1);
    unwrap(module::conv1d(x, weight, bias.map(wrap::<B, 1>), options))
}

/// See [`Operations::time_conv_input`](crate::nn::ops::Operations::time_conv_input).
///
/// # Panics
/// If `y` has not as many frames as the convolution makes of `length`: a mistake in the caller.
pub fn time_conv_input<B: Backend>(
    y: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    length: usize,
    convolution: &Convolution,
) -> FloatTensor<B> {
    let (y, weight) = (wrap::<B, 3>(y), wrap::<B, 3>(weight));
    assert_eq!(
        convolution.frames(length, weight.dims()[2]),
        Some(y.dims()[2]),
        "frames of {convolution:?} over {length} frames"
    );
    let options = ConvTransposeOptions::new([convolution.stride], [0], [0], [convolution.dilation], 1);
    let all = module::conv_transpose1d(y, weight, None, options);
    let (before, [_, _, reached]) = (convolution.padding.0, all.dims());
    let all = if reached < before + length { window(all, 0, before + length) } else { all };
    let x = all.narrow(2, before, length);
    unwrap(match bias {
        Some(bias) => x + wrap::<B, 1>(bias).unsqueeze::<2>().swap_dims(0, 1).unsqueeze::<3>(),
        None => x,
    })
}

/// See [`Operations::time_conv_weight`](crate::nn::ops::Operations::time_conv_weight).
pub fn time_conv_weight<B: Backend>(
    x: FloatTensor<B>,
    y: FloatTensor<B>,
    kernel: usize,
    convolution: &Convolution,
) -> FloatTensor<B> {
    let x = read(wrap::<B, 3>(x), kernel, convolution);
    // Each tap is a window over all frames: sequences are summed as channels are elsewhere.
    let options = ConvOptions::new([convolution.dilation], [0], [convolution.stride], 1);
    let turned = module::conv1d(x.swap_dims(0, 1), wrap::<B, 3>(y).swap_dims(0, 1), None, options);
    unwrap(turned.swap_dims(0, 1))
}

/// See [`Operations::channel_sums`](crate::nn::ops::Operations::channel_sums).
pub fn channel_sums<B: Backend>(y: FloatTensor<B>) -> FloatTensor<B> {
    let y = wrap::<B, 3>(y);
    let [_, channels, _] = y.dims();
    unwrap(y.sum_dim(0).sum_dim(2).reshape([channels]))
}
