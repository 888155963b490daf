//! Convolutions over time: forward, and the gradients of the input and of the weights.
//!
//! A transposed convolution is the gradient of the input, and its own gradients are the other two: the three are closed under
//! differentiation. Each is a matrix product for which no window is copied. Long sequences lie along the vectors, as they do in
//! memory ([`along_time`]); where they are shorter than what vectors hold, channels do ([`frame_major`]).

mod along_time;
mod frame_major;
mod weights;

use super::{LANES, Level};

/// How windows lie over the frames of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Convolution {
    /// Frames from one window to the next; at least 1.
    pub stride: usize,
    /// Frames from one tap of a window to the next; at least 1.
    pub dilation: usize,
    /// Zeros before the first frame and after the last one.
    pub padding: (usize, usize),
}

impl Default for Convolution {
    /// Every frame begins a window, nothing is padded.
    fn default() -> Self {
        Self { stride: 1, dilation: 1, padding: (0, 0) }
    }
}

impl Convolution {
    /// Frames from a window's first tap to its last, both included.
    pub fn reach(&self, kernel: usize) -> usize {
        self.dilation * kernel.saturating_sub(1) + 1
    }

    /// Windows of `kernel` taps over `length` frames, or nothing if the padded input is shorter than one, or a number
    /// that must be at least 1 is 0.
    pub fn frames(&self, length: usize, kernel: usize) -> Option<usize> {
        if kernel == 0 || self.stride == 0 || self.dilation == 0 {
            return None;
        }
        let free = (self.padding.0 + length + self.padding.1).checked_sub(self.reach(kernel))?;
        Some(free / self.stride + 1)
    }

    /// The shortest input that gives so many windows: what a transposed convolution makes of `frames` frames. Up to
    /// `stride − 1` more frames can be asked of it. Nothing if the padding takes all of them.
    pub fn transposed_length(&self, frames: usize, kernel: usize) -> Option<usize> {
        let all = frames.checked_sub(1)? * self.stride + self.reach(kernel);
        all.checked_sub(self.padding.0 + self.padding.1).filter(|&length| length > 0)
    }
}

/// A convolution's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes {
    /// Sequences.
    pub batch: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Taps of a window.
    pub kernel: usize,
    /// Frames of the input.
    pub length: usize,
    /// Frames of the output: the windows.
    pub frames: usize,
}

impl Axes {
    fn check(&self, convolution: &Convolution, x: usize, weight: usize, y: usize) {
        let fits = convolution.frames(self.length, self.kernel);
        assert_eq!(fits, Some(self.frames), "{self:?} are no axes of {convolution:?}");
        assert_eq!(x, self.batch * self.inputs * self.length, "values of the input");
        assert_eq!(weight, self.outputs * self.inputs * self.kernel, "weights");
        assert_eq!(y, self.batch * self.outputs * self.frames, "values of the output");
    }
}

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
