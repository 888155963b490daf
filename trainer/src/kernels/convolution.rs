//! Convolutions over time: forward, and the gradients of the input and of the weights.
//!
//! Each is one matrix product over frame-major copies, in which a window over all channels lies straight on, so that windows
//! are read where they overlap and never copied. A transposed convolution is the gradient of the input, and its own gradients
//! are the other two: the three are closed under differentiation.

use std::ops::Range;

use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::matrix::{Left, Panels, Places, Product, Run, Segment, every};
use super::transpose::Transpose;
use super::{LANES, Level, padded};

/// Channels that one thread exchanges with frames at a time.
const CHANNELS: usize = 32;

/// Depth and columns of what is packed at a time for the weights' gradient: a quarter of a mebibyte.
const PACKED: (usize, usize) = (256, 256);

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

/// From so many channels on, a tap alone is deep enough for a pass of a product.
const DEEP: usize = 128;

/// Values from one frame's channels to the next one's. Windows that begin a multiple of 1 KiB apart would fall into few sets
/// of the caches and push one another out, so frames of many channels get a cache line more.
fn pitch(channels: usize, stride: usize) -> usize {
    if channels >= DEEP && (stride * channels).is_multiple_of(256) { channels + LANES } else { channels }
}

/// Channel-major sequences, copied frame-major into rows of a padded buffer.
struct FrameMajor {
    values: Vec<f32>,
    /// Values from one frame to the next.
    pitch: usize,
    /// Values of a sequence.
    sequence: usize,
}

impl FrameMajor {
    /// `rows` rows for each of the sequences in `from`, `[batch, channels, length]`: those from `first` on hold the frames,
    /// as many as there is place for; the others are zero.
    fn new(
        level: Level,
        from: &[f32],
        (batch, channels): (usize, usize),
        pitch: usize,
        (rows, first): (usize, usize),
    ) -> Self {
        let sequence = rows * pitch;
        let mut values = vec![0.0; batch * sequence];
        let length = from.len() / (batch * channels).max(1);
        let kept = length.min(rows.saturating_sub(first));
        if kept > 0 && channels > 0 {
            values.par_chunks_mut(sequence).enumerate().for_each(|(index, to)| {
                let from = &from[index * channels * length..];
                let to = &mut to[first * pitch..];
                level.run(Transpose {
                    from,
                    from_stride: length,
                    rows: channels,
                    columns: kept,
                    bias: &[],
                    to,
                    to_stride: pitch,
                });
            });
        }
        Self { values, pitch, sequence }
    }
}

/// Copies frame-major rows, `[frames, channels]` at `stride` for each sequence of `sequence` values, to `[batch, channels,
/// frames]`.
fn channel_major(
    level: Level,
    (from, sequence, stride): (&[f32], usize, usize),
    channels: usize,
    bias: &[f32],
    to: &mut [f32],
    frames: usize,
) {
    to.par_chunks_mut(channels * frames).enumerate().for_each(|(index, to)| {
        to.par_chunks_mut(CHANNELS * frames).enumerate().for_each(|(part, to)| {
            let first = part * CHANNELS;
            let columns = to.len() / frames;
            level.run(Transpose {
                from: &from[index * sequence + first..],
                from_stride: stride,
                rows: frames,
                columns,
                bias: if bias.is_empty() { bias } else { &bias[first..first + columns] },
                to,
                to_stride: frames,
            });
        });
    });
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
    let Axes { batch, inputs, outputs, kernel, frames, .. } = *axes;
    if y.is_empty() {
        return;
    }
    let windows = windows(level, convolution, axes, x);
    let taps = (0..kernel).flat_map(|tap| (0..inputs).map(move |channel| channel * kernel + tap));
    let rows: Vec<usize> = taps.collect();
    let panels = Panels::pack(level, Places { data: weight, rows: &rows, columns: &every(inputs * kernel, outputs) });
    let width = padded(outputs);
    let mut products = vec![0.0; batch * frames * width];
    let segments: Vec<Segment> = (0..batch)
        .map(|index| Segment { from: index * windows.sequence, to: index * frames * width, rows: frames })
        .collect();
    let a = Left {
        data: &windows.values,
        stride: convolution.stride * windows.pitch,
        segments: &segments,
        runs: &runs((0..kernel).map(|tap| tap * convolution.dilation * windows.pitch), inputs),
    };
    Product { a, b: &panels, c: &mut products, c_stride: width, accumulate: false }.run(level);
    channel_major(level, (&products, frames * width, width), outputs, bias, y, frames);
}

/// The frames that windows read, padded.
fn windows(level: Level, convolution: &Convolution, axes: &Axes, x: &[f32]) -> FrameMajor {
    let rows = (axes.frames - 1) * convolution.stride + convolution.reach(axes.kernel);
    let pitch = pitch(axes.inputs, convolution.stride);
    FrameMajor::new(level, x, (axes.batch, axes.inputs), pitch, (rows, convolution.padding.0))
}

/// Parts of the depth that begin at these offsets and are `depth` long, joined where they lie straight on.
fn runs(offsets: impl Iterator<Item = usize>, depth: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for offset in offsets {
        match runs.last_mut() {
            Some(run) if run.offset + run.depth == offset => run.depth += depth,
            _ => runs.push(Run { offset, depth }),
        }
    }
    runs
}

/// Places in a stride (phases) that are reached through the same windows, and how.
struct Phases {
    /// The phases.
    phases: Range<usize>,
    /// By how many windows each tap lies back, and its place in the kernel for the first phase; furthest first.
    taps: Vec<(usize, usize)>,
}

/// All phases of a stride, those with the same windows together. A frame `i · stride + phase` of the padded input is tap k of
/// window i − e, where k · dilation = phase + e · stride.
fn phases(convolution: &Convolution, kernel: usize) -> Vec<Phases> {
    let mut all: Vec<Phases> = Vec::new();
    for phase in 0..convolution.stride {
        let reached = (0..kernel).filter(|tap| tap * convolution.dilation % convolution.stride == phase);
        let taps: Vec<(usize, usize)> =
            reached.map(|tap| ((tap * convolution.dilation - phase) / convolution.stride, tap)).rev().collect();
        match all.last_mut() {
            Some(last)
                if !taps.is_empty()
                    && last.taps.len() == taps.len()
                    && last.taps.iter().zip(&taps).all(|(one, other)| one.0 == other.0) =>
            {
                last.phases.end = phase + 1;
            }
            _ => all.push(Phases { phases: phase..phase + 1, taps }),
        }
    }
    all
}

/// `[outputs, inputs, kernel]` as `[outputs, kernel, inputs]`: a tap's channels lie straight on.
fn by_tap(level: Level, weight: &[f32], inputs: usize, kernel: usize) -> Vec<f32> {
    let mut tapped = vec![0.0; weight.len()];
    tapped.par_chunks_mut(inputs * kernel).zip(weight.par_chunks(inputs * kernel)).for_each(|(to, from)| {
        level.run(Transpose {
            from,
            from_stride: kernel,
            rows: inputs,
            columns: kernel,
            bias: &[],
            to,
            to_stride: inputs,
        });
    });
    tapped
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
    let Axes { batch, inputs, outputs, kernel, length, .. } = *axes;
    if x.is_empty() {
        return;
    }
    let Convolution { stride, dilation, padding: (before, _) } = *convolution;
    let back = dilation * (kernel - 1) / stride;
    let rows = (before + length).div_ceil(stride);
    let windows = FrameMajor::new(level, y, (batch, outputs), pitch(outputs, 1), (back + rows, back));
    let sequence = rows * stride * inputs;
    let mut products = vec![0.0; batch * sequence];
    let weight = by_tap(level, weight, inputs, kernel);
    for Phases { phases, taps } in phases(convolution, kernel) {
        // What no window reaches stays zero.
        let Some(&(_, first)) = taps.first() else { continue };
        let places = taps
            .iter()
            .flat_map(|&(_, tap)| every(inputs * kernel, outputs).into_iter().map(move |o| o + tap * inputs));
        let places: Vec<usize> = places.collect();
        // Phases of one group are whole numbers of taps apart.
        let columns = phases.clone().flat_map(|phase| {
            let tap = (phase - phases.start) / dilation;
            (0..inputs).map(move |channel| tap * inputs + channel)
        });
        let columns: Vec<usize> = columns.collect();
        debug_assert!(first + (phases.end - 1 - phases.start) / dilation < kernel, "taps are in the kernel");
        let panels = Panels::pack(level, Places { data: &weight, rows: &places, columns: &columns });
        let segments: Vec<Segment> = (0..batch)
            .map(|index| Segment { from: index * windows.sequence, to: index * sequence + phases.start * inputs, rows })
            .collect();
        let a = Left {
            data: &windows.values,
            stride: windows.pitch,
            segments: &segments,
            runs: &runs(taps.iter().map(|&(lies_back, _)| (back - lies_back) * windows.pitch), outputs),
        };
        Product { a, b: &panels, c: &mut products, c_stride: stride * inputs, accumulate: false }.run(level);
    }
    channel_major(level, (&products[before * inputs..], sequence, inputs), inputs, bias, x, length);
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
    let Axes { batch, inputs, outputs, kernel, frames, .. } = *axes;
    if weight.is_empty() {
        return;
    }
    if batch == 0 {
        return weight.fill(0.0);
    }
    let windows = windows(level, convolution, axes, x);
    // Each channel's frames of all sequences, straight on.
    let depth = batch * frames;
    let left_pitch = if batch == 1 { depth } else { pitch(depth, 1) };
    let mut joined = Vec::new();
    let left = if batch == 1 {
        y
    } else {
        joined.resize(outputs * left_pitch, 0.0);
        joined.par_chunks_mut(left_pitch).enumerate().for_each(|(channel, to)| {
            for (index, to) in to[..depth].chunks_exact_mut(frames).enumerate() {
                to.copy_from_slice(&y[(index * outputs + channel) * frames..][..frames]);
            }
        });
        &joined
    };
    let rows: Vec<usize> = (0..batch)
        .flat_map(|index| (0..frames).map(move |frame| (index, frame)))
        .map(|(index, frame)| index * windows.sequence + frame * convolution.stride * windows.pitch)
        .collect();
    let columns: Vec<usize> =
        (0..kernel).flat_map(|tap| (0..inputs).map(move |c| tap * convolution.dilation * windows.pitch + c)).collect();
    let segments = [Segment { from: 0, to: 0, rows: outputs }];
    let parts: Vec<Vec<f32>> = (0..columns.len().div_ceil(PACKED.1))
        .into_par_iter()
        .with_max_len(1)
        .map(|part| {
            let columns = &columns[part * PACKED.1..columns.len().min((part + 1) * PACKED.1)];
            let width = padded(columns.len());
            let mut sums = vec![0.0; outputs * width];
            let mut panels = Panels::pack(level, Places { data: &windows.values, rows: &[], columns: &[] });
            for first in (0..depth).step_by(PACKED.0) {
                let rows = &rows[first..depth.min(first + PACKED.0)];
                panels.pack_again(Places { data: &windows.values, rows, columns });
                let runs = [Run { offset: first, depth: rows.len() }];
                let a = Left { data: left, stride: left_pitch, segments: &segments, runs: &runs };
                let accumulate = first > 0;
                Product { a, b: &panels, c: &mut sums, c_stride: width, accumulate }.run_here(level);
            }
            sums
        })
        .collect();
    weight.par_chunks_mut(inputs * kernel).enumerate().for_each_init(Vec::new, |tapped, (output, to)| {
        tapped.resize(columns.len(), 0.0);
        for (sums, to) in parts.iter().zip(tapped.chunks_mut(PACKED.1)) {
            to.copy_from_slice(&sums[output * padded(to.len())..][..to.len()]);
        }
        level.run(Transpose {
            from: tapped,
            from_stride: inputs,
            rows: kernel,
            columns: inputs,
            bias: &[],
            to,
            to_stride: kernel,
        });
    });
}
