//! Variations that the native kernel steps.

use crate::autoregressive::{Next, Stepper, Told};
use crate::kernels::Kernel;
use crate::kernels::packed::{BLOCK, Block, floats};
use crate::kernels::wavenet::{PackedWaveNet, Scratch, WaveNetState};
use crate::symbol::Symbol;
use std::marker::PhantomData;
use std::sync::Arc;

/// Bytes of shared weights from which it pays to share a frame: below, waiting for one another takes longer than reading
/// them alone. Measured by `cargo xtask bench engine`.
const SHARED_BYTES: usize = 512 << 10;

/// How often at most a variation is generated on one thread before the others are asked again that did not come in time: the host
/// needs their cores.
const MOST_ALONE: u32 = 16;

/// Variations that a native kernel steps, all in one pass.
#[derive(Debug)]
pub(in crate::family) struct NativeStepper<S> {
    net: Arc<PackedWaveNet>,
    kernel: Kernel,
    states: Vec<WaveNetState>,
    scratch: Scratch,
    outputs: Vec<Block>,
    /// The symbols of a step, as the kernel takes them.
    bits: Vec<u32>,
    symbol: PhantomData<S>,
    /// The number of what the variations were told last.
    told: Option<u64>,
    /// How often nobody will be asked for help.
    alone: u32,
    /// How often that will be after the next time that help does not come: once, then twice as often each time.
    next_alone: u32,
}

impl<S: Symbol> NativeStepper<S> {
    /// One variation before its first frame.
    pub fn new(net: Arc<PackedWaveNet>, kernel: Kernel) -> Self {
        let states = vec![net.new_state()];
        Self::with(net, kernel, states)
    }

    fn with(net: Arc<PackedWaveNet>, kernel: Kernel, states: Vec<WaveNetState>) -> Self {
        let (scratch, outputs, bits) = (Scratch::default(), Vec::new(), Vec::new());
        Self { net, kernel, states, scratch, outputs, bits, symbol: PhantomData, told: None, alone: 0, next_alone: 1 }
    }

    fn take(&mut self, symbols: &[S]) {
        self.bits.clear();
        self.bits.extend(symbols.iter().map(|symbol| symbol.bits()));
    }

    /// Tells each variation what holds from now on.
    fn tell(&mut self, told: Option<Told<'_>>) -> Result<(), String> {
        let Some(told) = told.filter(|told| self.told != Some(told.number)) else { return Ok(()) };
        let width = self.net.shape().conditioning_channels();
        if told.values.len() != self.states.len() * width {
            return Err(format!("it was told {} values, not {width} for each variation", told.values.len()));
        }
        let each = self.states.iter_mut().zip(told.values.chunks_exact(width));
        each.for_each(|(state, values)| self.net.tell(state, values));
        self.told = Some(told.number);
        Ok(())
    }
}

impl<S: Symbol> Stepper for NativeStepper<S> {
    type Symbol = S;

    fn restart(&mut self) -> Result<(), String> {
        self.states = vec![self.net.new_state()];
        self.told = None;
        Ok(())
    }

    fn batch(&self) -> usize {
        self.states.len()
    }

    fn fork(&self, batch: usize) -> Result<Self, String> {
        let first = self.states.first().ok_or("there is no variation to copy")?;
        Ok(Self::with(Arc::clone(&self.net), self.kernel, vec![first.clone(); batch]))
    }

    fn prime(&mut self, symbols: &[S], told: Option<Told<'_>>, steps_after: usize) -> Result<(), String> {
        self.tell(told)?;
        self.take(symbols);
        self.net.prime(self.kernel, &mut self.scratch, &mut self.states, &self.bits, steps_after);
        Ok(())
    }

    fn step(&mut self, symbols: &[S], told: Option<Told<'_>>) -> Result<usize, String> {
        self.tell(told)?;
        let stride = self.net.logits_stride();
        self.take(symbols);
        self.outputs.resize(self.states.len() * stride / BLOCK, Block::default());
        self.net.step(self.kernel, &mut self.scratch, &mut self.states, &self.bits, &mut self.outputs);
        Ok(stride)
    }

    fn outputs(&self) -> &[f32] {
        floats(&self.outputs)
    }

    fn prime_silence(&mut self, silence: S) -> bool {
        self.states.truncate(1);
        if let Some(state) = self.states.first_mut() {
            self.net.prime_with_silence(self.kernel, &mut self.scratch, state, silence.bits());
        }
        true
    }

    fn can_share_a_step(&self) -> bool {
        self.states.len() == 1 && self.net.shared_bytes() >= SHARED_BYTES
    }

    fn generate_shared(
        &mut self,
        pool: &rayon::ThreadPool,
        symbols: &mut [S],
        told: Option<Told<'_>>,
        next: &mut Next<'_, S>,
    ) -> Result<(), String> {
        self.tell(told)?;
        let stride = self.net.logits_stride();
        let mut next = |outputs: &[Block], bits: &mut u32| {
            let mut symbol = S::of_bits(*bits);
            let more = next(&floats(outputs)[..stride], std::slice::from_mut(&mut symbol));
            *bits = symbol.bits();
            more
        };
        let ([state], [symbol]) = (&mut self.states[..], symbols) else {
            return Err("threads share the frames of one variation only".into());
        };
        let mut bits = symbol.bits();
        if self.alone > 0 {
            self.alone -= 1;
            self.outputs.resize(stride / BLOCK, Block::default());
            let outputs = &mut self.outputs;
            self.net.generate_alone(self.kernel, &mut self.scratch, state, &mut bits, outputs, &mut next);
        } else if self.net.generate_split(self.kernel, pool, &mut self.scratch, state, &mut bits, &mut next) {
            self.next_alone = 1;
        } else {
            self.alone = self.next_alone;
            self.next_alone = (self.next_alone * 2).min(MOST_ALONE);
        }
        *symbol = S::of_bits(bits);
        Ok(())
    }
}
