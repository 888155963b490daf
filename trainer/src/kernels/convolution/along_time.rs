//! Convolutions whose frames lie along the vectors, as they do in memory: nothing is transposed, and no window is copied.
//!
//! With a stride, every stride-th frame is put next to the others of its kind, so that what a tap sees of a sequence lies straight
//! on.

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::axes::{Axes, Convolution};
use crate::kernels::windowed::{Group, Weights, Windowed};
use crate::kernels::{LANES, Level};

/// Values of a row of `frames` that is read in whole vectors. Rows that are a multiple of 1 KiB apart would fall into few sets of
/// the caches and push one another out.
fn pitch(frames: usize) -> usize {
    if frames.is_multiple_of(256) { frames + LANES } else { frames }
}

/// [`super::forward`].
pub fn forward(
    level: Level,
    convolution: &Convolution,
    axes: &Axes,
    (x, weight, bias): (&[f32], &[f32], &[f32]),
    y: &mut [f32],
) {
    let Axes { batch, inputs, outputs, kernel, length, frames } = *axes;
    let Convolution { stride, dilation, padding: (before, _) } = *convolution;
    let pitch = pitch(frames.next_multiple_of(LANES) + dilation * (kernel - 1) / stride);
    let together = together(frames);
    let place = |channel: usize, tap: usize| {
        let padded = tap * dilation;
        (channel * stride + padded % stride) * pitch + padded / stride
    };
    let sees = (0..inputs).flat_map(|channel| (0..kernel).map(move |tap| place(channel, tap))).collect();
    let groups = [Group { taps: (0..kernel).collect(), sees, to: 0, frames }];
    let mut parts = vec![0.0; together.min(batch) * inputs * stride * pitch];
    for (x, y) in x.chunks(together * inputs * length).zip(y.chunks_mut(together * outputs * frames)) {
        part(x, (length, before), stride, pitch, &mut parts);
        let accumulate = begin(y, frames, bias);
        Windowed {
            weights: Weights { values: weight, row: inputs * kernel, channel: kernel },
            rows: outputs,
            channels: inputs,
            groups: &groups,
            batch: y.len() / (outputs * frames),
            b: &parts,
            b_sequence: inputs * stride * pitch,
            c: y,
            c_sequence: outputs * frames,
            c_stride: frames,
            accumulate,
        }
        .run(level);
    }
}

/// [`super::input_gradient`].
pub fn input_gradient(
    level: Level,
    convolution: &Convolution,
    axes: &Axes,
    (y, weight, bias): (&[f32], &[f32], &[f32]),
    x: &mut [f32],
) {
    let Axes { batch, inputs, outputs, kernel, length, frames } = *axes;
    let Convolution { stride, dilation, padding: (before, _) } = *convolution;
    let back = dilation * (kernel - 1) / stride;
    // Frame u of the input is tap k of window t where u + before = t · stride + k · dilation. So the frames u = first + i ·
    // stride share their taps, and see windows that go on with i.
    let most = length.div_ceil(stride);
    let last = before.div_ceil(stride);
    let pitch = pitch(back + last + most.next_multiple_of(LANES));
    let together = together(most);
    let group = |first: usize| {
        let (phase, window) = ((first + before) % stride, (first + before) / stride);
        let taps: Vec<usize> = (0..kernel).filter(|tap| tap * dilation % stride == phase).collect();
        let seen = taps.iter().map(|tap| back + window - tap * dilation / stride).collect::<Vec<_>>();
        let sees = (0..outputs).flat_map(|output| seen.iter().map(move |seen| output * pitch + seen)).collect();
        Group { taps, sees, to: first * most, frames: length.saturating_sub(first).div_ceil(stride) }
    };
    let groups: Vec<Group> = (0..stride).map(group).collect();
    let mut windows = vec![0.0; together.min(batch) * outputs * pitch];
    // What no window reaches stays zero. Without a stride there is one part only, and that is the input itself.
    let mut parts = if stride > 1 { vec![0.0; together.min(batch) * inputs * stride * most] } else { Vec::new() };
    for (y, x) in y.chunks(together * outputs * frames).zip(x.chunks_mut(together * inputs * length)) {
        part(y, (frames, back), 1, pitch, &mut windows);
        let accumulate = stride == 1 && begin(x, length, bias);
        let batch = x.len() / (inputs * length);
        Windowed {
            weights: Weights { values: weight, row: kernel, channel: inputs * kernel },
            rows: inputs,
            channels: outputs,
            groups: &groups,
            batch,
            b: &windows,
            b_sequence: outputs * pitch,
            c: if stride > 1 { &mut parts } else { &mut *x },
            c_sequence: inputs * stride * most,
            c_stride: stride * most,
            accumulate,
        }
        .run(level);
        if stride > 1 {
            whole(&parts, (stride, most), bias, x, (inputs, length));
        }
    }
}

/// Sequences that are computed together: few enough for what is laid out for them to stay in the caches, and with frames enough
/// for the weights, which are packed once for all of them.
fn together(frames: usize) -> usize {
    (1024 / frames).max(1)
}

/// Puts frames back in their order: the `stride` parts of each row, `most` frames each, with the channel's bias.
fn whole(parts: &[f32], (stride, most): (usize, usize), bias: &[f32], x: &mut [f32], (inputs, length): (usize, usize)) {
    let rows = x.par_chunks_mut(length).zip(parts.par_chunks(stride * most)).enumerate();
    rows.for_each(|(row, (to, from))| {
        let bias = bias.get(row % inputs).copied().unwrap_or(0.0);
        for (first, from) in from.chunks_exact(most).enumerate() {
            for (to, from) in to.iter_mut().skip(first).step_by(stride).zip(from) {
                *to = from + bias;
            }
        }
    });
}

/// Rows of `length` frames with zeros around, parted: frame u is at place (u + before) / stride of part (u + before) % stride,
/// and parts are `pitch` apart. What is around is left as it is in `parts`: zero from the beginning.
fn part(from: &[f32], (length, before): (usize, usize), stride: usize, pitch: usize, parts: &mut [f32]) {
    parts.par_chunks_mut(stride * pitch).zip(from.par_chunks(length)).for_each(|(to, from)| {
        for (part, to) in to.chunks_exact_mut(pitch).enumerate() {
            let first = before.saturating_sub(part).div_ceil(stride);
            let frame = first * stride + part - before;
            let (to, from) = (to.iter_mut().skip(first), from.get(frame..).unwrap_or_default());
            if stride == 1 {
                to.zip(from).for_each(|(to, from)| *to = *from);
            } else {
                to.zip(from.iter().step_by(stride)).for_each(|(to, from)| *to = *from);
            }
        }
    });
}

/// Fills rows of `frames` with their channels' biases, if there are any: whether there is something to add to now.
fn begin(rows: &mut [f32], frames: usize, bias: &[f32]) -> bool {
    if !bias.is_empty() {
        rows.chunks_exact_mut(frames).zip(bias.iter().cycle()).for_each(|(row, &bias)| row.fill(bias));
    }
    !bias.is_empty()
}
