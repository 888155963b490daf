//! Columns of frames through the network, layer by layer.

use super::{PackedWaveNet, Sizes, Stack, WaveNetState};
use crate::kernels::contract::{Epilogue, Inputs, Kernel};
use crate::kernels::packed::{BLOCK, Block, MatrixRef, Words, blocks_for, floats, floats_mut};
use crate::kernels::precision::Precision;
use crate::kernels::simd::GATE_SCALE;
use continuo_package::family::wavenet::WaveNetShape;
use std::ops::Range;

/// Most frames that one pass takes through the network: enough that arithmetic and not reading weights bounds priming,
/// few enough that the columns stay in the nearest caches.
const FRAMES_PER_PASS: usize = 16;

/// Room for what a pass computes on its way. Grows to the widest pass and is then reused.
#[derive(Debug, Default)]
pub struct Scratch {
    /// `[column][R]`: what goes from layer to layer.
    pub(super) x: Vec<Block>,
    /// `[column][F·R]`, words: what a layer sees.
    pub(super) taps: Words,
    /// `[column][segment]`
    pub(super) tap_scales: Vec<f32>,
    /// `[column][2D]`: what goes into the gate.
    pub(super) h: Vec<Block>,
    /// `[column][L·D]`, words: what the gates of all layers gave.
    pub(super) z: Words,
    /// `[column]`: what the gates' codes are multiplied with.
    pub(super) z_scales: Vec<f32>,
    /// `[column][S]`
    skip: Vec<Block>,
    /// `[column][E]`
    end: Vec<Block>,
    /// `[column][S or E]`, words: what the last two products see.
    coded: Words,
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
        self.taps.resize(columns * sizes.taps_stride());
        self.tap_scales.resize(columns * sizes.taps, 1.0);
        self.z.resize(columns * sizes.z_stride());
        self.z_scales.resize(columns, GATE_SCALE);
        self.coded.resize(ends * skip.max(end) * BLOCK);
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
        self.embed(scratch, states, |take, _| code(take, frames - 1), 1);
        let layers = 0..self.layers.len();
        if states.len() == 1 {
            kernel.alone(self.stack(scratch, states), layers);
        } else {
            kernel.layers(self.stack(scratch, states), layers, 1);
        }
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
        frames: Range<usize>,
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

    /// Takes one frame of a take alone through the layers. Calls `done` with the gates after each of these parts of them.
    pub(super) fn frame_alone(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        state: &mut WaveNetState,
        code: u32,
        parts: &[Range<usize>],
        mut done: impl FnMut(&[u32], Range<usize>),
    ) {
        let states = std::slice::from_mut(state);
        scratch.resize(&self.shape, self.sizes(), 1, false);
        self.embed(scratch, states, |_, _| code, 1);
        for part in parts {
            kernel.alone(self.stack(scratch, states), part.clone());
            done(&scratch.z, part.clone());
        }
    }

    fn stack<'a>(&'a self, scratch: &'a mut Scratch, states: &'a mut [WaveNetState]) -> Stack<'a> {
        Stack { net: self, sizes: self.sizes(), scratch, states }
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
                kernel.layers(self.stack(scratch, states), index..index + 1, frames);
            } else if age <= heard {
                kernel.exchange(self.stack(scratch, states), index, frames);
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
            kernel.exchange(self.stack(scratch, states), index, 1);
            states[0].layers[index].fill_with_newest();
            // Once more, now that the past is as silent as the present.
            kernel.layers(self.stack(scratch, states), index..index + 1, 1);
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

    /// The logits of a frame of a take alone that has gone through all layers.
    pub(super) fn end_of_frame(&self, kernel: Kernel, scratch: &mut Scratch, logits: &mut [Block]) {
        scratch.resize(&self.shape, self.sizes(), 1, true);
        self.head(kernel, scratch, 1, logits);
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
