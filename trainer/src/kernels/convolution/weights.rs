//! The gradient of a convolution for its weights: a product over all frames, whose columns lie as the weights do.

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::{Axes, Convolution};
use crate::kernels::matrix::{Left, Panels, Product, Run, Segment};
use crate::kernels::{LANES, Level};

/// Frames that are packed together: one pass of a product.
const DEPTH: usize = 256;
/// About so many taps of channels are packed together.
const COLUMNS: usize = 400;

/// Taps of one channel next to each other in a panel.
#[derive(Debug, Clone, Copy)]
struct Taps {
    /// Where the first of them sees its first frame, in a sequence.
    sees: usize,
    /// The place of the first one in the panel.
    at: usize,
    count: usize,
}

/// [`super::weight_gradient`], where there is something to sum.
pub fn gradient(level: Level, convolution: &Convolution, axes: &Axes, (x, y): (&[f32], &[f32]), weight: &mut [f32]) {
    let Axes { batch, inputs, outputs, kernel, frames, .. } = *axes;
    let Convolution { stride, dilation, padding: (before, _) } = *convolution;
    let row = (frames - 1) * stride + convolution.reach(kernel);
    let padded = padded(x, axes.length, before, row);
    let sequence = inputs * row;
    // Each channel's frames of all sequences, straight on.
    let depth = batch * frames;
    let (left, left_pitch) = joined(y, axes);
    let segments = [Segment { from: 0, to: 0, rows: outputs }];
    // Whole vectors, where there are channels enough.
    let together = (COLUMNS / kernel / LANES * LANES).max(LANES);
    let mut panels = Panels::empty(level);
    for first in (0..inputs).step_by(together) {
        let columns = together.min(inputs - first) * kernel;
        for begin in (0..depth).step_by(DEPTH) {
            let rows = begin..depth.min(begin + DEPTH);
            panels.fill(rows.len(), columns, |column, width, into| {
                let taps = taps(first * kernel + column..first * kernel + column + width, (kernel, dilation), row);
                let wide = into.len() / rows.len();
                for (index, frame) in rows.clone().enumerate() {
                    let from = frame / frames * sequence + frame % frames * stride;
                    see(&padded[from..], &taps, dilation, wide, &mut into[index * wide..]);
                }
            });
            let runs = [Run { offset: begin, depth: rows.len() }];
            let a = Left { data: &left, stride: left_pitch, segments: &segments, runs: &runs };
            let c = &mut weight[first * kernel..];
            Product { a, b: &panels, c, c_stride: inputs * kernel, accumulate: begin > 0 }.run(level);
        }
    }
}

/// These columns of the weights, channel by channel.
fn taps(columns: std::ops::Range<usize>, (kernel, dilation): (usize, usize), row: usize) -> Vec<Taps> {
    let mut all = Vec::new();
    let mut column = columns.start;
    while column < columns.end {
        let (channel, tap) = (column / kernel, column % kernel);
        let count = (kernel - tap).min(columns.end - column);
        all.push(Taps { sees: channel * row + tap * dilation, at: column - columns.start, count });
        column += count;
    }
    all
}

/// One row of a panel, `wide` values: what its taps see in a frame. Taps are copied a vector at a time; what is too much is
/// overwritten by the next ones, or by the next row.
fn see(from: &[f32], taps: &[Taps], dilation: usize, wide: usize, to: &mut [f32]) {
    let whole = dilation == 1 && to.len() >= wide + LANES;
    for taps in taps {
        let from = &from[taps.sees..];
        if whole {
            for place in (0..taps.count).step_by(LANES) {
                to[taps.at + place..][..LANES].copy_from_slice(&from[place..][..LANES]);
            }
        } else {
            let seen = from.iter().step_by(dilation).take(taps.count);
            to[taps.at..].iter_mut().zip(seen).for_each(|(to, seen)| *to = *seen);
        }
    }
}

/// Rows of `length` frames as rows of `row`, with zeros around and a vector behind them all.
fn padded(x: &[f32], length: usize, before: usize, row: usize) -> Vec<f32> {
    let mut padded = vec![0.0; x.len() / length * row + LANES];
    padded.par_chunks_exact_mut(row).zip(x.par_chunks_exact(length)).for_each(|(to, from)| {
        to.iter_mut().skip(before).zip(from).for_each(|(to, from)| *to = *from);
    });
    padded
}

/// `[batch, outputs, frames]` as `[outputs, batch · frames]`, and the distance between its rows: not a multiple of 1 KiB, with
/// which rows would fall into few sets of the caches and push one another out.
fn joined(y: &[f32], axes: &Axes) -> (Vec<f32>, usize) {
    let Axes { batch, outputs, frames, .. } = *axes;
    let depth = batch * frames;
    let pitch = if depth.is_multiple_of(256) { depth + LANES } else { depth };
    let mut joined = vec![0.0; outputs * pitch];
    joined.par_chunks_mut(pitch).enumerate().for_each(|(channel, to)| {
        for (index, to) in to[..depth].chunks_exact_mut(frames).enumerate() {
            to.copy_from_slice(&y[(index * outputs + channel) * frames..][..frames]);
        }
    });
    (joined, pitch)
}
