//! What the gates are told from outside, frame by frame: a bias for each row of each layer's dilated convolution, in place of the
//! layer's own (local conditioning by a modulator: Dieleman, van den Oord & Simonyan, *The challenge of realistic music
//! generation*, 2018, section 2; van den Oord et al. 2016, section 2.5).

use super::network::PackedWaveNet;
use super::state::WaveNetState;
use crate::kernels::packed::{BLOCK, Block, floats, floats_mut};

impl PackedWaveNet {
    /// Blocks of what a frame's gates are told.
    pub(super) fn told_blocks(&self) -> usize {
        let sizes = self.sizes();
        sizes.layers * 2 * sizes.gate_blocks
    }

    /// Tells a variation's gates this in the frames to come, until they are told something else: `values` `[L·2D]` are added to
    /// the biases, layer by layer, tanh rows before sigmoid rows.
    ///
    /// # Panics
    /// If there are not so many values: a mistake in the caller.
    pub fn tell(&self, state: &mut WaveNetState, values: &[f32]) {
        let gate = self.shape.dilation_channels as usize;
        let blocks = 2 * self.sizes().gate_blocks;
        assert!(values.len() == self.layers.len() * 2 * gate, "what a frame is told");
        state.told.resize(self.told_blocks(), Block::default());
        let rows = values.chunks_exact(2 * gate).zip(state.told.chunks_exact_mut(blocks));
        for (layer, (values, told)) in self.layers.iter().zip(rows) {
            told.fill(Block::default());
            let (tanh, sigmoid) = values.split_at(gate);
            // A block of tanh rows lies before each block of sigmoid rows.
            let blocks = tanh.chunks(BLOCK).zip(sigmoid.chunks(BLOCK)).flat_map(|(tanh, sigmoid)| [tanh, sigmoid]);
            for (block, values) in told.iter_mut().zip(blocks) {
                block.0[..values.len()].copy_from_slice(values);
            }
            if let Some(bias) = self.arena.matrix(layer.dilated).bias {
                let biases = bias.iter().flat_map(|line| line.0).map(f32::from_bits);
                floats_mut(told).iter_mut().zip(biases).for_each(|(told, bias)| *told += bias);
            }
        }
    }

    /// Whether what a variation's gates are told is finite; true where they are told nothing.
    pub fn is_told_numbers(&self, state: &WaveNetState) -> bool {
        floats(&state.told).iter().all(|value| value.is_finite())
    }
}
