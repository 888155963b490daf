//! One sequence through the network and back, by hand: the CPU training path.
//!
//! Only frames that the loss needs are computed (every layer is a valid convolution, right-aligned), activations are
//! frame-major, and each stage runs over tiles of [`TILE`] frames that stay in the second-level cache. Stored for the
//! way back: each layer's input and its two gate halves; everything else is computed again from them.

use continuo_package::family::wavenet::{Activation, WaveNetShape};

use super::layout::Layout;
use super::products::{Products, Rounded, Side, Use};
use super::sequence::{Sequence, Symbols};
use crate::kernels::Level;
use crate::kernels::activations::{Gate, GateBackward, Product, Relu, ReluBackward, Tanh, TanhBackward};
use crate::kernels::softmax_loss::SoftmaxLoss;
use crate::kernels::tiles::{AddBias, AddInto, AddScaled, Gather, Scatter, SumRows, SumScaled};

/// Frames per tile: a multiple of the micro-kernels' rows (6 and 12) whose products stay in the caches.
const TILE: usize = 96;

/// What a pass reads: the weights in the arena's layout, and what multiplies with them.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// Where everything lies.
    pub layout: &'a Layout,
    /// The arena, and products with its matrices.
    pub products: Products<'a>,
    /// Context of every layer; see [`super::layout::contexts`].
    pub contexts: &'a [usize],
    /// The hyper-parameters.
    pub shape: &'a WaveNetShape,
    /// Weight of the logits' mean square in what is minimised.
    pub logit_penalty: f64,
}

/// Buffers of one thread, grown once and reused.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Input of each layer, `[context + N, R]`.
    x: Vec<Vec<f32>>,
    /// Gate halves of each layer, `[next context + N, 2D]`.
    gates: Vec<Vec<f32>>,
    /// Gradient of each layer's `z` through the skip path, `[N, D]`.
    dz: Vec<Vec<f32>>,
    /// Gradient of the layers' inputs, in place from layer to layer, `[context + N, R]`.
    dx: Vec<f32>,
    /// Tiles.
    tiles: Tiles,
}

#[derive(Debug, Default)]
struct Tiles {
    z: Vec<f32>,
    zs: Vec<f32>,
    skip: Vec<f32>,
    end: Vec<f32>,
    logits: Vec<f32>,
    logit_row: Vec<f32>,
    values: Vec<f32>,
    d_end: Vec<f32>,
    d_skip: Vec<f32>,
    dz: Vec<f32>,
    dh: Vec<f32>,
    /// `[2D]`: a layer's bias for a class.
    bias: Vec<f32>,
    /// Both factors of a product, rounded.
    rounded: [Rounded; 2],
}

/// Makes `buffer` hold at least `len` values; what it held is of no use.
fn grow(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
}

impl Workspace {
    fn fit(&mut self, weights: &Weights<'_>, frames: usize) {
        let Weights { layout, contexts, .. } = *weights;
        let count = layout.layers.len();
        for buffers in [&mut self.x, &mut self.gates, &mut self.dz] {
            buffers.resize_with(count, Vec::new);
        }
        for layer in 0..count {
            grow(&mut self.x[layer], (frames + contexts[layer]) * layout.r);
            grow(&mut self.gates[layer], (frames + contexts[layer + 1]) * 2 * layout.d);
            grow(&mut self.dz[layer], frames * layout.d);
        }
        grow(&mut self.dx, (frames + contexts[0]) * layout.r);
        let tiles = &mut self.tiles;
        grow(&mut tiles.z, TILE * layout.d);
        grow(&mut tiles.zs, TILE * layout.d * count);
        grow(&mut tiles.skip, TILE * layout.s);
        grow(&mut tiles.end, TILE * layout.e);
        grow(&mut tiles.logits, TILE * layout.q);
        grow(&mut tiles.logit_row, layout.q);
        grow(&mut tiles.values, if weights.shape.is_real() { TILE * layout.q } else { 0 });
        grow(&mut tiles.d_end, TILE * layout.e);
        grow(&mut tiles.d_skip, TILE * layout.s);
        grow(&mut tiles.dz, TILE * layout.d);
        grow(&mut tiles.dh, TILE * 2 * layout.d);
        grow(&mut tiles.bias, 2 * layout.d);
    }
}

/// Tiles of `frames` frames: (first, count).
fn tiles(frames: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..frames).step_by(TILE).map(move |first| (first, TILE.min(frames - first)))
}

/// Takes a sequence (receptive field + N symbols; the last N are the targets) through the network. Gives back the sum of the
/// losses; adds their gradient to `gradient`, in the arena's layout, if one is given. With `outputs`, the logits or
/// values `[N, Q]` (padded rows) go there.
pub fn run(
    weights: &Weights<'_>,
    workspace: &mut Workspace,
    sequence: &Sequence,
    mut gradient: Option<&mut [f32]>,
    outputs: Option<&mut Vec<f32>>,
) -> f64 {
    let taps = weights.layout.causal.len();
    let frames = sequence.len() - weights.contexts[0] - taps;
    workspace.fit(weights, frames);
    forward(weights, workspace, sequence, frames);
    let loss = head(weights, workspace, (sequence, frames), gradient.as_deref_mut(), outputs);
    if let Some(gradient) = gradient {
        backward(weights, workspace, sequence, frames, gradient);
    }
    loss
}

/// The causal convolution and the stack of layers.
fn forward(weights: &Weights<'_>, workspace: &mut Workspace, sequence: &Sequence, frames: usize) {
    let Weights { layout, products, contexts, .. } = *weights;
    let Products { forward, level, .. } = products;
    let (r, d) = (layout.r, layout.d);
    let length = frames + contexts[0];
    for (first, count) in tiles(length) {
        let out = &mut workspace.x[0][first * r..(first + count) * r];
        level.run(AddBias { x: &[], bias: &forward[layout.causal_bias.clone()], out });
        for (tap, matrix) in layout.causal.iter().enumerate() {
            let (heard, table) = (first + tap..first + tap + count, &forward[matrix.range()]);
            match &sequence.symbols {
                Symbols::Codes(codes) => level.run(Gather { table, codes: &codes[heard], width: r, out }),
                Symbols::Values(values) => level.run(AddScaled { row: &table[..r], values: &values[heard], out }),
            }
        }
    }
    let Tiles { z, bias: told, rounded: [rounded, _], .. } = &mut workspace.tiles;
    for (index, layer) in layout.layers.iter().enumerate() {
        let reach = contexts[index] - contexts[index + 1];
        let (inputs, outputs) = workspace.x.split_at_mut(index + 1);
        let x = &inputs[index];
        let mut bias = &forward[layer.bias.clone()];
        if layer.classes.rows > 0 {
            told[..2 * d].copy_from_slice(bias);
            level.run(AddInto { from: &forward[layer.classes.row(sequence.class)], into: &mut told[..2 * d] });
            bias = &told[..2 * d];
        }
        for (first, count) in tiles(frames + contexts[index + 1]) {
            let h = &mut workspace.gates[index][first * 2 * d..(first + count) * 2 * d];
            level.run(AddBias { x: &[], bias, out: h });
            for (tap, matrix) in layer.taps.iter().enumerate() {
                let from = (first + tap * layer.dilation) * r;
                let x = rounded.factor(&products, &x[from..from + count * r], r, Use::Weights);
                products.by_weights(x, (Side::Forward, matrix.offset), (h, 2 * d), true);
            }
            let z = &mut z[..count * d];
            level.run(Gate { h, z, half: d });
            if let (Some((matrix, bias)), Some(next)) = (&layer.residual, outputs.first_mut()) {
                let out = &mut next[first * r..(first + count) * r];
                let x = &x[(first + reach) * r..(first + reach + count) * r];
                level.run(AddBias { x, bias: &forward[bias.clone()], out });
                let z = rounded.factor(&products, z, d, Use::Weights);
                products.by_weights(z, (Side::Forward, matrix.offset), (out, r), true);
            }
        }
    }
}

/// The skip path, the two last 1×1 convolutions and the loss; with a gradient, also the way back to every layer's `z`.
fn head(
    weights: &Weights<'_>,
    workspace: &mut Workspace,
    (sequence, frames): (&Sequence, usize),
    mut gradient: Option<&mut [f32]>,
    mut keep: Option<&mut Vec<f32>>,
) -> f64 {
    let Weights { layout, products, contexts, shape, logit_penalty } = *weights;
    let Products { forward, level, .. } = products;
    // The gradient of the mean over the levels of a logit's square.
    let pull = (2.0 * logit_penalty / f64::from(shape.outputs())) as f32;
    let inner = shape.activation;
    let before = sequence.len() - frames;
    let (d, s, e, q) = (layout.d, layout.s, layout.e, layout.q);
    let count_layers = layout.layers.len();
    let wide = count_layers * d;
    let [(end0, bias0), (end1, bias1)] = &layout.ends;
    let skips = layout.layers[0].skip.offset..layout.layers[count_layers - 1].skip.range().end;
    let Workspace { gates, dz, tiles: tile, .. } = workspace;
    let [first_factor, second_factor] = &mut tile.rounded;
    let mut loss = 0.0;
    for (first, count) in tiles(frames) {
        let zs = &mut tile.zs[..count * wide];
        for (index, gates) in gates.iter().enumerate() {
            let from = first + contexts[index + 1];
            let gates = &gates[from * 2 * d..(from + count) * 2 * d];
            level.run(Product { gates, half: d, z: &mut zs[index * d..], z_stride: wide });
        }
        let skip = &mut tile.skip[..count * s];
        level.run(AddBias { x: &[], bias: &forward[layout.skip_bias.clone()], out: skip });
        let factor = first_factor.factor(&products, zs, wide, Use::Weights);
        products.by_weights(factor, (Side::Forward, skips.start), (skip, s), true);
        activate(level, inner, skip);
        let end = &mut tile.end[..count * e];
        level.run(AddBias { x: &[], bias: &forward[bias0.clone()], out: end });
        let factor = first_factor.factor(&products, skip, s, Use::Weights);
        products.by_weights(factor, (Side::Forward, end0.offset), (end, e), true);
        activate(level, inner, end);
        let logits = &mut tile.logits[..count * q];
        level.run(AddBias { x: &[], bias: &forward[bias1.clone()], out: logits });
        let factor = first_factor.factor(&products, end, e, Use::Weights);
        products.by_weights(factor, (Side::Forward, end1.offset), (logits, q), true);
        activate(level, shape.output, logits);
        if let Some(keep) = keep.as_deref_mut() {
            keep.extend_from_slice(logits);
        }
        let targets = before + first..before + first + count;
        match &sequence.symbols {
            Symbols::Codes(codes) => {
                loss += level.run(SoftmaxLoss {
                    logits,
                    pull,
                    scratch: &mut tile.logit_row[..q],
                    width: q,
                    levels: shape.levels as usize,
                    targets: &codes[targets],
                });
            }
            Symbols::Values(values) => {
                tile.values[..count * q].copy_from_slice(logits);
                loss += squared_error(logits, q, &values[targets]);
                activate_backward(level, shape.output, &tile.values[..count * q], logits);
            }
        }

        let Some(gradient) = gradient.as_deref_mut() else { continue };
        level.run(SumRows { tile: logits, into: &mut gradient[bias1.clone()] });
        let out = second_factor.factor(&products, logits, q, Use::Both);
        let factor = first_factor.factor(&products, end, e, Use::Gradients);
        products.weight_gradient(factor, out, &mut gradient[end1.range()]);
        let d_end = &mut tile.d_end[..count * e];
        products.by_weights(out, (Side::Transposed, end1.offset), (d_end, e), false);
        activate_backward(level, inner, end, d_end);
        level.run(SumRows { tile: d_end, into: &mut gradient[bias0.clone()] });
        let out = second_factor.factor(&products, d_end, e, Use::Both);
        let factor = first_factor.factor(&products, skip, s, Use::Gradients);
        products.weight_gradient(factor, out, &mut gradient[end0.range()]);
        let d_skip = &mut tile.d_skip[..count * s];
        products.by_weights(out, (Side::Transposed, end0.offset), (d_skip, s), false);
        activate_backward(level, inner, skip, d_skip);
        level.run(SumRows { tile: d_skip, into: &mut gradient[layout.skip_bias.clone()] });
        let out = second_factor.factor(&products, d_skip, s, Use::Both);
        let factor = first_factor.factor(&products, zs, wide, Use::Gradients);
        products.weight_gradient(factor, out, &mut gradient[skips.clone()]);
        for (layer, dz) in layout.layers.iter().zip(dz.iter_mut()) {
            let dz = &mut dz[first * d..(first + count) * d];
            products.by_weights(out, (Side::Transposed, layer.skip.offset), (dz, d), false);
        }
    }
    loss
}

/// Back through the layers, from the last to the first, and the causal convolution.
fn backward(
    weights: &Weights<'_>,
    workspace: &mut Workspace,
    sequence: &Sequence,
    frames: usize,
    gradient: &mut [f32],
) {
    let Weights { layout, products, contexts, .. } = *weights;
    let level = products.level;
    let (r, d) = (layout.r, layout.d);
    let Workspace { x, gates, dz: dz_skip, dx, tiles: tile, .. } = workspace;
    let [first_factor, second_factor] = &mut tile.rounded;
    let length = frames + contexts[0];
    // dx holds a gradient for every position of the first layer's input. A layer turns the gradient of its output into
    // that of its input in place: taps only reach back to positions whose output gradient was already used.
    dx[..length * r].fill(0.0);
    for (index, layer) in layout.layers.iter().enumerate().rev() {
        let context = contexts[index + 1];
        let shift = contexts[0] - context;
        let x = &x[index];
        for (first, count) in tiles(frames + context) {
            let dz = &mut tile.dz[..count * d];
            let at = (first + shift) * r;
            let inner = &dx[at..at + count * r];
            // The skip path only sees the last N frames.
            let before = context.saturating_sub(first).min(count);
            dz[..before * d].fill(0.0);
            if before < count {
                let from = (first + before - context) * d;
                dz[before * d..].copy_from_slice(&dz_skip[index][from..from + (count - before) * d]);
            }
            let inner_factor = second_factor.factor(&products, inner, r, Use::Both);
            if let Some((matrix, _)) = &layer.residual {
                products.by_weights(inner_factor, (Side::Transposed, matrix.offset), (dz, d), true);
            }
            let dh = &mut tile.dh[..count * 2 * d];
            let z = &mut tile.z[..count * d];
            let gates = &gates[index][first * 2 * d..(first + count) * 2 * d];
            level.run(GateBackward { gates, half: d, dz, dh, z });
            if let Some((matrix, bias)) = &layer.residual {
                level.run(SumRows { tile: inner, into: &mut gradient[bias.clone()] });
                let z = first_factor.factor(&products, z, d, Use::Gradients);
                products.weight_gradient(z, inner_factor, &mut gradient[matrix.range()]);
            }
            level.run(SumRows { tile: dh, into: &mut gradient[layer.bias.clone()] });
            if layer.classes.rows > 0 {
                level.run(SumRows { tile: dh, into: &mut gradient[layer.classes.row(sequence.class)] });
            }
            let newest = layer.taps.len() - 1;
            let dh = second_factor.factor(&products, dh, 2 * d, Use::Both);
            for (tap, matrix) in layer.taps.iter().enumerate() {
                let from = (first + tap * layer.dilation) * r;
                let x = first_factor.factor(&products, &x[from..from + count * r], r, Use::Gradients);
                products.weight_gradient(x, dh, &mut gradient[matrix.range()]);
                let back = (first + shift - (newest - tap) * layer.dilation) * r;
                products.by_weights(dh, (Side::Transposed, matrix.offset), (&mut dx[back..back + count * r], r), true);
            }
        }
    }
    level.run(SumRows { tile: &dx[..length * r], into: &mut gradient[layout.causal_bias.clone()] });
    for (tap, matrix) in layout.causal.iter().enumerate() {
        let (heard, from, table) = (tap..tap + length, &dx[..length * r], &mut gradient[matrix.range()]);
        match &sequence.symbols {
            Symbols::Codes(codes) => level.run(Scatter { from, codes: &codes[heard], width: r, table }),
            Symbols::Values(values) => level.run(SumScaled { from, values: &values[heard], into: &mut table[..r] }),
        }
    }
}

/// The head's function of each value, in place.
fn activate(level: Level, activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::None => {}
        Activation::Relu => level.run(Relu(x)),
        Activation::Tanh => level.run(Tanh { x, amplitude: 1.0, slope: 1.0 }),
        Activation::ScaledTanh => {
            level.run(Tanh { x, amplitude: Activation::AMPLITUDE, slope: Activation::SLOPE });
        }
    }
}

/// Gradient of [`activate`], in place, from what came out of it.
fn activate_backward(level: Level, activation: Activation, y: &[f32], d: &mut [f32]) {
    match activation {
        Activation::None => {}
        Activation::Relu => level.run(ReluBackward { y, d }),
        Activation::Tanh => level.run(TanhBackward { y, d, amplitude: 1.0, slope: 1.0 }),
        Activation::ScaledTanh => {
            level.run(TanhBackward { y, d, amplitude: Activation::AMPLITUDE, slope: Activation::SLOPE });
        }
    }
}

/// Sum of the squared errors of rows of one value each, padded to `width`; the rows become its gradient.
fn squared_error(rows: &mut [f32], width: usize, targets: &[f32]) -> f64 {
    let mut sum = 0.0;
    for (row, &target) in rows.chunks_exact_mut(width).zip(targets) {
        let error = row[0] - target;
        row.fill(0.0);
        row[0] = 2.0 * error;
        sum += f64::from(error) * f64::from(error);
    }
    sum
}
