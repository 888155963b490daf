//! Columns of frames through the network, layer by layer.

use super::activate::{epilogue, finish};
use super::layer::{GatherTaps, Layers, SingleColumn, Stack};
use super::network::PackedWaveNet;
use super::scratch::Scratch;
use super::state::WaveNetState;
use crate::kernels::arguments::Inputs;
use crate::kernels::kernel::{Kernel, Multiply};
use crate::kernels::packed::{BLOCK, Block, MatrixRef, floats, floats_mut};
use crate::kernels::precision::Precision;
use std::ops::Range;

/// Most frames that one pass takes through the network: enough that arithmetic and not reading weights bounds priming,
/// few enough that the columns stay in the nearest caches.
const FRAMES_PER_PASS: usize = 16;

impl PackedWaveNet {
    /// Takes frames of a batch of variations through the network, and asks for what comes next.
    ///
    /// `symbols` holds `states.len() · frames` codes or bits of real values, variation by variation; codes above the last level
    /// are taken as the last. `outputs` gets, per variation, the `Q` unnormalised log-probabilities of the frame after the last
    /// one, or its value.
    ///
    /// # Panics
    /// If the slices do not fit together or a state was made for another network: a mistake in the caller.
    pub fn step(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        symbols: &[u32],
        outputs: &mut [Block],
    ) {
        if states.is_empty() || symbols.is_empty() {
            return;
        }
        let frames = symbols.len() / states.len();
        assert!(symbols.len() == frames * states.len(), "symbols of a pass");
        // Only the last frame's logits are wanted, so that frame goes alone and the others only leave a state.
        let symbol = |variation: usize, frame: usize| symbols[variation * frames + frame];
        self.prime_frames(kernel, scratch, states, symbol, 0..frames - 1, 0);
        scratch.resize(&self.shape, self.sizes(), states.len(), true);
        self.embed(scratch, states, |variation, _| symbol(variation, frames - 1), 1);
        let range = 0..self.layers.len();
        if states.len() == 1 {
            kernel.run_in(self.precision, SingleColumn { stack: self.stack(scratch, states), range });
        } else {
            kernel.run_in(self.precision, Layers { stack: self.stack(scratch, states), range, frames: 1 });
        }
        self.head(kernel, scratch, states, outputs);
    }

    /// Takes frames through the network without asking what comes next: `symbols` as for [`PackedWaveNet::step`]. Another
    /// `frames_after` will follow before anything is asked for; what those make it forget is not computed, so the state is
    /// right once they have been through too.
    ///
    /// # Panics
    /// As [`PackedWaveNet::step`].
    pub fn prime(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        symbols: &[u32],
        frames_after: usize,
    ) {
        let frames = symbols.len() / states.len().max(1);
        assert!(symbols.len() == frames * states.len(), "symbols of a pass");
        let symbol = |variation: usize, frame: usize| symbols[variation * frames + frame];
        self.prime_frames(kernel, scratch, states, symbol, 0..frames, frames_after);
    }

    fn prime_frames(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        symbol: impl Fn(usize, usize) -> u32,
        frames: Range<usize>,
        frames_after: usize,
    ) {
        let mut first = frames.start;
        while first < frames.end {
            let count = (frames.end - first).min(FRAMES_PER_PASS);
            let after = frames.end - first - count + frames_after;
            self.prime_pass(kernel, scratch, states, |variation, frame| symbol(variation, first + frame), count, after);
            first += count;
        }
    }

    /// Takes one frame of a variation alone through the layers. Calls `done` with the gates after each of these stages, and
    /// with [`WaveNetState::skip_scale`] as it is then.
    pub(super) fn step_layers(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        state: &mut WaveNetState,
        symbol: u32,
        stages: &[Range<usize>],
        mut done: impl FnMut(&[u32], Range<usize>, f32),
    ) {
        let states = std::slice::from_mut(state);
        scratch.resize(&self.shape, self.sizes(), 1, false);
        self.embed(scratch, states, |_, _| symbol, 1);
        for layers in stages {
            let stack = self.stack(scratch, states);
            kernel.run_in(self.precision, SingleColumn { stack, range: layers.clone() });
            done(&scratch.z, layers.clone(), states[0].skip_scale());
        }
    }

    fn stack<'a>(&'a self, scratch: &'a mut Scratch, states: &'a mut [WaveNetState]) -> Stack<'a> {
        Stack { net: self, sizes: self.sizes(), scratch, states }
    }

    /// One pass of `frames` frames per variation, with `frames_after` from its last one to the clip's last. Columns are
    /// variation by variation, frame by frame.
    ///
    /// The further back a frame lies, the fewer layers still need it: the deeper ones will have forgotten it by the end.
    fn prime_pass(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        symbol: impl Fn(usize, usize) -> u32,
        frames: usize,
        frames_after: usize,
    ) {
        scratch.resize(&self.shape, self.sizes(), states.len() * frames, false);
        self.embed(scratch, states, symbol, frames);
        // How far back the pass's last frame lies, from 1.
        let age = frames_after + 1;
        for (index, &needed) in self.needed.iter().enumerate() {
            let next = self.needed.get(index + 1).copied().unwrap_or(0);
            if age <= next {
                let stack = self.stack(scratch, states);
                kernel.run_in(self.precision, Layers { stack, range: index..index + 1, frames });
            } else if age <= needed {
                let stack = self.stack(scratch, states);
                kernel.run_in(self.precision, GatherTaps { stack, layer: index, frames });
            } else {
                for state in &mut *states {
                    state.layers[index].skip(frames);
                }
            }
        }
    }

    /// Puts a variation into the state that endless silence leaves, where silence is this symbol: the same bits as priming with
    /// a receptive field of it, for the work of one frame. Every layer then sees the same input in all its taps.
    pub fn prime_with_silence(&self, kernel: Kernel, scratch: &mut Scratch, state: &mut WaveNetState, symbol: u32) {
        let states = std::slice::from_mut(state);
        let sizes = self.sizes();
        for _ in 0..sizes.taps {
            scratch.resize(&self.shape, sizes, 1, false);
            self.embed(scratch, states, |_, _| symbol, 1);
        }
        for index in 0..self.layers.len() {
            let stack = self.stack(scratch, states);
            kernel.run_in(self.precision, GatherTaps { stack, layer: index, frames: 1 });
            states[0].layers[index].fill_with_newest();
            // Once more, now that the past is as silent as the present.
            let stack = self.stack(scratch, states);
            kernel.run_in(self.precision, Layers { stack, range: index..index + 1, frames: 1 });
        }
    }

    /// The causal convolution: a sum of table rows, or of multiples of one row.
    fn embed(
        &self,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        symbol: impl Fn(usize, usize) -> u32,
        frames: usize,
    ) {
        let blocks = self.sizes().residual_blocks;
        let (real, last_code) = (self.shape.is_real(), self.shape.levels.saturating_sub(1));
        for (column, x) in scratch.x.chunks_exact_mut(blocks).enumerate() {
            let state = &mut states[column / frames];
            let symbol = symbol(column / frames, column % frames);
            state.push_symbol(if real { symbol } else { symbol.min(last_code) });
            x.copy_from_slice(&self.causal_bias);
            for (table, symbol) in self.taps.iter().zip(state.symbols()) {
                if real {
                    let value = f32::from_bits(symbol);
                    floats_mut(x).iter_mut().zip(floats(table)).for_each(|(x, weight)| *x += value * weight);
                } else {
                    let row = &table[symbol as usize * blocks..][..blocks];
                    floats_mut(x).iter_mut().zip(floats(row)).for_each(|(x, weight)| *x += weight);
                }
            }
        }
    }

    /// The logits of a frame of a variation alone that has gone through all layers ([`PackedWaveNet::step_layers`]).
    pub(super) fn step_head(&self, kernel: Kernel, scratch: &mut Scratch, state: &WaveNetState, outputs: &mut [Block]) {
        scratch.resize(&self.shape, self.sizes(), 1, true);
        self.head(kernel, scratch, std::slice::from_ref(state), outputs);
    }

    /// The skip paths of all layers, and the two last convolutions.
    fn head(&self, kernel: Kernel, scratch: &mut Scratch, states: &[WaveNetState], outputs: &mut [Block]) {
        let (sizes, columns) = (self.sizes(), states.len());
        let Scratch { z, skip_scales, skip, end, coded, coded_scales, .. } = scratch;
        skip_scales.iter_mut().zip(states).for_each(|(scale, state)| *scale = state.skip_scale());
        let x = Inputs { words: z, stride: sizes.z_stride(), scales: skip_scales };
        let product = |matrix: MatrixRef, x: Inputs<'_>, y: &mut [Block], activation| {
            let (matrix, epilogue) = (self.arena.matrix(matrix), epilogue(activation));
            let segments = 0..matrix.segments;
            kernel.multiply(Multiply { matrix, segments, columns, x, y: &mut *y, epilogue, gate: None });
            finish(kernel, activation, y);
        };
        let (inner, last) = (self.shape.activation, self.shape.output);
        product(self.skip, x, skip, inner);
        let [first, second] = self.end;
        let coded = &mut Coded { words: coded, scales: coded_scales };
        product(first, coded.encode(kernel, sizes.precision, skip, self.skip.blocks()), end, inner);
        product(second, coded.encode(kernel, sizes.precision, end, first.blocks()), outputs, last);
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
