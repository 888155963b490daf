//! A WaveNet with its weights packed, and the sizes that a pass works with.

use crate::family::wavenet::{Matrix, WaveNetWeights};
use crate::kernels::packed::{Arena, BLOCK, Block, MatrixRef, Rows, blocks_for, floats_mut};
use crate::kernels::precision::Precision;
use continuo_package::family::wavenet::WaveNetShape;

/// Most memory that packed weights may take, in lines of 64 bytes (4 GiB). Rows are padded to whole blocks, so that a
/// network of one-channel layers would need sixteen times its file.
pub(super) const MOST_LINES: u64 = (4 << 30) / 64;

/// A WaveNet with its weights in the order in which the kernels read them.
#[derive(Debug)]
pub struct PackedWaveNet {
    pub(super) shape: WaveNetShape,
    pub(super) precision: Precision,
    pub(super) arena: Arena,
    /// Per tap, `[Q]` rows of `blocks(R)` blocks: an embedding that is looked up, not multiplied. For real values one row.
    pub(super) taps: Vec<Vec<Block>>,
    pub(super) causal_bias: Vec<Block>,
    pub(super) layers: Vec<PackedLayer>,
    /// `[S, L·D]`: the skip paths of all layers side by side, so that their sum is one product.
    pub(super) skip: MatrixRef,
    pub(super) end: [MatrixRef; 2],
    /// Per layer, how many of a clip's last frames it must see so that the state after the clip is right.
    pub(super) needed: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct PackedLayer {
    /// `[2D, F·R]`, a block of tanh rows before each block of sigmoid rows; inputs tap by tap, oldest first.
    pub(super) dilated: MatrixRef,
    /// `[R, D]`; the last layer has none.
    pub(super) residual: Option<MatrixRef>,
}

/// Every layer's products are the first one's but for where their weights lie: `layer::SingleColumn` checks them once.
///
/// # Panics
/// If they are not, which is a mistake here: their sizes come from one shape.
fn assert_alike(layers: &[PackedLayer]) {
    let [first, others @ ..] = layers else { return };
    let alike = |other: &PackedLayer| {
        let residual = other.residual.zip(first.residual).is_none_or(|(other, first)| other.is_like(&first));
        other.dilated.is_like(&first.dilated) && residual
    };
    assert!(others.iter().all(alike), "layers of one shape");
}

/// Sizes in the units that the pass uses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) precision: Precision,
    pub(super) taps: usize,
    pub(super) residual_blocks: usize,
    /// Words of one tap.
    pub(super) residual_words: usize,
    pub(super) gate_blocks: usize,
    /// Words of one layer's gate.
    pub(super) gate_words: usize,
    pub(super) layers: usize,
}

impl Sizes {
    pub(super) fn of(shape: &WaveNetShape, precision: Precision) -> Self {
        let (residual, gate) = (shape.residual_channels as usize, shape.dilation_channels as usize);
        Self {
            precision,
            taps: shape.filter_width as usize,
            residual_blocks: blocks_for(residual),
            residual_words: precision.words(residual),
            gate_blocks: blocks_for(gate),
            gate_words: precision.words(gate),
            layers: shape.dilations.len(),
        }
    }

    /// Words of one column of a layer's taps. The newest is encoded in whole blocks, which hang over the end.
    pub(super) fn taps_stride(self) -> usize {
        (self.taps * self.residual_words).next_multiple_of(BLOCK) + BLOCK
    }

    /// Words of the gates of all layers of one column; the last layer's padding hangs over the end.
    pub(super) fn z_stride(self) -> usize {
        (self.layers * self.gate_words).next_multiple_of(BLOCK) + BLOCK
    }
}

/// Lines of 64 bytes that packing a WaveNet of this shape takes.
pub(super) fn packed_lines(shape: &WaveNetShape, precision: Precision) -> u64 {
    let blocks = |values: u32| u64::from(values).div_ceil(BLOCK as u64);
    let words = |values: u32| precision.words(values as usize) as u64;
    // Bias; in 8 bits also scale and offset.
    let int8 = precision == Precision::Int8;
    let beside = if int8 { 3 } else { 1 };
    let [f, layers] = [u64::from(shape.filter_width), shape.dilations.len() as u64];
    let apart = if int8 { f - 1 } else { 0 };
    let layer = 2 * blocks(shape.dilation_channels) * (f * words(shape.residual_channels) + beside + apart)
        + blocks(shape.residual_channels) * (words(shape.dilation_channels) + beside);
    let skip = blocks(shape.skip_channels) * (layers * words(shape.dilation_channels) + beside);
    let end = blocks(shape.end_channels) * (words(shape.skip_channels) + beside)
        + blocks(shape.outputs()) * (words(shape.end_channels) + beside);
    layers * layer + skip + end + (f * u64::from(shape.outputs()) + 1) * blocks(shape.residual_channels)
}

/// How many of a clip's last frames each layer must see: those that stay in its ring, and those that the frames which the
/// next layer must see reach back to.
fn needed_frames(shape: &WaveNetShape) -> Vec<usize> {
    let mut next = 0;
    let mut needed: Vec<usize> = shape
        .dilations
        .iter()
        .rev()
        .map(|&dilation| {
            let length = dilation as usize * (shape.filter_width as usize - 1);
            next = if next == 0 { length } else { next + length };
            next
        })
        .collect();
    needed.reverse();
    needed
}

impl PackedWaveNet {
    /// Packs weights in a precision; those of a model with classes for this class, which is a choice of biases. Takes time in
    /// proportion to their number.
    ///
    /// # Errors
    /// The number of bytes needed, where the shape's padding makes them more than 4 GiB.
    ///
    /// # Panics
    /// If a model with classes does not have this one: a mistake in the caller.
    pub fn new(weights: &WaveNetWeights, precision: Precision, class: usize) -> Result<Self, u64> {
        let shape = weights.shape().clone();
        let lines = packed_lines(&shape, precision);
        if lines > MOST_LINES {
            return Err(lines * 64);
        }
        let sizes = Sizes::of(&shape, precision);
        let Sizes { taps, residual_blocks, gate_blocks, .. } = sizes;
        let (residual, gate) = (shape.residual_channels as usize, shape.dilation_channels as usize);
        let mut arena = Arena::with_capacity(precision, lines as usize);
        let plain = |arena: &mut Arena, matrix: &Matrix| {
            let rows: Vec<_> = (0..matrix.rows()).map(Some).collect();
            let rows = Rows { rows: &rows, segments: 1, inputs: matrix.inputs(), scaled: false };
            arena.push(rows, |row, input| matrix.weight(row, input), matrix.bias().map(|bias| |row: usize| bias[row]))
        };

        let gate_rows: Vec<Option<usize>> = (0..gate_blocks)
            .flat_map(|block| [0, gate].map(|half| (half, block)))
            .flat_map(|(half, block)| (block * BLOCK..(block + 1) * BLOCK).map(move |row| (half, row)))
            .map(|(half, row)| (row < gate).then_some(half + row))
            .collect();
        let mut layers = Vec::with_capacity(sizes.layers);
        for layer in &weights.layers {
            // The file has [2D, R, F]: input = channel · F + tap. The pass has the taps' vectors one after another.
            let weight = |row, input: usize| layer.dilated.weight(row, (input % residual) * taps + input / residual);
            let told = match &layer.class_biases[..] {
                [] => None,
                biases => Some(&biases[class * 2 * gate..][..2 * gate]),
            };
            let bias = layer.dilated.bias().map(|bias| |row: usize| bias[row] + told.map_or(0.0, |told| told[row]));
            let rows = Rows { rows: &gate_rows, segments: taps, inputs: residual, scaled: true };
            let dilated = arena.push(rows, weight, bias);
            let residual = layer.residual.as_ref().map(|matrix| plain(&mut arena, matrix));
            layers.push(PackedLayer { dilated, residual });
        }
        assert_alike(&layers);

        let skip_rows: Vec<_> = (0..shape.skip_channels as usize).map(Some).collect();
        let skip_bias = shape.biases.then_some(|row: usize| {
            let sum: f64 = weights.layers.iter().filter_map(|layer| Some(f64::from(layer.skip.bias()?[row]))).sum();
            sum as f32
        });
        let rows = Rows { rows: &skip_rows, segments: sizes.layers, inputs: gate, scaled: false };
        let weight = |row, input: usize| weights.layers[input / gate].skip.weight(row, input % gate);
        let skip = arena.push(rows, weight, skip_bias);
        let end = [&weights.end[0], &weights.end[1]].map(|matrix| plain(&mut arena, matrix));

        let embedding = |tap: &Vec<f32>| {
            let mut rows = vec![Block::default(); shape.outputs() as usize * residual_blocks];
            let of_codes = tap.chunks_exact(residual).zip(rows.chunks_exact_mut(residual_blocks));
            of_codes.for_each(|(row, padded)| floats_mut(padded)[..residual].copy_from_slice(row));
            rows
        };
        let taps = weights.causal_taps.iter().map(embedding).collect();
        let mut causal_bias = vec![Block::default(); residual_blocks];
        if let Some(bias) = &weights.causal_bias {
            floats_mut(&mut causal_bias)[..residual].copy_from_slice(bias);
        }
        let needed = needed_frames(&shape);
        Ok(Self { shape, precision, arena, taps, causal_bias, layers, skip, end, needed })
    }

    /// The hyper-parameters.
    pub fn shape(&self) -> &WaveNetShape {
        &self.shape
    }

    /// In what its products are computed.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Size of the packed weights, in lines of 64 bytes.
    pub fn lines(&self) -> usize {
        self.arena.len() + self.causal_bias.len() + self.taps.iter().map(Vec::len).sum::<usize>()
    }

    /// Multiplications and additions, in pairs, for one frame of one variation.
    pub fn multiply_adds(&self) -> u64 {
        let shape = &self.shape;
        let [f, r, d, s, e, q] = [
            shape.filter_width,
            shape.residual_channels,
            shape.dilation_channels,
            shape.skip_channels,
            shape.end_channels,
            shape.outputs(),
        ]
        .map(u64::from);
        let layers = shape.dilations.len() as u64;
        layers * (2 * d * f * r + s * d) + layers.saturating_sub(1) * r * d + e * s + q * e
    }

    /// Floats between one column's outputs and the next: `Q`, padded to whole blocks.
    pub fn logits_stride(&self) -> usize {
        self.end[1].blocks() * BLOCK
    }

    pub(super) fn sizes(&self) -> Sizes {
        Sizes::of(&self.shape, self.precision)
    }
}
