//! The room in which a pass works.

use super::network::Sizes;
use crate::kernels::coding::GATE_SCALE;
use crate::kernels::packed::{BLOCK, Block, Words, blocks_for};
use continuo_package::family::wavenet::WaveNetShape;

/// Room for what a pass computes on its way. Grows to the widest pass and is then reused.
#[derive(Debug, Default)]
pub struct Scratch {
    /// `[column][R]`: what goes from layer to layer.
    pub(super) x: Vec<Block>,
    /// `[column][F·R]`, words: what a layer sees.
    pub(super) taps: Words,
    /// `[column][tap]`
    pub(super) tap_scales: Vec<f32>,
    /// `[column][2D]`: what goes into the gate.
    pub(super) h: Vec<Block>,
    /// `[column][2D]`: what a layer's gates are told in place of its biases.
    pub(super) told: Vec<Block>,
    /// `[column][L·D]`, words: what the gates of all layers gave.
    pub(super) z: Words,
    /// `[column]`: what the gates' codes are multiplied with.
    pub(super) z_scales: Vec<f32>,
    /// `[column]`: the same for the skip paths; see [`WaveNetState::skip_scale`].
    pub(super) skip_scales: Vec<f32>,
    /// `[column][S]`
    pub(super) skip: Vec<Block>,
    /// `[column][E]`
    pub(super) end: Vec<Block>,
    /// `[column][S or E]`, words: what the last two products see.
    pub(super) coded: Words,
    /// `[column]`
    pub(super) coded_scales: Vec<f32>,
}

impl Scratch {
    pub(super) fn resize(&mut self, shape: &WaveNetShape, sizes: Sizes, columns: usize, with_logits: bool) {
        let ends = if with_logits { columns } else { 0 };
        let (skip, end) = (blocks_for(shape.skip_channels as usize), blocks_for(shape.end_channels as usize));
        self.x.resize(columns * sizes.residual_blocks, Block::default());
        self.h.resize(columns * 2 * sizes.gate_blocks, Block::default());
        self.told.resize(columns * 2 * sizes.gate_blocks, Block::default());
        self.skip.resize(ends * skip, Block::default());
        self.end.resize(ends * end, Block::default());
        self.taps.resize(columns * sizes.taps_stride());
        self.tap_scales.resize(columns * sizes.taps, 1.0);
        self.z.resize(columns * sizes.z_stride());
        self.z_scales.resize(columns, GATE_SCALE);
        self.skip_scales.resize(ends, GATE_SCALE);
        self.coded.resize(ends * skip.max(end) * BLOCK);
        self.coded_scales.resize(ends, 1.0);
    }
}
