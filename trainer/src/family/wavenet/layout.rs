//! Where the CPU path keeps its weights: per layer and tap `[inputs, outputs]`, padded to whole vectors.

use std::ops::Range;

use continuo_package::family::wavenet::{WaveNetShape, names};

use super::parameters::Table;
use crate::kernels::padded;

/// A matrix `[rows, columns]` inside an arena, row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix {
    /// Index of its first value.
    pub offset: usize,
    /// Inputs, padded.
    pub rows: usize,
    /// Outputs, padded.
    pub columns: usize,
}

impl Matrix {
    /// Where it lies.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.rows * self.columns
    }

    /// Where a row lies.
    pub fn row(&self, row: usize) -> Range<usize> {
        let first = self.offset + row * self.columns;
        first..first + self.columns
    }
}

/// The matrices and biases of one layer.
#[derive(Debug, Clone)]
pub struct LayerLayout {
    /// Frames between taps.
    pub dilation: usize,
    /// `[R, 2D]` for each tap, the newest last.
    pub taps: Vec<Matrix>,
    /// `[2D]`.
    pub bias: Range<usize>,
    /// `[G, 2D]`: what is added to the bias, per class; of no rows without classes.
    pub classes: Matrix,
    /// `[D, S]`; the layers' follow one another and make one `[layers · D, S]`.
    pub skip: Matrix,
    /// `[D, R]` and `[R]`; none in the last layer.
    pub residual: Option<(Matrix, Range<usize>)>,
}

/// The arena of a shape. Biases always have a place; without biases in the model they stay zero and their gradients
/// are not read.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Padded channels: residual.
    pub r: usize,
    /// Padded channels: half of the gate.
    pub d: usize,
    /// Padded channels: skip.
    pub s: usize,
    /// Padded channels: end.
    pub e: usize,
    /// Padded outputs.
    pub q: usize,
    /// `[Q, R]` for each tap; of real values the first row alone counts.
    pub causal: Vec<Matrix>,
    /// `[R]`.
    pub causal_bias: Range<usize>,
    /// The layers.
    pub layers: Vec<LayerLayout>,
    /// `[S]`: the sum of the layers' skip biases.
    pub skip_bias: Range<usize>,
    /// `[S, E]` and `[E, Q]` with their biases.
    pub ends: [(Matrix, Range<usize>); 2],
    /// Values in the arena.
    pub len: usize,
    /// For every value of the flat vector, its place in the arena. Skip biases of all layers share theirs.
    map: Vec<u32>,
}

struct Arena(usize);

impl Arena {
    fn matrix(&mut self, rows: usize, columns: usize) -> Matrix {
        let matrix = Matrix { offset: self.0, rows, columns };
        self.0 += rows * columns;
        matrix
    }

    fn vector(&mut self, len: usize) -> Range<usize> {
        self.matrix(1, len).range()
    }
}

impl Layout {
    /// The arena for the tensors of `table`.
    pub fn new(table: &Table) -> Self {
        let shape = &table.shape;
        let [r, d, s, e, q] = [
            shape.residual_channels,
            shape.dilation_channels,
            shape.skip_channels,
            shape.end_channels,
            shape.outputs(),
        ]
        .map(|channels| padded(channels as usize));
        let width = shape.filter_width as usize;
        let count = shape.dilations.len();
        let mut arena = Arena(0);
        let causal = (0..width).map(|_| arena.matrix(q, r)).collect();
        let causal_bias = arena.vector(r);
        let skips: Vec<Matrix> = (0..count).map(|_| arena.matrix(d, s)).collect();
        let skip_bias = arena.vector(s);
        let layers = (0..count)
            .map(|layer| LayerLayout {
                dilation: shape.dilations[layer] as usize,
                taps: (0..width).map(|_| arena.matrix(r, 2 * d)).collect(),
                bias: arena.vector(2 * d),
                classes: arena.matrix(shape.classes.len(), 2 * d),
                skip: skips[layer],
                residual: (layer + 1 < count).then(|| (arena.matrix(d, r), arena.vector(r))),
            })
            .collect();
        let ends = [(arena.matrix(s, e), arena.vector(e)), (arena.matrix(e, q), arena.vector(q))];
        let mut layout =
            Self { r, d, s, e, q, causal, causal_bias, layers, skip_bias, ends, len: arena.0, map: Vec::new() };
        layout.map = layout.places(table);
        layout
    }

    /// The place of every value of the flat vector.
    fn places(&self, table: &Table) -> Vec<u32> {
        let mut map = vec![0; table.weights()];
        let mut place = |name: String, f: &dyn Fn(usize, usize, usize) -> usize| {
            if let Some(tensor) = table.find(&name) {
                let axis = |index: usize| tensor.shape.get(index).copied().unwrap_or(1);
                let (inner, taps) = (axis(1), axis(2));
                for (index, place) in map[tensor.range()].iter_mut().enumerate() {
                    *place = f(index / (inner * taps), index / taps % inner, index % taps) as u32;
                }
            }
        };
        let half = table.shape.dilation_channels as usize;
        // The gate's second half starts on a vector of its own.
        let gate = |output: usize| if output < half { output } else { self.d + output - half };
        let across = |matrix: Matrix| {
            move |output: usize, input: usize, _: usize| matrix.offset + input * matrix.columns + output
        };
        let along = |range: &Range<usize>| {
            let start = range.start;
            move |output: usize, _: usize, _: usize| start + output
        };
        for (tap, matrix) in self.causal.iter().enumerate() {
            place(names::causal_tap(tap), &|code, channel, _| matrix.offset + code * matrix.columns + channel);
        }
        place(names::CAUSAL_BIAS.to_owned(), &along(&self.causal_bias));
        for (index, layer) in self.layers.iter().enumerate() {
            place(names::dilated_weight(index), &|output, input, tap| across(layer.taps[tap])(gate(output), input, 0));
            place(names::dilated_bias(index), &|output, _, _| layer.bias.start + gate(output));
            place(names::class_bias(index), &|class, channel, _| {
                layer.classes.offset + class * layer.classes.columns + gate(channel)
            });
            place(names::skip_weight(index), &across(layer.skip));
            place(names::skip_bias(index), &along(&self.skip_bias));
            if let Some((matrix, bias)) = &layer.residual {
                place(names::residual_weight(index), &across(*matrix));
                place(names::residual_bias(index), &along(bias));
            }
        }
        for (index, (matrix, bias)) in self.ends.iter().enumerate() {
            place(names::end_weight(index), &across(*matrix));
            place(names::end_bias(index), &along(bias));
        }
        map
    }

    /// The matrices that tiles are multiplied with; the causal convolution's are looked up or scaled.
    pub fn multiplied(&self) -> impl Iterator<Item = Matrix> + '_ {
        let layers = self.layers.iter().flat_map(|layer| {
            layer.taps.iter().copied().chain([layer.skip]).chain(layer.residual.as_ref().map(|residual| residual.0))
        });
        layers.chain(self.ends.iter().map(|end| end.0))
    }

    /// Lays the flat vector out in the arena.
    pub fn pack(&self, values: &[f32], arena: &mut Vec<f32>) {
        arena.clear();
        arena.resize(self.len, 0.0);
        for (value, &place) in values.iter().zip(&self.map) {
            arena[place as usize] += value;
        }
    }

    /// Reads a gradient out of the arena, times `scale`.
    pub fn unpack(&self, arena: &[f32], scale: f32, values: &mut [f32]) {
        for (value, &place) in values.iter_mut().zip(&self.map) {
            *value = arena[place as usize] * scale;
        }
    }
}

/// The transposes `[outputs, inputs]` of the matrices that gradients run back through; at the same offsets.
pub fn transpose(layout: &Layout, arena: &[f32], transposed: &mut Vec<f32>) {
    transposed.clear();
    transposed.resize(layout.len, 0.0);
    for matrix in layout.multiplied() {
        let from = &arena[matrix.range()];
        let to = &mut transposed[matrix.range()];
        for (row, values) in from.chunks_exact(matrix.columns).enumerate() {
            for (column, &value) in values.iter().enumerate() {
                to[column * matrix.rows + row] = value;
            }
        }
    }
}

/// Frames of context in front of a layer's newest output, for each layer, and for the whole stack first: entry i is how
/// many inputs more than the loss has frames layer i is given; the last entry is 0.
pub fn contexts(shape: &WaveNetShape) -> Vec<usize> {
    let reach = |&dilation: &u32| dilation as usize * (shape.filter_width as usize - 1);
    let mut contexts = vec![0];
    for dilation in shape.dilations.iter().rev() {
        contexts.push(contexts[contexts.len() - 1] + reach(dilation));
    }
    contexts.reverse();
    contexts
}
