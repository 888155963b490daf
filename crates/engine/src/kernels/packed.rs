//! Weights in the order in which the kernels read them.

/// Rows that are computed together: one AVX-512 vector, two AVX ones, four NEON ones.
pub const BLOCK: usize = 16;

/// Blocks that lie side by side in a matrix: one input's weights for all of them are contiguous.
pub const GROUP: usize = 8;

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

/// Where a matrix lies in an [`Arena`].
#[derive(Debug, Clone, Copy)]
pub struct MatrixRef {
    weights: usize,
    bias: Option<usize>,
    blocks: usize,
    inputs: usize,
}

/// A matrix as the kernels read it: groups of [`GROUP`] blocks of rows; in a group, input by input, one block of weights
/// per block of rows. The last group may have fewer blocks. Rows are padded with zeros to whole blocks.
#[derive(Debug, Clone, Copy)]
pub struct PackedMatrix<'a> {
    pub(super) weights: &'a [Block],
    pub(super) bias: Option<&'a [Block]>,
    pub(super) blocks: usize,
    pub(super) inputs: usize,
    pub(super) far: bool,
}

/// Blocks of an arena above which its weights are not expected in a core's own caches from one step to the next: 2 MiB.
const FAR: usize = (2 << 20) / 64;

/// All matrices of a network in one aligned piece of memory, in the order of use, so that a step reads it straight on.
#[derive(Debug, Default)]
pub struct Arena(Vec<Block>);

impl Arena {
    /// An arena with room for `blocks` blocks.
    pub fn with_capacity(blocks: usize) -> Self {
        Self(Vec::with_capacity(blocks))
    }

    /// Packs a matrix of `rows.len()` rows. Each row says where it comes from: `weight(row, input)` is asked for every
    /// `Some(row)`, and a `None` is a row of zeros.
    pub fn push(
        &mut self,
        rows: &[Option<usize>],
        inputs: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: Option<impl Fn(usize) -> f32>,
    ) -> MatrixRef {
        let blocks = blocks_for(rows.len());
        let at = |block: usize, lane: usize| rows.get(block * BLOCK + lane).copied().flatten();
        let weights = self.0.len();
        for group in (0..blocks).step_by(GROUP) {
            for input in 0..inputs {
                for block in group..blocks.min(group + GROUP) {
                    let lane = |lane| at(block, lane).map_or(0.0, |row| weight(row, input));
                    self.0.push(Block(std::array::from_fn(lane)));
                }
            }
        }
        let bias = bias.map(|bias| {
            let start = self.0.len();
            let lanes = |block| Block(std::array::from_fn(|lane| at(block, lane).map_or(0.0, &bias)));
            self.0.extend((0..blocks).map(lanes));
            start
        });
        MatrixRef { weights, bias, blocks, inputs }
    }

    /// The matrix at a place that [`Arena::push`] gave.
    pub fn matrix(&self, place: MatrixRef) -> PackedMatrix<'_> {
        let MatrixRef { weights, bias, blocks, inputs } = place;
        PackedMatrix {
            weights: &self.0[weights..weights + blocks * inputs],
            bias: bias.map(|start| &self.0[start..start + blocks]),
            blocks,
            inputs,
            far: self.0.len() > FAR,
        }
    }

    /// Size in blocks.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was packed yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl MatrixRef {
    /// Blocks of 16 rows in the output.
    pub fn blocks(&self) -> usize {
        self.blocks
    }
}
