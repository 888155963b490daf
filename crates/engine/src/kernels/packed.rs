//! Weights in the order in which the kernels read them.
//!
//! Inputs come in words of 32 bits: one f32, two bfloat16 or four 8-bit codes. A word meets one [`Line`] of weights, which
//! holds as many weights for each of 16 rows.

use super::precision::{Precision, row_codes};
use continuo_simd::{CODE_OFFSET, bf16_bits};
use std::ops::{Deref, DerefMut};

/// Rows that are computed together: one AVX-512 vector, two AVX ones, four NEON ones.
pub const BLOCK: usize = 16;

/// Blocks that lie side by side in a matrix: one word's weights for all of them are contiguous. With many columns, registers
/// hold the sums of so many blocks, and the weights are read straight on; with one column, a tile of more blocks reads some
/// groups side by side, which is as fast.
pub const GROUP: usize = 2;

/// Sixteen values in one cache line.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C, align(64))]
pub struct Block(pub [f32; BLOCK]);

/// The values of blocks, in order.
pub fn floats(blocks: &[Block]) -> &[f32] {
    // SAFETY: `Block` is `repr(C)` with 16 floats and neither padding nor invalid bit patterns.
    unsafe { std::slice::from_raw_parts(blocks.as_ptr().cast(), blocks.len() * BLOCK) }
}

/// The values of blocks, in order.
pub fn floats_mut(blocks: &mut [Block]) -> &mut [f32] {
    // SAFETY: as in `floats`, and the borrow is exclusive.
    unsafe { std::slice::from_raw_parts_mut(blocks.as_mut_ptr().cast(), blocks.len() * BLOCK) }
}

/// Blocks that hold `values` values.
pub const fn blocks_for(values: usize) -> usize {
    values.div_ceil(BLOCK)
}

/// A cache line of weights: one 32-bit word for each of 16 rows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C, align(64))]
pub struct Line(pub [u32; BLOCK]);

/// Words that begin with a cache line, so that a vector of them does not lie across two.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Words {
    lines: Vec<Line>,
    length: usize,
}

impl Words {
    /// As many words of one value.
    pub fn filled(value: u32, length: usize) -> Self {
        Self { lines: vec![Line([value; BLOCK]); length.div_ceil(BLOCK)], length }
    }

    /// Makes them so many; new ones are zero or what was there before.
    pub fn resize(&mut self, length: usize) {
        self.lines.resize(length.div_ceil(BLOCK), Line::default());
        self.length = length;
    }
}

impl Deref for Words {
    type Target = [u32];

    #[inline(always)]
    fn deref(&self) -> &[u32] {
        // SAFETY: a `Line` is 16 words without padding, and `length` is at most as many as there are.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl DerefMut for Words {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [u32] {
        // SAFETY: as in `deref`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}

/// Where a matrix lies in an [`Arena`].
#[derive(Debug, Clone, Copy)]
pub struct MatrixRef {
    pub(super) weights: usize,
    pub(super) offsets: Option<usize>,
    pub(super) scales: Option<usize>,
    pub(super) bias: Option<usize>,
    blocks: usize,
    segments: usize,
    segment_words: usize,
    step: usize,
}

/// A matrix as the kernels read it: groups of [`GROUP`] blocks of rows; in a group, word by word, one line of weights
/// per block of rows. The last group may have fewer blocks. Rows are padded with zeros to whole blocks, the inputs of a
/// segment to whole words.
#[derive(Debug, Clone, Copy)]
pub struct PackedMatrix<'a> {
    pub(super) precision: Precision,
    pub(super) weights: &'a [Line],
    /// 8-bit only, `[step][row]`: −[`CODE_OFFSET`] · (sum of the codes), as i32.
    pub(super) offsets: Option<&'a [Line]>,
    /// 8-bit only, `[row]`, f32.
    pub(super) scales: Option<&'a [Line]>,
    /// `[row]`, f32.
    pub(super) bias: Option<&'a [Line]>,
    pub(super) blocks: usize,
    /// Lines of offsets from one step to the next.
    pub(super) offset_stride: usize,
    /// Segments of the input, of which a product can be made one after another.
    pub(super) segments: usize,
    /// Words of each segment.
    pub(super) segment_words: usize,
    /// Words that are summed before their sum is added to the total.
    pub(super) step: usize,
}

/// The rows of a matrix that is to be packed, and what its inputs are.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Where each row comes from; `None` is a row of zeros.
    pub rows: &'a [Option<usize>],
    /// Segments of the input that lie apart, each padded to whole words.
    pub segments: usize,
    /// Inputs in each segment.
    pub inputs: usize,
    /// Whether each segment's 8-bit inputs have a scale of their own.
    pub scaled: bool,
}

/// Inputs of one segment that are summed before their sum is added to the total: rounding errors of a sum grow with its
/// length.
const SUMMED: usize = 256;

/// All matrices of a network in one aligned piece of memory, in the order of use, so that a step reads it straight on.
#[derive(Debug, Default)]
pub struct Arena {
    precision: Precision,
    lines: Vec<Line>,
}

impl Arena {
    /// An arena with room for `lines` lines of 64 bytes.
    pub fn with_capacity(precision: Precision, lines: usize) -> Self {
        Self { precision, lines: Vec::with_capacity(lines) }
    }

    /// Packs a matrix: `weight(row, input)` is asked for every row and input, which are counted over all segments.
    pub fn push(
        &mut self,
        shape: Rows<'_>,
        weight: impl Fn(usize, usize) -> f32,
        bias: Option<impl Fn(usize) -> f32>,
    ) -> MatrixRef {
        let Rows { rows, segments, inputs, scaled } = shape;
        let precision = self.precision;
        let (blocks, segment_words) = (blocks_for(rows.len()), precision.words(inputs));
        let words = segments * segment_words;
        let step = match precision {
            Precision::Int8 if scaled => segment_words,
            // Sums of codes are exact, however long.
            Precision::Int8 => words,
            // What can be cut at every segment must be summed by segments.
            _ if segments > 1 => segment_words,
            _ => SUMMED / precision.per_word(),
        };
        let steps = if scaled { segments } else { 1 };
        // Row by row, since a file holds them so; a row's words then go to their lines.
        let start = self.lines.len();
        self.lines.resize(start + blocks * words, Line::default());
        let mut scales = vec![0f32; blocks * BLOCK];
        let mut offsets = vec![0i32; steps * blocks * BLOCK];
        let mut values = vec![0f32; segments * inputs];
        let mut row_words = vec![0u32; words];
        for (index, row) in rows.iter().enumerate() {
            let Some(row) = *row else { continue };
            values.iter_mut().enumerate().for_each(|(input, value)| *value = weight(row, input));
            match precision {
                Precision::F32 => values.iter().zip(&mut row_words).for_each(|(value, word)| *word = value.to_bits()),
                Precision::Bf16 => {
                    for (segment, to) in values.chunks(inputs.max(1)).zip(row_words.chunks_mut(segment_words.max(1))) {
                        for (pair, word) in segment.chunks(2).zip(to) {
                            let high = pair.get(1).map_or(0, |&value| bf16_bits(value));
                            *word = u32::from(bf16_bits(pair[0])) | u32::from(high) << 16;
                        }
                    }
                }
                Precision::Int8 => {
                    let (scale, codes) = row_codes(&values);
                    scales[index] = scale;
                    let by_segment = codes.chunks(inputs.max(1)).zip(row_words.chunks_mut(segment_words.max(1)));
                    for (segment, (codes, to)) in by_segment.enumerate() {
                        for (four, word) in codes.chunks(4).zip(to) {
                            let byte = |k: usize| four.get(k).map_or(0, |&code| code as u8);
                            *word = u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)]);
                        }
                        let sum: i32 = codes.iter().map(|&code| i32::from(code)).sum();
                        let of_step = if scaled { segment * blocks * BLOCK } else { 0 };
                        offsets[of_step + index] -= i32::from(CODE_OFFSET) * sum;
                    }
                }
            }
            let (block, lane) = (index / BLOCK, index % BLOCK);
            let group = block / GROUP * GROUP;
            let width = (blocks - group).min(GROUP);
            let first = start + group * words + block - group;
            for (word, &value) in row_words.iter().enumerate() {
                self.lines[first + word * width].0[lane] = value;
            }
        }
        let offsets = (precision == Precision::Int8).then(|| self.append(offsets.iter().map(|&value| value as u32)));
        let scales = (precision == Precision::Int8).then(|| self.append(scales.iter().map(|value| value.to_bits())));
        let bias = bias.map(|bias| {
            let value = |index: usize| rows.get(index).copied().flatten().map_or(0.0, &bias).to_bits();
            self.append((0..blocks * BLOCK).map(value))
        });
        MatrixRef { weights: start, offsets, scales, bias, blocks, segments, segment_words, step }
    }

    /// Appends whole lines of words.
    fn append(&mut self, words: impl Iterator<Item = u32>) -> usize {
        let start = self.lines.len();
        let mut line = Line::default();
        for (index, word) in words.enumerate() {
            line.0[index % BLOCK] = word;
            if index % BLOCK == BLOCK - 1 {
                self.lines.push(line);
            }
        }
        start
    }

    /// The matrix at a place that [`Arena::push`] gave.
    #[inline(always)]
    pub fn matrix(&self, place: MatrixRef) -> PackedMatrix<'_> {
        let MatrixRef { weights, offsets, scales, bias, blocks, segments, segment_words, step } = place;
        let words = segments * segment_words;
        let steps = if step == words { 1 } else { segments };
        let lines = |start: usize, count: usize| &self.lines[start..start + count];
        PackedMatrix {
            precision: self.precision,
            weights: lines(weights, blocks * words),
            offsets: offsets.map(|start| lines(start, steps * blocks)),
            scales: scales.map(|start| lines(start, blocks)),
            bias: bias.map(|start| lines(start, blocks)),
            blocks,
            offset_stride: blocks,
            segments,
            segment_words,
            step,
        }
    }

    /// Where its memory begins.
    #[inline(always)]
    pub(super) fn start(&self) -> *const Line {
        self.lines.as_ptr()
    }

    /// Size in lines of 64 bytes.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing was packed yet.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// In what its matrices are.
    pub fn precision(&self) -> Precision {
        self.precision
    }
}

impl<'a> PackedMatrix<'a> {
    /// Rows from one segment of the whole to another, as a block to begin with and a matrix of its own: whole groups, so that
    /// no line is read by two.
    pub(super) fn share(self, from: f64, to: f64) -> (usize, PackedMatrix<'a>) {
        let words = self.segments * self.segment_words;
        let groups = self.blocks.div_ceil(GROUP) as f64;
        let [first, last] = [from, to].map(|part| ((groups * part).round() as usize * GROUP).min(self.blocks));
        let lines = |all: &'a [Line]| &all[first..last];
        let share = PackedMatrix {
            weights: &self.weights[first * words..last * words],
            // Those of all steps from this share's first row on.
            offsets: self.offsets.map(|all| &all[first..]),
            scales: self.scales.map(lines),
            bias: self.bias.map(lines),
            blocks: last - first,
            ..self
        };
        (first, share)
    }
}

impl MatrixRef {
    /// Whether products with both are the same but for where the weights lie.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let shape = |m: &Self| {
            let Self { offsets, scales, bias, blocks, segments, segment_words, step, .. } = *m;
            (offsets.is_some(), scales.is_some(), bias.is_some(), blocks, segments, segment_words, step)
        };
        shape(self) == shape(other)
    }

    /// Blocks of 16 rows in the output.
    pub fn blocks(&self) -> usize {
        self.blocks
    }
}
