//! The arguments of a product: as slices, and checked, as pointers.

use super::packed::{Arena, BLOCK, Block, Line, MatrixRef, PackedMatrix};
use super::precision::Precision;
use std::ops::Range;

/// What happens to the sum of a product before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epilogue {
    /// `y = sum`
    Store,
    /// `y = max(sum, 0)`
    Relu,
    /// `y = y + sum`
    AddTo,
}

/// Columns of activations in words, and for 8-bit ones what their codes are multiplied with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    /// Columns, `stride` words apart.
    pub words: &'a [u32],
    /// Words from one column to the next.
    pub stride: usize,
    /// `[column][segment]` where segments have scales of their own, else `[column]`; not read unless 8-bit.
    pub scales: &'a [f32],
}

/// Where the gate of a product goes: columns of words, `stride` apart.
#[derive(Debug)]
pub(crate) struct Gated<'a> {
    /// Columns, `stride` words apart.
    pub words: &'a mut [u32],
    /// Words from one column to the next.
    pub stride: usize,
}

/// The arguments of a product, checked: as pointers, so that a pass can move some of them on from layer to layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    /// Weights of the matrix, in groups of up to [`super::packed::GROUP`] blocks.
    pub weights: *const u32,
    /// 8-bit: `[step][padded row]`, what a sum starts from.
    pub offsets: *const i32,
    /// The step of the first word that is multiplied.
    pub first_step: usize,
    /// Offsets from one step to the next.
    pub offset_stride: usize,
    /// 8-bit: one scale per padded row.
    pub scales: *const f32,
    /// Bias, one value per padded row; null for none.
    pub bias: *const f32,
    /// Floats from one column's bias to the next; 0 where all have the same.
    pub bias_stride: usize,
    /// Blocks of 16 rows.
    pub blocks: usize,
    /// Words of input per row.
    pub words: usize,
    /// Words that are summed before their sum is added to the total.
    pub step: usize,
    /// The words that are multiplied: with the first, sums begin; with the last, they end as the epilogue says; between two
    /// calls, `y` holds what they have come to.
    pub begin: usize,
    /// The word after the last.
    pub end: usize,
    /// First column of the input of these words.
    pub x: *const u32,
    /// Words from one input column to the next.
    pub x_stride: usize,
    /// 8-bit: `[column][step]` of these words, what the input's codes are multiplied with.
    pub x_scales: *const f32,
    /// Scales from one column to the next.
    pub scale_stride: usize,
    /// First column of the output.
    pub y: *mut f32,
    /// Floats from one output column to the next.
    pub y_stride: usize,
    /// Number of columns.
    pub columns: usize,
    /// What happens to each sum.
    pub epilogue: Epilogue,
    /// Where the gate of the output goes, of which nothing need then be found in `y`; null for no gate.
    pub z: *mut u32,
    /// Words from one gate column to the next.
    pub z_stride: usize,
}

impl Product {
    /// The arguments of a product of some segments of the input, of which alone `x` holds columns.
    ///
    /// # Panics
    /// If a slice is too short, which is a mistake in the caller and never in a file.
    #[inline(always)]
    pub fn checked(
        matrix: PackedMatrix<'_>,
        segments: Range<usize>,
        columns: usize,
        x: Inputs<'_>,
        y: &mut [Block],
        epilogue: Epilogue,
        gate: Option<Gated<'_>>,
    ) -> Self {
        let PackedMatrix { precision, weights, offsets, offset_stride, scales, bias, blocks, .. } = matrix;
        let PackedMatrix { segments: count, segment_words, step, .. } = matrix;
        let words = count * segment_words;
        assert!(columns > 0 && blocks > 0, "a product of nothing");
        assert!(weights.len() == blocks * words, "weights of a product");
        assert!(bias.is_none_or(|bias| bias.len() == blocks), "bias of a product");
        assert!(segments.start < segments.end && segments.end <= count, "segments of a product");
        let seen = segments.len() * segment_words;
        assert!(columns == 1 || x.stride >= seen, "columns of a product overlap");
        assert!(x.words.len() >= (columns - 1) * x.stride + seen, "input of a product");
        assert!(y.len() == columns * blocks, "output of a product");
        assert!(
            epilogue != Epilogue::AddTo || segments == (0..count),
            "what is added to cannot hold what is not ready"
        );
        // 8-bit sums go over one segment or over all.
        let steps = if step == words { 1 } else { segments.len() };
        let first_step = if step == words { 0 } else { segments.start };
        if precision == Precision::Int8 {
            let least = (first_step + steps - 1) * offset_stride + blocks;
            assert!(offsets.is_some_and(|offsets| offsets.len() >= least), "offsets of a product");
            assert!(scales.is_some_and(|scales| scales.len() == blocks), "scales of a product");
            assert!(x.scales.len() >= columns * steps, "scales of a product's input");
        }
        let (z, z_stride) = match gate {
            None => (std::ptr::null_mut(), 0),
            Some(gate) => {
                let wide = precision.words(blocks / 2 * BLOCK);
                assert!(columns == 1 || gate.stride >= wide, "columns of a gate overlap");
                assert!(gate.words.len() >= (columns - 1) * gate.stride + wide, "output of a gate");
                (gate.words.as_mut_ptr(), gate.stride)
            }
        };
        let start = |lines: Option<&[Line]>| lines.map_or(std::ptr::null(), |lines| lines.as_ptr().cast::<u32>());
        Self {
            weights: weights.as_ptr().cast(),
            offsets: start(offsets).cast(),
            first_step,
            offset_stride: offset_stride * BLOCK,
            scales: start(scales).cast(),
            bias: start(bias).cast(),
            bias_stride: 0,
            blocks,
            words,
            step,
            begin: segments.start * segment_words,
            end: segments.end * segment_words,
            x: x.words.as_ptr(),
            x_stride: x.stride,
            x_scales: x.scales.as_ptr(),
            scale_stride: steps,
            y: y.as_mut_ptr().cast(),
            y_stride: blocks * BLOCK,
            columns,
            epilogue,
            z,
            z_stride,
        }
    }

    /// A product of one segment, made that of another segment.
    #[inline(always)]
    pub fn segment(self, index: usize) -> Self {
        let width = self.end - self.begin;
        let first_step = if self.step == self.words { 0 } else { index };
        Self { begin: index * width, end: (index + 1) * width, first_step, ..self }
    }

    /// A product with these biases in place of the matrix's own: of each column, so many floats apart.
    #[inline(always)]
    pub fn with_biases(self, bias: *const f32, bias_stride: usize) -> Self {
        Self { bias, bias_stride, ..self }
    }

    /// A product with the matrix of another place instead of its own, which has the same shape.
    #[inline(always)]
    pub fn with_weights(self, arena: &Arena, matrix: MatrixRef) -> Self {
        let at = |line: usize| arena.start().wrapping_add(line);
        let or_none = |line: Option<usize>| line.map_or(std::ptr::null(), at);
        Self {
            weights: at(matrix.weights).cast(),
            offsets: or_none(matrix.offsets).cast(),
            scales: or_none(matrix.scales).cast(),
            bias: or_none(matrix.bias).cast(),
            ..self
        }
    }
}
