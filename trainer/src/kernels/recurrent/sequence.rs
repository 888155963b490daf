//! What recurrent layers of any kind have in common: their axes, and products over steps and gates.

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;

use crate::kernels::matrix::{Left, NOWHERE, Panels, Places, Product, Run, Segment, every};
use crate::kernels::tiles::SumRows;
use crate::kernels::transpose::Transpose;
use crate::kernels::{Level, padded};

/// A recurrent layer's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes {
    /// Steps.
    pub steps: usize,
    /// Sequences.
    pub batch: usize,
    /// Values of an input.
    pub inputs: usize,
    /// Units: values of a state.
    pub units: usize,
}

impl Axes {
    /// Rows of all steps.
    pub fn rows(&self) -> usize {
        self.steps * self.batch
    }

    /// Values of a state inside: every unit of every sequence, padded.
    pub fn state(&self) -> usize {
        self.batch * padded(self.units)
    }
}

/// Where the units of `gates` gates are in weights of `stride` values per unit; padding is nowhere.
pub fn gate_places(gates: usize, units: usize, stride: usize) -> Vec<usize> {
    let place = |index: usize| {
        let (gate, unit) = (index / padded(units), index % padded(units));
        if unit < units { (gate * units + unit) * stride } else { NOWHERE }
    };
    (0..gates * padded(units)).map(place).collect()
}

/// Weights `[gates · units, depth]` for products with rows of `depth` values.
pub fn pack_forward(level: Level, weight: &[f32], gates: usize, units: usize, depth: usize) -> Panels {
    let places = Places { data: weight, rows: &every(1, depth), columns: &gate_places(gates, units, depth) };
    Panels::pack(level, places)
}

/// The same weights for the way back: products with rows of gates.
pub fn pack_backward(level: Level, weight: &[f32], gates: usize, units: usize, depth: usize) -> Panels {
    let places = Places { data: weight, rows: &gate_places(gates, units, depth), columns: &every(1, depth) };
    Panels::pack(level, places)
}

/// `c (+)= a · b` of whole matrices: `rows` rows of `a` at `stride`, of which `runs` are read.
pub fn product(
    level: Level,
    rows: usize,
    (data, stride, runs): (&[f32], usize, &[Run]),
    b: &Panels,
    (c, c_stride, accumulate): (&mut [f32], usize, bool),
) {
    let segments = [Segment { from: 0, to: 0, rows }];
    Product { a: Left { data, stride, segments: &segments, runs }, b, c, c_stride, accumulate }.run(level);
}

/// Rows of `units` values as rows of whole vectors.
pub fn pad(from: &[f32], units: usize, to: &mut [f32]) {
    for (from, to) in from.chunks_exact(units).zip(to.chunks_exact_mut(padded(units))) {
        to[..units].copy_from_slice(from);
    }
}

/// The other way round.
pub fn unpad(from: &[f32], units: usize, to: &mut [f32]) {
    for (from, to) in from.chunks_exact(padded(units)).zip(to.chunks_exact_mut(units)) {
        to.copy_from_slice(&from[..units]);
    }
}

/// Gradients of gates, `[rows, gates · units]` padded, by gate and unit: `[gates · units, rows]` padded.
pub fn by_gate(level: Level, gradients: &[f32], width: usize) -> Vec<f32> {
    let rows = gradients.len() / width;
    let mut turned = vec![0.0; gradients.len()];
    turned.par_chunks_mut((64 * rows).max(1)).enumerate().for_each(|(part, to)| {
        let columns = to.len() / rows;
        level.run(Transpose {
            from: &gradients[part * 64..],
            from_stride: width,
            rows,
            columns,
            bias: &[],
            to,
            to_stride: rows,
        });
    });
    turned
}

/// The gradient of weights `[gates · units, depth]`: gradients of gates by gate ([`by_gate`]) times the rows that they were
/// multiplied with, `[rows, depth]` at `stride`. `gates` are those that the weights are for.
pub fn weight_gradient(
    level: Level,
    turned: &[f32],
    (gates, units): (&[usize], usize),
    (data, stride, depth): (&[f32], usize, usize),
    rows: usize,
    weight: &mut [f32],
) {
    let panels = Panels::pack(level, Places { data, rows: &every(stride, rows), columns: &every(1, depth) });
    let segments: Vec<Segment> = gates
        .iter()
        .enumerate()
        .map(|(place, gate)| Segment { from: gate * padded(units) * rows, to: place * units * depth, rows: units })
        .collect();
    let runs = [Run { offset: 0, depth: rows }];
    let a = Left { data: turned, stride: rows, segments: &segments, runs: &runs };
    Product { a, b: &panels, c: weight, c_stride: depth, accumulate: false }.run(level);
}

/// The gradient of biases: gradients of gates `[rows, width]` summed over the rows, for the gates that the biases are for.
pub fn bias_gradient(
    level: Level,
    gradients: &[f32],
    width: usize,
    (gates, units): (&[usize], usize),
    bias: &mut [f32],
) {
    let mut sums = vec![0.0; width];
    level.run(SumRows { tile: gradients, into: &mut sums });
    for (gate, to) in gates.iter().zip(bias.chunks_exact_mut(units)) {
        to.copy_from_slice(&sums[gate * padded(units)..][..units]);
    }
}
