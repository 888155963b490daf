//! Convolutions over time: forward, and the gradients of the input and of the weights.
//!
//! A transposed convolution is the gradient of the input, and its own gradients are the other two: the three are closed under
//! differentiation. Each is a matrix product for which no window is copied. Long sequences lie along the vectors, as they do in
//! memory (`along_time`); where they are shorter than what vectors hold, channels do (`frame_major`).

mod along_time;
mod axes;
mod frame_major;
mod weights;

pub use axes::{Axes, Convolution};

use super::{LANES, Level};

/// Whether vectors of a sequence's frames are nearly full.
fn fills_vectors(frames: usize) -> bool {
    frames.next_multiple_of(LANES) * 8 <= frames * 9
}

/// `y[b, o, t] = bias[o] + Σ x[b, c, t · stride + k · dilation − padding] · weight[o, c, k]`, over all c and k.
///
/// `x` is `[batch, inputs, length]`, `weight` is `[outputs, inputs, kernel]`, `bias` is `[outputs]` or empty, `y` is `[batch,
/// outputs, frames]`.
///
/// # Panics
/// If a slice is not as long as `axes` say.
pub fn forward(
    level: Level,
    convolution: &Convolution,
    axes: &Axes,
    (x, weight, bias): (&[f32], &[f32], &[f32]),
    y: &mut [f32],
) {
    axes.check(convolution, x.len(), weight.len(), y.len());
    if y.is_empty() {
        return;
    }
    if !x.is_empty() && fills_vectors(axes.frames) {
        along_time::forward(level, convolution, axes, (x, weight, bias), y);
    } else {
        frame_major::forward(level, convolution, axes, (x, weight, bias), y);
    }
}

/// The gradient of [`forward`] for its input, and a transposed convolution: `x[b, c, u] = bias[c] + Σ y[b, o, t] · weight[o, c,
/// k]`, over all o, t and k with `t · stride + k · dilation − padding = u`.
///
/// `y` is `[batch, outputs, frames]`, `weight` is `[outputs, inputs, kernel]`, `bias` is `[inputs]` or empty, `x` is `[batch,
/// inputs, length]`.
///
/// # Panics
/// If a slice is not as long as `axes` say.
pub fn input_gradient(
    level: Level,
    convolution: &Convolution,
    axes: &Axes,
    (y, weight, bias): (&[f32], &[f32], &[f32]),
    x: &mut [f32],
) {
    axes.check(convolution, x.len(), weight.len(), y.len());
    if x.is_empty() {
        return;
    }
    if !y.is_empty() && fills_vectors(axes.length.div_ceil(convolution.stride)) {
        along_time::input_gradient(level, convolution, axes, (y, weight, bias), x);
    } else {
        frame_major::input_gradient(level, convolution, axes, (y, weight, bias), x);
    }
}

/// The gradient of [`forward`] for its weights: `weight[o, c, k] = Σ y[b, o, t] · x[b, c, t · stride + k · dilation −
/// padding]`, over all b and t.
///
/// `x` is `[batch, inputs, length]`, `y` is `[batch, outputs, frames]`, `weight` is `[outputs, inputs, kernel]`.
///
/// # Panics
/// If a slice is not as long as `axes` say.
pub fn weight_gradient(
    level: Level,
    convolution: &Convolution,
    axes: &Axes,
    (x, y): (&[f32], &[f32]),
    weight: &mut [f32],
) {
    axes.check(convolution, x.len(), weight.len(), y.len());
    if axes.batch == 0 || weight.is_empty() {
        return weight.fill(0.0);
    }
    weights::gradient(level, convolution, axes, (x, y), weight);
}
