//! What several takes remember, in the form of what steps them.

use crate::kernels::Kernel;
use crate::kernels::packed::{BLOCK, Block, floats};
use crate::kernels::wavenet::{PackedWaveNet, Scratch, WaveNetState};
use crate::session::{BoundState, StepSession};
use std::sync::Arc;

/// The states of takes, and how they move on. Errors are what ONNX Runtime said; the states are then of no more use.
pub(crate) trait Takes: std::fmt::Debug + Send {
    /// Goes back to one take, before its first frame.
    fn reset(&mut self) -> Result<(), String>;

    /// Makes `count` takes of one: copies of the first.
    fn part(&mut self, count: usize) -> Result<(), String>;

    /// How many takes there are.
    fn count(&self) -> usize;

    /// Takes frames through the network without asking what comes next: `codes` holds the takes one after another.
    fn feed(&mut self, codes: &[u32]) -> Result<(), String>;

    /// Takes one frame of each take through the network. `logits` then has `Q` values per take, the returned number of
    /// floats apart.
    fn step(&mut self, codes: &[u32]) -> Result<usize, String>;

    /// What the last [`Takes::step`] gave.
    fn logits(&self) -> &[f32];
}

/// Takes that a native kernel steps, all in one pass.
#[derive(Debug)]
pub(crate) struct NativeTakes {
    net: Arc<PackedWaveNet>,
    kernel: Kernel,
    states: Vec<WaveNetState>,
    scratch: Scratch,
    logits: Vec<Block>,
}

impl NativeTakes {
    /// One take before its first frame.
    pub fn new(net: Arc<PackedWaveNet>, kernel: Kernel) -> Self {
        let states = vec![net.new_state()];
        Self { net, kernel, states, scratch: Scratch::default(), logits: Vec::new() }
    }
}

impl Takes for NativeTakes {
    fn reset(&mut self) -> Result<(), String> {
        self.states = vec![self.net.new_state()];
        Ok(())
    }

    fn part(&mut self, count: usize) -> Result<(), String> {
        if let Some(first) = self.states.first().cloned() {
            self.states.resize(count, first);
        }
        Ok(())
    }

    fn count(&self) -> usize {
        self.states.len()
    }

    fn feed(&mut self, codes: &[u32]) -> Result<(), String> {
        self.net.advance(self.kernel, &mut self.scratch, &mut self.states, codes, None);
        Ok(())
    }

    fn step(&mut self, codes: &[u32]) -> Result<usize, String> {
        let stride = self.net.logits_stride();
        self.logits.resize(self.states.len() * stride / BLOCK, Block::default());
        self.net.advance(self.kernel, &mut self.scratch, &mut self.states, codes, Some(&mut self.logits));
        Ok(stride)
    }

    fn logits(&self) -> &[f32] {
        floats(&self.logits)
    }
}

/// Takes that ONNX Runtime steps, one after another and one frame per run: how it rounds depends on the number of
/// frames and takes in a run, and a take's bits must not.
#[derive(Debug)]
pub(crate) struct SessionTakes {
    session: Arc<StepSession>,
    states: Vec<BoundState>,
    logits: Vec<f32>,
}

impl SessionTakes {
    /// One take before its first frame.
    pub fn new(session: Arc<StepSession>) -> Result<Self, String> {
        let states = vec![session.bind(&session.initial_state()?)?];
        Ok(Self { session, states, logits: Vec::new() })
    }
}

impl Takes for SessionTakes {
    fn reset(&mut self) -> Result<(), String> {
        self.states = vec![self.session.bind(&self.session.initial_state()?)?];
        Ok(())
    }

    fn part(&mut self, count: usize) -> Result<(), String> {
        self.states.truncate(count);
        while self.states.len() < count {
            self.states.push(self.session.copy(&self.states[0])?);
        }
        Ok(())
    }

    fn count(&self) -> usize {
        self.states.len()
    }

    fn feed(&mut self, codes: &[u32]) -> Result<(), String> {
        let frames = codes.len() / self.states.len();
        for (state, codes) in self.states.iter_mut().zip(codes.chunks_exact(frames.max(1))) {
            for &code in codes {
                self.session.step(state, code)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, codes: &[u32]) -> Result<usize, String> {
        self.logits.clear();
        for (state, &code) in self.states.iter_mut().zip(codes) {
            self.logits.extend_from_slice(self.session.step(state, code)?);
        }
        Ok(self.logits.len() / self.states.len())
    }

    fn logits(&self) -> &[f32] {
        &self.logits
    }
}
