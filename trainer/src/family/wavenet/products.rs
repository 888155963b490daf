//! The matrix products of the CPU path: in f32, or of factors that are rounded to bfloat16.

use super::layout::{Layout, Matrix};
use crate::kernels::Level;
use crate::kernels::bf16::{Across, Along, Bf16, words_across};
use crate::kernels::gemm::{Gemm, Strided};

/// The weights in bfloat16: pairs of rows, at half of the arena's offsets.
#[derive(Debug, Default)]
pub struct RoundedWeights {
    /// The arena's matrices.
    forward: Vec<u32>,
    /// Their transposes.
    transposed: Vec<u32>,
}

impl RoundedWeights {
    /// Rounds every matrix that is multiplied with.
    pub fn load(&mut self, level: Level, layout: &Layout, forward: &[f32], transposed: &[f32]) {
        self.forward.resize(layout.len / 2, 0);
        self.transposed.resize(layout.len / 2, 0);
        for matrix in layout.multiplied() {
            // Rows and columns are whole vectors, so a pair never takes in another matrix.
            let (range, words) = (matrix.range(), halved(matrix));
            level.run(Across {
                from: &forward[range.clone()],
                width: matrix.columns,
                to: &mut self.forward[words.clone()],
            });
            level.run(Across { from: &transposed[range], width: matrix.rows, to: &mut self.transposed[words] });
        }
    }
}

/// Where a matrix lies in pairs.
fn halved(matrix: Matrix) -> std::ops::Range<usize> {
    let range = matrix.range();
    range.start / 2..range.end / 2
}

/// A matrix of weights, as it is multiplied with.
#[derive(Debug, Clone, Copy)]
pub enum Side {
    /// `[inputs, outputs]`.
    Forward,
    /// `[outputs, inputs]`.
    Transposed,
}

/// The weights, and what multiplies with them.
#[derive(Debug, Clone, Copy)]
pub struct Products<'a> {
    /// The arena.
    pub forward: &'a [f32],
    /// Its matrices, transposed, at the same offsets.
    pub transposed: &'a [f32],
    /// The same in bfloat16, where products are of that.
    pub rounded: Option<(Bf16, &'a RoundedWeights)>,
    /// Instruction set.
    pub level: Level,
}

/// A tile `[frames, width]` as a factor of products.
#[derive(Debug, Clone, Copy)]
pub struct Factor<'a> {
    values: &'a [f32],
    width: usize,
    along: &'a [u32],
    across: &'a [u32],
}

/// What a factor is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Products with weights.
    Weights,
    /// Gradients of weights.
    Gradients,
    /// Both.
    Both,
}

/// Buffers for a rounded factor, grown once and reused.
#[derive(Debug, Default)]
pub struct Rounded {
    along: Vec<u32>,
    across: Vec<u32>,
}

impl Rounded {
    /// A tile whose rows are `width` values, rounded if products are of rounded factors.
    pub fn factor<'a>(&'a mut self, products: &Products<'_>, values: &'a [f32], width: usize, to: Use) -> Factor<'a> {
        if products.rounded.is_none() {
            return Factor { values, width, along: &[], across: &[] };
        }
        if to != Use::Gradients {
            self.along.resize(values.len() / 2, 0);
            products.level.run(Along { from: values, to: &mut self.along });
        }
        if to != Use::Weights {
            self.across.resize(words_across(values.len() / width, width), 0);
            products.level.run(Across { from: values, width, to: &mut self.across });
        }
        Factor { values, width, along: &self.along, across: &self.across }
    }
}

impl Products<'_> {
    /// `out [T, width] (+)= tile [T, k] · weights [k, width]`, with the weights that begin at `offset` in the arena.
    pub fn by_weights(
        &self,
        tile: Factor<'_>,
        (side, offset): (Side, usize),
        (out, width): (&mut [f32], usize),
        accumulate: bool,
    ) {
        let (rows, depth) = (tile.values.len() / tile.width, tile.width);
        if let Some((bf16, weights)) = self.rounded {
            let weights = match side {
                Side::Forward => &weights.forward,
                Side::Transposed => &weights.transposed,
            };
            bf16.run(Gemm {
                rows,
                depth: depth / 2,
                columns: width,
                a: Strided::rows(tile.along, depth / 2),
                b: &weights[offset / 2..],
                b_stride: width,
                c: out,
                c_stride: width,
                accumulate,
            });
        } else {
            let weights = match side {
                Side::Forward => self.forward,
                Side::Transposed => self.transposed,
            };
            self.level.run(Gemm {
                rows,
                depth,
                columns: width,
                a: Strided::rows(tile.values, depth),
                b: &weights[offset..],
                b_stride: width,
                c: out,
                c_stride: width,
                accumulate,
            });
        }
    }

    /// `out [k, n] += tile [T, k]ᵀ · gradient [T, n]`.
    pub fn weight_gradient(&self, tile: Factor<'_>, gradient: Factor<'_>, out: &mut [f32]) {
        let (rows, columns, frames) = (tile.width, gradient.width, tile.values.len() / tile.width);
        if let Some((bf16, _)) = self.rounded {
            bf16.run(Gemm {
                rows,
                depth: frames.div_ceil(2),
                columns,
                a: Strided::columns(tile.across, rows),
                b: gradient.across,
                b_stride: columns,
                c: out,
                c_stride: columns,
                accumulate: true,
            });
        } else {
            self.level.run(Gemm {
                rows,
                depth: frames,
                columns,
                a: Strided::columns(tile.values, rows),
                b: gradient.values,
                b_stride: columns,
                c: out,
                c_stride: columns,
                accumulate: true,
            });
        }
    }
}
