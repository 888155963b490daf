//! Convolutions as products over frame-major copies, in which a window over all channels lies straight on, so that windows are
//! read where they overlap and never copied. For sequences of any length.

use std::ops::Range;

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::{Axes, Convolution};
use crate::kernels::matrix::{Left, Panels, Places, Product, Run, Segment, every};
use crate::kernels::transpose::Transpose;
use crate::kernels::{LANES, Level, padded};

/// Channels that one thread exchanges with frames at a time.
const CHANNELS: usize = 32;

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

/// [`super::forward`].
pub fn forward(
    level: Level,
    convolution: &Convolution,
    axes: &Axes,
    (x, weight, bias): (&[f32], &[f32], &[f32]),
    y: &mut [f32],
) {
    let Axes { batch, inputs, outputs, kernel, frames, .. } = *axes;
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

/// [`super::input_gradient`].
pub fn input_gradient(
    level: Level,
    convolution: &Convolution,
    axes: &Axes,
    (y, weight, bias): (&[f32], &[f32], &[f32]),
    x: &mut [f32],
) {
    let Axes { batch, inputs, outputs, kernel, length, .. } = *axes;
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
