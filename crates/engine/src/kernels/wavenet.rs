//! One frame after another through a WaveNet (van den Oord et al., *WaveNet: A Generative Model for Raw Audio*, 2016,
//! sections 2.1–2.4), with the past of each layer kept in a ring ("fast WaveNet", Le Paine et al., *Fast Wavenet
//! Generation Algorithm*, 2016).
//!
//! A pass takes one or more frames of one or more takes as columns through the network layer by layer, so that each
//! weight is read once per pass.

use super::contract::{Epilogue, Kernel};
use super::packed::{Arena, BLOCK, Block, MatrixRef, blocks_for, floats, floats_mut};
use crate::weights::{Matrix, WaveNetWeights};
use continuo_package::wavenet::WaveNetShape;

/// Most frames that one pass takes through the network: enough that arithmetic and not reading weights bounds priming,
/// few enough that the columns stay in the nearest caches.
const FRAMES_PER_PASS: usize = 16;

/// How many layers ahead a layer's past is asked for.
const LAYERS_AHEAD: usize = 2;

/// Most memory that packed weights may take, in blocks (4 GiB). Rows are padded to whole blocks, so that a network of
/// one-channel layers would need sixteen times its file.
pub(super) const MOST_BLOCKS: u64 = (4 << 30) / 64;

/// A WaveNet with its weights in the order in which the kernels read them.
#[derive(Debug)]
pub struct PackedWaveNet {
    shape: WaveNetShape,
    arena: Arena,
    /// Per tap, `[Q]` rows of `blocks(R)` blocks: an embedding that is looked up, not multiplied.
    taps: Vec<Vec<Block>>,
    causal_bias: Vec<Block>,
    layers: Vec<PackedLayer>,
    /// `[S, L·D]`: the skip paths of all layers side by side, so that their sum is one product.
    skip: MatrixRef,
    end: [MatrixRef; 2],
}

#[derive(Debug)]
struct PackedLayer {
    /// `[2D, F·R]`, a block of tanh rows before each block of sigmoid rows; inputs tap by tap, oldest first.
    dilated: MatrixRef,
    /// `[R, D]`; the last layer has none.
    residual: Option<MatrixRef>,
}

/// Sizes in the units that the pass uses.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    taps: usize,
    residual: usize,
    gate: usize,
    residual_blocks: usize,
    gate_blocks: usize,
    layers: usize,
}

impl Sizes {
    fn of(shape: &WaveNetShape) -> Self {
        let (residual, gate) = (shape.residual_channels as usize, shape.dilation_channels as usize);
        Self {
            taps: shape.filter_width as usize,
            residual,
            gate,
            residual_blocks: blocks_for(residual),
            gate_blocks: blocks_for(gate),
            layers: shape.dilations.len(),
        }
    }

    /// Gate outputs of all layers of one column; the last layer's padding hangs over the end.
    fn z_stride(self) -> usize {
        (self.layers * self.gate).next_multiple_of(BLOCK) + BLOCK
    }
}

/// Blocks of 16 floats that packing a WaveNet of this shape takes.
pub(super) fn packed_blocks(shape: &WaveNetShape) -> u64 {
    let blocks = |values: u32| u64::from(values).div_ceil(BLOCK as u64);
    let [f, r, d, s, e] =
        [shape.filter_width, shape.residual_channels, shape.dilation_channels, shape.skip_channels, shape.end_channels]
            .map(u64::from);
    let layers = shape.dilations.len() as u64;
    let layer = 2 * blocks(shape.dilation_channels) * (f * r + 1) + blocks(shape.residual_channels) * (d + 1);
    let skip = blocks(shape.skip_channels) * (layers * d + 1);
    let end = blocks(shape.end_channels) * (s + 1) + blocks(shape.levels) * (e + 1);
    layers * layer + skip + end + (f * u64::from(shape.levels) + 1) * blocks(shape.residual_channels)
}

impl PackedWaveNet {
    /// Packs weights. Takes time in proportion to their number.
    ///
    /// # Errors
    /// The number of bytes needed, where the shape's padding makes them more than 4 GiB.
    pub fn new(weights: &WaveNetWeights) -> Result<Self, u64> {
        let shape = weights.shape().clone();
        let blocks = packed_blocks(&shape);
        if blocks > MOST_BLOCKS {
            return Err(blocks * 64);
        }
        let sizes = Sizes::of(&shape);
        let Sizes { taps, residual, gate, gate_blocks, .. } = sizes;
        let mut arena = Arena::with_capacity(blocks as usize);
        let plain = |arena: &mut Arena, matrix: &Matrix| {
            let rows: Vec<_> = (0..matrix.rows()).map(Some).collect();
            let bias = matrix.bias().map(|bias| |row: usize| bias[row]);
            arena.push(&rows, matrix.inputs(), |row, input| matrix.weight(row, input), bias)
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
            let bias = layer.dilated.bias().map(|bias| |row: usize| bias[row]);
            let dilated = arena.push(&gate_rows, taps * residual, weight, bias);
            let residual = layer.residual.as_ref().map(|matrix| plain(&mut arena, matrix));
            layers.push(PackedLayer { dilated, residual });
        }

        let skip_rows: Vec<_> = (0..shape.skip_channels as usize).map(Some).collect();
        let skip_bias = shape.biases.then_some(|row: usize| {
            let sum: f64 = weights.layers.iter().filter_map(|layer| Some(f64::from(layer.skip.bias()?[row]))).sum();
            sum as f32
        });
        let weight = |row, input: usize| weights.layers[input / gate].skip.weight(row, input % gate);
        let skip = arena.push(&skip_rows, sizes.layers * gate, weight, skip_bias);
        let end = [&weights.end[0], &weights.end[1]].map(|matrix| plain(&mut arena, matrix));

        let embedding = |tap: &Vec<f32>| {
            let mut rows = vec![Block::default(); shape.levels as usize * sizes.residual_blocks];
            let of_codes = tap.chunks_exact(residual).zip(rows.chunks_exact_mut(sizes.residual_blocks));
            of_codes.for_each(|(row, padded)| floats_mut(padded)[..residual].copy_from_slice(row));
            rows
        };
        let taps = weights.causal_taps.iter().map(embedding).collect();
        let mut causal_bias = vec![Block::default(); sizes.residual_blocks];
        if let Some(bias) = &weights.causal_bias {
            floats_mut(&mut causal_bias)[..residual].copy_from_slice(bias);
        }
        Ok(Self { shape, arena, taps, causal_bias, layers, skip, end })
    }

    /// The hyper-parameters.
    pub fn shape(&self) -> &WaveNetShape {
        &self.shape
    }

    /// Size of the packed weights, in blocks of 64 bytes.
    pub fn blocks(&self) -> usize {
        self.arena.len() + self.causal_bias.len() + self.taps.iter().map(Vec::len).sum::<usize>()
    }

    /// Floats between one column's logits and the next: `Q`, padded to whole blocks.
    pub fn logits_stride(&self) -> usize {
        self.end[1].blocks() * BLOCK
    }

    /// Takes frames of several takes through the network.
    ///
    /// `codes` holds `states.len() · frames` codes, take by take; codes above the last level are taken as the last.
    /// `logits` gets, per take, the `Q` unnormalised log-probabilities of the frame after the last one; without it the
    /// skip paths are left out, which is how a clip is primed.
    ///
    /// # Panics
    /// If the slices do not fit together or a state was made for another shape: a mistake in the caller.
    pub fn advance(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        codes: &[u32],
        mut logits: Option<&mut [Block]>,
    ) {
        if states.is_empty() {
            return;
        }
        let frames = codes.len() / states.len();
        assert!(codes.len() == frames * states.len(), "codes of a pass");
        let mut first = 0;
        while first < frames {
            // Only the last frame's logits are wanted, so that frame goes alone.
            let rest = frames - first;
            let count = if logits.is_some() && rest > 1 { rest - 1 } else { rest }.min(FRAMES_PER_PASS);
            let wanted = if count == rest { logits.as_deref_mut() } else { None };
            self.pass(kernel, scratch, states, |take, frame| codes[take * frames + first + frame], count, wanted);
            first += count;
        }
    }

    /// One pass of `frames` frames per take: columns are take by take, frame by frame. Logits only where `frames` is 1.
    fn pass(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        code: impl Fn(usize, usize) -> u32,
        frames: usize,
        logits: Option<&mut [Block]>,
    ) {
        let sizes = Sizes::of(&self.shape);
        let Sizes { residual, gate, residual_blocks, gate_blocks, .. } = sizes;
        let columns = states.len() * frames;
        scratch.resize(&self.shape, columns, logits.is_some());
        let Scratch { x, taps, h, z, skip, end } = scratch;
        let last_code = self.shape.levels - 1;
        let tap_stride = taps_stride(sizes);
        let z_stride = sizes.z_stride();

        for (column, x) in x.chunks_exact_mut(residual_blocks).enumerate() {
            let state = &mut states[column / frames];
            state.push_code(code(column / frames, column % frames).min(last_code));
            x.copy_from_slice(&self.causal_bias);
            for (table, code) in self.taps.iter().zip(state.codes()) {
                let row = &table[code as usize * residual_blocks..][..residual_blocks];
                floats_mut(x).iter_mut().zip(floats(row)).for_each(|(x, weight)| *x += weight);
            }
        }
        for (index, layer) in self.layers.iter().enumerate() {
            // A ring is far larger than what a step reads of it, so that every step finds it in a slower cache.
            for state in &*states {
                if let Some(ring) = state.layers.get(index + LAYERS_AHEAD) {
                    kernel.fetch(ring.oldest_frame());
                }
            }
            let inputs = floats(x).chunks_exact(residual_blocks * BLOCK);
            for (column, (x, taps)) in inputs.zip(floats_mut(taps).chunks_exact_mut(tap_stride)).enumerate() {
                states[column / frames].layers[index].exchange(&x[..residual], taps);
            }
            kernel.product(self.arena.matrix(layer.dilated), columns, (floats(taps), tap_stride), h, Epilogue::Store);
            let outputs = floats_mut(z).chunks_exact_mut(z_stride);
            for (h, z) in h.chunks_exact(2 * gate_blocks).zip(outputs) {
                // The padding of one layer lies where the next one writes.
                kernel.gate(h, &mut z[index * gate..][..gate_blocks * BLOCK]);
            }
            if let Some(matrix) = layer.residual {
                let z = &floats(z)[index * gate..];
                kernel.product(self.arena.matrix(matrix), columns, (z, z_stride), x, Epilogue::AddTo);
            }
        }
        if let Some(logits) = logits {
            let stride = |matrix: MatrixRef| matrix.blocks() * BLOCK;
            kernel.product(self.arena.matrix(self.skip), columns, (floats(z), z_stride), skip, Epilogue::Relu);
            let [first, second] = self.end;
            kernel.product(self.arena.matrix(first), columns, (floats(skip), stride(self.skip)), end, Epilogue::Relu);
            kernel.product(self.arena.matrix(second), columns, (floats(end), stride(first)), logits, Epilogue::Store);
        }
    }
}

fn taps_stride(sizes: Sizes) -> usize {
    (sizes.taps * sizes.residual).next_multiple_of(BLOCK)
}

/// Room for what a pass computes on its way. Grows to the widest pass and is then reused.
#[derive(Debug, Default)]
pub struct Scratch {
    /// `[column][R]`: what goes from layer to layer.
    x: Vec<Block>,
    /// `[column][F·R]`: what a layer sees.
    taps: Vec<Block>,
    /// `[column][2D]`: what goes into the gate.
    h: Vec<Block>,
    /// `[column][L·D]`: what the gates of all layers gave.
    z: Vec<Block>,
    /// `[column][S]`
    skip: Vec<Block>,
    /// `[column][E]`
    end: Vec<Block>,
}

impl Scratch {
    fn resize(&mut self, shape: &WaveNetShape, columns: usize, with_logits: bool) {
        let sizes = Sizes::of(shape);
        let ends = if with_logits { columns } else { 0 };
        for (buffer, length) in [
            (&mut self.x, columns * sizes.residual_blocks),
            (&mut self.taps, columns * taps_stride(sizes) / BLOCK),
            (&mut self.h, columns * 2 * sizes.gate_blocks),
            (&mut self.z, columns * sizes.z_stride() / BLOCK),
            (&mut self.skip, ends * blocks_for(shape.skip_channels as usize)),
            (&mut self.end, ends * blocks_for(shape.end_channels as usize)),
        ] {
            buffer.resize(length, Block::default());
        }
    }
}

/// What one take remembers: the codes and the layers' inputs of the receptive field.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveNetState {
    /// The last `F` codes, the newest last.
    recent: Vec<u32>,
    layers: Vec<Ring>,
}

/// The last d·(F − 1) inputs of a layer.
#[derive(Debug, Clone, PartialEq)]
struct Ring {
    values: Vec<f32>,
    channels: usize,
    dilation: usize,
    /// Frames that the ring holds.
    length: usize,
    /// The oldest frame, which the next one replaces.
    oldest: usize,
}

impl WaveNetState {
    /// The state before the first frame: silent codes, zeros in every layer.
    pub fn new(shape: &WaveNetShape) -> Self {
        let channels = shape.residual_channels as usize;
        let taps = shape.filter_width as usize;
        let ring = |&dilation: &u32| {
            let dilation = dilation as usize;
            let length = dilation * (taps - 1);
            Ring { values: vec![0.0; length * channels], channels, dilation, length, oldest: 0 }
        };
        Self { recent: vec![shape.levels / 2; taps], layers: shape.dilations.iter().map(ring).collect() }
    }

    /// Sets the state from the graph's tensors for one take: `codes` `[F − 1]`, and per layer `[R, d·(F − 1)]`, oldest
    /// frame first.
    ///
    /// # Panics
    /// If a tensor has another size: a mistake in the caller.
    pub fn set(&mut self, codes: &[u32], layers: &[Vec<f32>]) {
        assert!(codes.len() + 1 == self.recent.len() && layers.len() == self.layers.len(), "tensors of a state");
        self.recent[1..].copy_from_slice(codes);
        for (ring, tensor) in self.layers.iter_mut().zip(layers) {
            assert!(tensor.len() == ring.values.len(), "tensors of a state");
            ring.oldest = 0;
            for (channel, row) in tensor.chunks_exact(ring.length).enumerate() {
                for (frame, &value) in row.iter().enumerate() {
                    ring.values[frame * ring.channels + channel] = value;
                }
            }
        }
    }

    /// The graph's tensors of this state, as [`WaveNetState::set`] takes them.
    pub fn tensors(&self) -> (Vec<u32>, Vec<Vec<f32>>) {
        let tensor = |ring: &Ring| {
            let frame = |frame: usize| (ring.oldest + frame) % ring.length * ring.channels;
            (0..ring.channels)
                .flat_map(|channel| (0..ring.length).map(move |index| (channel, index)))
                .map(|(channel, index)| ring.values[frame(index) + channel])
                .collect()
        };
        (self.recent[1..].to_vec(), self.layers.iter().map(tensor).collect())
    }

    fn push_code(&mut self, code: u32) {
        self.recent.rotate_left(1);
        if let Some(newest) = self.recent.last_mut() {
            *newest = code;
        }
    }

    fn codes(&self) -> impl Iterator<Item = u32> {
        self.recent.iter().copied()
    }
}

impl Ring {
    fn oldest_frame(&self) -> &[f32] {
        &self.values[self.oldest * self.channels..][..self.channels]
    }

    /// Writes the inputs of all taps, oldest first, to `taps`, and `x` in the place of the oldest frame.
    fn exchange(&mut self, x: &[f32], taps: &mut [f32]) {
        let channels = self.channels;
        let mut slot = self.oldest;
        let (past, newest) = taps.split_at_mut(self.length / self.dilation * channels);
        for tap in past.chunks_exact_mut(channels) {
            tap.copy_from_slice(&self.values[slot * channels..][..channels]);
            slot += self.dilation;
            slot = if slot >= self.length { slot - self.length } else { slot };
        }
        newest[..channels].copy_from_slice(x);
        self.values[self.oldest * channels..][..channels].copy_from_slice(x);
        self.oldest = if self.oldest + 1 == self.length { 0 } else { self.oldest + 1 };
    }
}
