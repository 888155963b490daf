//! What one variation remembers.

use super::network::{PackedWaveNet, Sizes};
use crate::kernels::Kernel;
use crate::kernels::coding::GATE_SCALE;
use crate::kernels::packed::{Block, Words, blocks_for, floats_mut};
use crate::kernels::precision::Precision;
use continuo_package::family::wavenet::WaveNetShape;
use continuo_simd::CODE_OFFSET;

/// What one variation remembers: the codes and the layers' inputs of the receptive field, as the products read them.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveNetState {
    precision: Precision,
    /// The last `F` codes or bits of real values, the newest last.
    recent: Vec<u32>,
    pub(super) layers: Vec<Ring>,
    /// `[layer][2D]`: the biases of its gates, where they are told something; empty where the layers' own hold.
    pub(super) told: Vec<Block>,
}

/// The last d·(F − 1) inputs of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ring {
    /// `[frame][words of R values]`
    words: Words,
    /// `[frame]`: what 8-bit codes are multiplied with; empty otherwise.
    scales: Vec<f32>,
    channels: usize,
    /// Words of a frame.
    width: usize,
    dilation: usize,
    /// Frames that the ring holds.
    length: usize,
    /// The oldest frame, which the next one replaces.
    oldest: usize,
}

impl PackedWaveNet {
    /// The state of a variation before its first frame: silent codes, zeros in every layer.
    pub fn new_state(&self) -> WaveNetState {
        WaveNetState::new(&self.shape, self.precision)
    }
}

impl WaveNetState {
    fn new(shape: &WaveNetShape, precision: Precision) -> Self {
        let sizes = Sizes::of(shape, precision);
        let (channels, width) = (shape.residual_channels as usize, sizes.residual_words);
        let zero = if precision == Precision::Int8 { u32::from_ne_bytes([CODE_OFFSET; 4]) } else { 0 };
        let ring = |&dilation: &u32| {
            let dilation = dilation as usize;
            let length = dilation * (sizes.taps - 1);
            let scales = if precision == Precision::Int8 { vec![0.0; length] } else { Vec::new() };
            Ring { words: Words::filled(zero, length * width), scales, channels, width, dilation, length, oldest: 0 }
        };
        let layers = shape.dilations.iter().map(ring).collect();
        Self { precision, recent: vec![shape.levels / 2; sizes.taps], layers, told: Vec::new() }
    }

    /// Sets the state from the graph's tensors for one variation: `symbols` `[F − 1]` (codes or bits), and per layer `[R, d·(F − 1)]`, oldest
    /// frame first. They are rounded to the state's precision.
    ///
    /// # Panics
    /// If a tensor has another size: a mistake in the caller.
    pub fn set(&mut self, kernel: Kernel, symbols: &[u32], layers: &[Vec<f32>]) {
        assert!(symbols.len() + 1 == self.recent.len() && layers.len() == self.layers.len(), "tensors of a state");
        self.recent[1..].copy_from_slice(symbols);
        for (ring, tensor) in self.layers.iter_mut().zip(layers) {
            assert!(tensor.len() == ring.length * ring.channels, "tensors of a state");
            ring.oldest = 0;
            let mut frame = vec![Block::default(); blocks_for(ring.channels)];
            let mut words = vec![0; frame.len() * 16];
            for index in 0..ring.length {
                for (channel, value) in floats_mut(&mut frame)[..ring.channels].iter_mut().enumerate() {
                    *value = tensor[channel * ring.length + index];
                }
                let scale = kernel.encode(self.precision, &frame, &mut words);
                ring.words[index * ring.width..][..ring.width].copy_from_slice(&words[..ring.width]);
                if let Some(to) = ring.scales.get_mut(index) {
                    *to = scale;
                }
            }
        }
    }

    /// The graph's tensors of this state, as [`WaveNetState::set`] takes them.
    pub fn tensors(&self) -> (Vec<u32>, Vec<Vec<f32>>) {
        let layers = self.layers.iter().map(|ring| ring.tensor(self.precision)).collect();
        (self.recent[1..].to_vec(), layers)
    }

    pub(super) fn push_symbol(&mut self, symbol: u32) {
        self.recent.rotate_left(1);
        if let Some(newest) = self.recent.last_mut() {
            *newest = symbol;
        }
    }

    /// What the gates' codes are multiplied with in the sum of the skip paths: [`GATE_SCALE`], or NaN where the newest frame is
    /// no finite number on its way to the last layer. An 8-bit gate cannot say that, and the logits must not hide it.
    pub(super) fn skip_scale(&self) -> f32 {
        let is_finite = self.layers.last().is_none_or(|ring| ring.newest_scale().is_finite());
        if is_finite { GATE_SCALE } else { f32::NAN }
    }

    pub(super) fn symbols(&self) -> impl Iterator<Item = u32> {
        self.recent.iter().copied()
    }
}

impl Ring {
    /// The words that the next step reads first.
    #[inline(always)]
    pub(super) fn oldest_frame(&self) -> &[u32] {
        &self.words[self.oldest * self.width..][..self.width]
    }

    /// The words of a past tap, counted from the oldest, and what 8-bit codes among them are multiplied with.
    #[inline(always)]
    pub(super) fn tap(&self, tap: usize) -> (&[u32], f32) {
        let slot = self.oldest + tap * self.dilation;
        let slot = if slot >= self.length { slot - self.length } else { slot };
        (&self.words[slot * self.width..][..self.width], self.scales.get(slot).copied().unwrap_or(1.0))
    }

    /// The place of the oldest frame, into which the newest one's words can be written; then [`Ring::pushed`].
    #[inline(always)]
    pub(super) fn place(&mut self) -> &mut [u32] {
        &mut self.words[self.oldest * self.width..][..self.width]
    }

    /// The newest frame lies in the place of the oldest, and this is what its codes are multiplied with.
    #[inline(always)]
    pub(super) fn pushed(&mut self, scale: f32) {
        if let Some(to) = self.scales.get_mut(self.oldest) {
            *to = scale;
        }
        self.skip(1);
    }

    /// What the newest frame's codes are multiplied with; 1 unless 8-bit.
    pub(super) fn newest_scale(&self) -> f32 {
        let newest = if self.oldest == 0 { self.length } else { self.oldest } - 1;
        self.scales.get(newest).copied().unwrap_or(1.0)
    }

    /// Lets frames pass without writing them: they are pushed out again before anybody reads them.
    #[inline(always)]
    pub(super) fn skip(&mut self, frames: usize) {
        let next = self.oldest + frames;
        // A division takes longer than all else here, and one frame at a time never needs it.
        self.oldest = if next < self.length { next } else { next % self.length };
    }

    /// Makes every frame what the newest is.
    pub(super) fn fill_with_newest(&mut self) {
        let newest = (self.oldest + self.length - 1) % self.length;
        let words = self.words[newest * self.width..][..self.width].to_vec();
        self.words.chunks_exact_mut(self.width).for_each(|frame| frame.copy_from_slice(&words));
        if let Some(&scale) = self.scales.get(newest) {
            self.scales.fill(scale);
        }
    }

    /// `[R, d·(F − 1)]`, oldest frame first.
    fn tensor(&self, precision: Precision) -> Vec<f32> {
        let mut tensor = vec![0.0; self.channels * self.length];
        for index in 0..self.length {
            let slot = (self.oldest + index) % self.length;
            let words = &self.words[slot * self.width..][..self.width];
            for channel in 0..self.channels {
                let word = words[channel / precision.per_word()];
                tensor[channel * self.length + index] = match precision {
                    Precision::F32 => f32::from_bits(word),
                    Precision::Bf16 if channel % 2 == 0 => f32::from_bits(word << 16),
                    Precision::Bf16 => f32::from_bits(word & 0xffff_0000),
                    Precision::Int8 => {
                        let code = word.to_ne_bytes()[channel % 4];
                        (f32::from(code) - f32::from(CODE_OFFSET)) * self.scales[slot]
                    }
                };
            }
        }
        tensor
    }
}
