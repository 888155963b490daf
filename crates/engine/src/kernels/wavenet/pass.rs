//! Columns of frames through the network, layer by layer.

use super::{PackedWaveNet, Sizes, WaveNetState};
use crate::kernels::contract::{Epilogue, Gated, Inputs, Kernel};
use crate::kernels::packed::{BLOCK, Block, MatrixRef, blocks_for, floats, floats_mut};
use crate::kernels::precision::Precision;
use crate::kernels::simd::GATE_SCALE;
use continuo_package::wavenet::WaveNetShape;

/// Most frames that one pass takes through the network: enough that arithmetic and not reading weights bounds priming,
/// few enough that the columns stay in the nearest caches.
const FRAMES_PER_PASS: usize = 16;

/// How many layers ahead a layer's past is asked for.
const LAYERS_AHEAD: usize = 2;

/// Room for what a pass computes on its way. Grows to the widest pass and is then reused.
#[derive(Debug, Default)]
pub struct Scratch {
    /// `[column][R]`: what goes from layer to layer.
    x: Vec<Block>,
    /// `[column][F·R]`, words: what a layer sees.
    taps: Vec<u32>,
    /// `[column][segment]`
    tap_scales: Vec<f32>,
    /// `[column][2D]`: what goes into the gate.
    h: Vec<Block>,
    /// `[column][L·D]`, words: what the gates of all layers gave.
    z: Vec<u32>,
    /// `[column]`: what the gates' codes are multiplied with.
    z_scales: Vec<f32>,
    /// `[column][S]`
    skip: Vec<Block>,
    /// `[column][E]`
    end: Vec<Block>,
    /// `[column][S or E]`, words: what the last two products see.
    coded: Vec<u32>,
    /// `[column]`
    coded_scales: Vec<f32>,
}

impl Scratch {
    fn resize(&mut self, shape: &WaveNetShape, sizes: Sizes, columns: usize, with_logits: bool) {
        let ends = if with_logits { columns } else { 0 };
        let (skip, end) = (blocks_for(shape.skip_channels as usize), blocks_for(shape.end_channels as usize));
        self.x.resize(columns * sizes.residual_blocks, Block::default());
        self.h.resize(columns * 2 * sizes.gate_blocks, Block::default());
        self.skip.resize(ends * skip, Block::default());
        self.end.resize(ends * end, Block::default());
        self.taps.resize(columns * sizes.taps_stride(), 0);
        self.tap_scales.resize(columns * sizes.tap_segments(), 1.0);
        self.z.resize(columns * sizes.z_stride(), 0);
        self.z_scales.resize(columns * sizes.skip_segments(), GATE_SCALE);
        self.coded.resize(ends * skip.max(end) * BLOCK, 0);
        self.coded_scales.resize(ends, 1.0);
    }
}

impl PackedWaveNet {
    /// Takes frames of several takes through the network.
    ///
    /// `codes` holds `states.len() · frames` codes, take by take; codes above the last level are taken as the last.
    /// `logits` gets, per take, the `Q` unnormalised log-probabilities of the frame after the last one; without it the
    /// skip paths are left out, which is how a clip is primed.
    ///
    /// # Panics
    /// If the slices do not fit together or a state was made for another network: a mistake in the caller.
    pub fn advance(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        codes: &[u32],
        logits: Option<&mut [Block]>,
    ) {
        if states.is_empty() || codes.is_empty() {
            return;
        }
        let frames = codes.len() / states.len();
        assert!(codes.len() == frames * states.len(), "codes of a pass");
        let Some(logits) = logits else { return self.feed(kernel, scratch, states, codes, 0) };
        // Only the last frame's logits are wanted, so that frame goes alone and the others only leave a state.
        let code = |take: usize, frame: usize| codes[take * frames + frame];
        self.feed_frames(kernel, scratch, states, code, 0..frames - 1, 0);
        scratch.resize(&self.shape, self.sizes(), states.len(), true);
        self.through_layers(kernel, scratch, states, |take| code(take, frames - 1));
        self.head(kernel, scratch, states.len(), logits);
    }

    /// Takes frames through the network that are followed by `behind` others before any logits are asked for. The state is
    /// right once those have been fed too.
    ///
    /// # Panics
    /// As [`PackedWaveNet::advance`].
    pub fn feed(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        codes: &[u32],
        behind: usize,
    ) {
        let frames = codes.len() / states.len().max(1);
        assert!(codes.len() == frames * states.len(), "codes of a pass");
        self.feed_frames(kernel, scratch, states, |take, frame| codes[take * frames + frame], 0..frames, behind);
    }

    fn feed_frames(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        code: impl Fn(usize, usize) -> u32,
        frames: std::ops::Range<usize>,
        behind: usize,
    ) {
        let mut first = frames.start;
        while first < frames.end {
            let count = (frames.end - first).min(FRAMES_PER_PASS);
            let after = frames.end - first - count + behind;
            self.feed_pass(kernel, scratch, states, |take, frame| code(take, first + frame), count, after);
            first += count;
        }
    }

    fn through_layers(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        code: impl Fn(usize) -> u32,
    ) {
        self.embed(scratch, states, |take, _| code(take), 1);
        for index in 0..self.layers.len() {
            self.layer(kernel, scratch, states, index, 1);
        }
    }

    /// Takes one frame of each take through the layers and calls `done` with the gates after every part of the skip sum
    /// that has become ready, and with the number of that part.
    pub(super) fn layers_of_frame(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        codes: &[u32],
        mut done: impl FnMut(&[u32], usize),
    ) {
        let sizes = self.sizes();
        scratch.resize(&self.shape, sizes, states.len(), false);
        self.embed(scratch, states, |take, _| codes[take], 1);
        let per_part = self.layers.len() / sizes.skip_segments();
        for index in 0..self.layers.len() {
            self.layer(kernel, scratch, states, index, 1);
            if (index + 1).is_multiple_of(per_part) {
                done(&scratch.z, index / per_part);
            }
        }
    }

    /// One pass of `frames` frames per take, with `behind` frames from its last one to the clip's last. Columns are take by
    /// take, frame by frame.
    ///
    /// The further back a frame lies, the fewer layers still need it: the deeper ones will have forgotten it by the end.
    fn feed_pass(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        code: impl Fn(usize, usize) -> u32,
        frames: usize,
        behind: usize,
    ) {
        scratch.resize(&self.shape, self.sizes(), states.len() * frames, false);
        self.embed(scratch, states, code, frames);
        // How far back the pass's last frame lies, from 1.
        let age = behind + 1;
        for (index, &heard) in self.heard.iter().enumerate() {
            let next = self.heard.get(index + 1).copied().unwrap_or(0);
            if age <= next {
                self.layer(kernel, scratch, states, index, frames);
            } else if age <= heard {
                self.exchange(kernel, scratch, states, index, frames);
            } else {
                for state in &mut *states {
                    state.layers[index].skip(frames);
                }
            }
        }
    }

    /// Puts a take into the state that endless silence leaves, where silence is this code: the same bits as feeding it the
    /// receptive field, for the work of one frame. Every layer then sees the same input in all its taps.
    pub fn silence(&self, kernel: Kernel, scratch: &mut Scratch, state: &mut WaveNetState, code: u32) {
        let states = std::slice::from_mut(state);
        let sizes = self.sizes();
        for _ in 0..sizes.taps {
            scratch.resize(&self.shape, sizes, 1, false);
            self.embed(scratch, states, |_, _| code, 1);
        }
        for index in 0..self.layers.len() {
            self.exchange(kernel, scratch, states, index, 1);
            states[0].layers[index].fill_with_newest();
            // Once more, now that the past is as silent as the present.
            self.layer(kernel, scratch, states, index, 1);
        }
    }

    /// The causal convolution: a sum of table rows.
    fn embed(
        &self,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        code: impl Fn(usize, usize) -> u32,
        frames: usize,
    ) {
        let blocks = self.sizes().residual_blocks;
        let last_code = self.shape.levels - 1;
        for (column, x) in scratch.x.chunks_exact_mut(blocks).enumerate() {
            let state = &mut states[column / frames];
            state.push_code(code(column / frames, column % frames).min(last_code));
            x.copy_from_slice(&self.causal_bias);
            for (table, code) in self.taps.iter().zip(state.codes()) {
                let row = &table[code as usize * blocks..][..blocks];
                floats_mut(x).iter_mut().zip(floats(row)).for_each(|(x, weight)| *x += weight);
            }
        }
    }

    /// A layer's past for every column, and its input put in the place of the oldest.
    fn exchange(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        index: usize,
        frames: usize,
    ) {
        let sizes = self.sizes();
        let Sizes { precision, taps, residual_blocks, residual_words, .. } = sizes;
        let (segments, stride) = (sizes.tap_segments(), sizes.taps_stride());
        let Scratch { x, taps: seen, tap_scales, .. } = scratch;
        // A ring is far larger than what a step reads of it, so that every step finds it in a slower cache.
        for state in &*states {
            if let Some(ring) = state.layers.get(index + LAYERS_AHEAD) {
                kernel.fetch(ring.oldest_frame());
            }
        }
        let inputs = x.chunks_exact(residual_blocks).zip(seen.chunks_exact_mut(stride));
        for (column, ((x, seen), scales)) in inputs.zip(tap_scales.chunks_exact_mut(segments)).enumerate() {
            let ring = &mut states[column / frames].layers[index];
            let (past, newest) = seen.split_at_mut((taps - 1) * residual_words);
            ring.past(past, scales);
            let scale = kernel.encode(precision, x, newest);
            if precision == Precision::Int8 {
                scales[segments - 1] = scale;
            }
            ring.push(&newest[..residual_words], scale);
        }
    }

    /// A layer: its dilated convolution over the past and the newest frame, the gate, and the residual path.
    fn layer(&self, kernel: Kernel, scratch: &mut Scratch, states: &mut [WaveNetState], index: usize, frames: usize) {
        self.exchange(kernel, scratch, states, index, frames);
        let sizes = self.sizes();
        let gate_words = sizes.gate_words;
        let z_stride = sizes.z_stride();
        let Scratch { x, taps: seen, tap_scales, h, z, z_scales, .. } = scratch;
        let columns = states.len() * frames;
        let layer = &self.layers[index];
        let seen = Inputs { words: seen, stride: sizes.taps_stride(), scales: tap_scales };
        // The padding of one layer's gate lies where the next one writes.
        let first = index * gate_words;
        let gate = Gated { words: &mut z[first..], stride: z_stride };
        kernel.product(self.arena.matrix(layer.dilated), columns, seen, h, Epilogue::Store, Some(gate));
        if let Some(matrix) = layer.residual {
            let z = Inputs { words: &z[first..], stride: z_stride, scales: z_scales };
            kernel.product(self.arena.matrix(matrix), columns, z, x, Epilogue::AddTo, None);
        }
    }

    /// The skip paths of all layers, and the two last convolutions.
    fn head(&self, kernel: Kernel, scratch: &mut Scratch, columns: usize, logits: &mut [Block]) {
        let sizes = self.sizes();
        let Scratch { z, z_scales, skip, end, coded, coded_scales, .. } = scratch;
        let z = Inputs { words: z, stride: sizes.z_stride(), scales: z_scales };
        kernel.product(self.arena.matrix(self.skip), columns, z, skip, Epilogue::Relu, None);
        let [first, second] = self.end;
        let product = |matrix: MatrixRef, coded: Inputs<'_>, y: &mut [Block], epilogue| {
            kernel.product(self.arena.matrix(matrix), columns, coded, y, epilogue, None);
        };
        let coded = &mut Coded { words: coded, scales: coded_scales };
        product(first, coded.encode(kernel, sizes.precision, skip, self.skip.blocks()), end, Epilogue::Relu);
        product(second, coded.encode(kernel, sizes.precision, end, first.blocks()), logits, Epilogue::Store);
    }
}

/// Room for columns of activations that are about to be multiplied.
pub(super) struct Coded<'a> {
    pub words: &'a mut [u32],
    pub scales: &'a mut [f32],
}

impl Coded<'_> {
    /// Encodes columns of `blocks` blocks each.
    pub fn encode(&mut self, kernel: Kernel, precision: Precision, values: &[Block], blocks: usize) -> Inputs<'_> {
        let stride = precision.words(blocks * BLOCK);
        let columns = values.chunks_exact(blocks).zip(self.words.chunks_exact_mut(stride));
        for ((values, words), scale) in columns.zip(self.scales.iter_mut()) {
            *scale = kernel.encode(precision, values, words);
        }
        Inputs { words: self.words, stride, scales: self.scales }
    }
}
