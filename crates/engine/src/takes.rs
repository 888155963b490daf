//! What several takes remember, in the form of what steps them.

use crate::kernels::Kernel;
use crate::kernels::packed::{BLOCK, Block, floats};
use crate::kernels::wavenet::{PackedWaveNet, Scratch, WaveNetState};
use crate::session::{BoundState, StepSession};
use std::sync::Arc;

/// Gets the logits of a frame, with the floats from one take's to the next's, and writes the takes' codes, or ends with
/// `false`.
pub(crate) type Next<'a> = dyn FnMut(&[f32], usize, &mut [u32]) -> bool + 'a;

/// The states of takes, and how they move on. Errors are what ONNX Runtime said; the states are then of no more use.
pub(crate) trait Takes: std::fmt::Debug + Send {
    /// Makes `count` takes of one: copies of the first.
    fn part(&mut self, count: usize) -> Result<(), String>;

    /// How many takes there are.
    fn count(&self) -> usize;

    /// Takes frames through the network without asking what comes next: `codes` holds the takes one after another. So many
    /// frames will be fed `behind` them before anything is asked for: what those make it forget need not be computed.
    fn feed(&mut self, codes: &[u32], behind: usize) -> Result<(), String>;

    /// Takes one frame of each take through the network. `logits` then has `Q` values per take, the returned number of
    /// floats apart.
    fn step(&mut self, codes: &[u32]) -> Result<usize, String>;

    /// What the last [`Takes::step`] gave.
    fn logits(&self) -> &[f32];

    /// Another one like the first take.
    fn fork(&self) -> Result<Box<dyn Takes>, String>;

    /// Puts one take into the state that endless silence leaves, if there is a shorter way than feeding it.
    fn hear_silence(&mut self, _code: u32) -> bool {
        false
    }

    /// Whether threads can share a frame with a gain.
    fn can_split(&self) -> bool {
        false
    }

    /// Generates frames with this thread and those of `pool` on each. Only where [`Takes::can_split`] is true.
    fn split(&mut self, _pool: &rayon::ThreadPool, _codes: &mut [u32], _next: &mut Next<'_>) {}
}

/// Bytes of shared weights from which it pays to split a frame: below, waiting for one another takes longer than reading
/// them alone. Measured by `cargo xtask bench engine`.
const SPLIT_BYTES: usize = 512 << 10;

/// How often at most a take is generated on one thread before the others are asked again that did not come in time: the host
/// needs their cores.
const MOST_ALONE: u32 = 16;

/// Takes that a native kernel steps, all in one pass.
#[derive(Debug)]
pub(crate) struct NativeTakes {
    net: Arc<PackedWaveNet>,
    kernel: Kernel,
    states: Vec<WaveNetState>,
    scratch: Scratch,
    logits: Vec<Block>,
    /// How often nobody will be asked for help.
    alone: u32,
    /// How often that will be after the next time that help does not come: once, then twice as often each time.
    next_alone: u32,
}

impl NativeTakes {
    /// One take before its first frame.
    pub fn new(net: Arc<PackedWaveNet>, kernel: Kernel) -> Self {
        let states = vec![net.new_state()];
        Self { net, kernel, states, scratch: Scratch::default(), logits: Vec::new(), alone: 0, next_alone: 1 }
    }
}

impl Takes for NativeTakes {
    fn part(&mut self, count: usize) -> Result<(), String> {
        if let Some(first) = self.states.first().cloned() {
            self.states.resize(count, first);
        }
        Ok(())
    }

    fn count(&self) -> usize {
        self.states.len()
    }

    fn feed(&mut self, codes: &[u32], behind: usize) -> Result<(), String> {
        self.net.feed(self.kernel, &mut self.scratch, &mut self.states, codes, behind);
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

    fn fork(&self) -> Result<Box<dyn Takes>, String> {
        let states = self.states.iter().take(1).cloned().collect();
        let net = Arc::clone(&self.net);
        Ok(Box::new(Self { states, ..Self::new(net, self.kernel) }))
    }

    fn hear_silence(&mut self, code: u32) -> bool {
        self.states.truncate(1);
        if let Some(state) = self.states.first_mut() {
            self.net.silence(self.kernel, &mut self.scratch, state, code);
        }
        true
    }

    fn can_split(&self) -> bool {
        self.states.len() == 1 && self.net.shared_bytes() >= SPLIT_BYTES
    }

    fn split(&mut self, pool: &rayon::ThreadPool, codes: &mut [u32], next: &mut Next<'_>) {
        let stride = self.net.logits_stride();
        let mut next = |logits: &[Block], code: &mut u32| next(floats(logits), stride, std::slice::from_mut(code));
        let ([state], [code]) = (&mut self.states[..], codes) else { return };
        if self.alone > 0 {
            self.alone -= 1;
            self.logits.resize(stride / BLOCK, Block::default());
            self.net.generate_alone(self.kernel, &mut self.scratch, state, code, &mut self.logits, &mut next);
        } else if self.net.generate_split(self.kernel, pool, &mut self.scratch, state, code, &mut next) {
            self.next_alone = 1;
        } else {
            self.alone = self.next_alone;
            self.next_alone = (self.next_alone * 2).min(MOST_ALONE);
        }
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

    fn feed(&mut self, codes: &[u32], _behind: usize) -> Result<(), String> {
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

    fn fork(&self) -> Result<Box<dyn Takes>, String> {
        let first = self.session.copy(&self.states[0])?;
        Ok(Box::new(Self { session: Arc::clone(&self.session), states: vec![first], logits: Vec::new() }))
    }
}
