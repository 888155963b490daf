//! Variations that one thread steps together.

use super::head::Head;
use super::stepper::{Condition, Stepper};
use crate::error::EngineError;
use crate::random::Place;
use crate::source::Source;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// A part of the batch: its states, its newest symbols, and what draws the next.
#[derive(Debug)]
pub(super) struct Group<S: Stepper, H> {
    pub variations: Range<u32>,
    pub stepper: S,
    /// Per variation and channel the newest step's symbol, which has not gone through the network yet.
    pub newest: Vec<S::Symbol>,
    pub draws: Draws<H>,
    pub condition: Option<Box<dyn Condition>>,
}

/// What turns outputs into symbols and amplitudes.
#[derive(Debug, Clone)]
pub(super) struct Draws<H> {
    pub source: Source,
    pub head: H,
    pub channels: usize,
    /// Of each variation.
    pub tallies: Vec<Tally>,
}

/// How unlikely what was drawn is under the model. Every fourth step is looked at: enough for a mean, and it costs a softmax.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    nats: f64,
    steps: u64,
}

/// Steps from one that is looked at to the next.
const STEPS_PER_TALLY: u64 = 4;

impl Tally {
    /// Mean bits per symbol; `None` before any was looked at.
    pub fn bits(self) -> Option<f64> {
        (self.steps > 0).then(|| self.nats / self.steps as f64 / std::f64::consts::LN_2)
    }
}

impl<H: Head> Draws<H>
where
    H::Symbol: Copy,
{
    /// Draws the symbols of a step of the variations from `first` on, whose outputs lie `stride` apart.
    fn draw(
        &mut self,
        outputs: &[f32],
        stride: usize,
        first: u32,
        frame: u64,
        symbols: &mut [H::Symbol],
    ) -> Result<(), EngineError> {
        let width = self.head.outputs();
        if stride < width * self.channels {
            let reason = format!("{stride} values came out; {} are needed", width * self.channels);
            return Err(self.source.failed(reason));
        }
        let per_variation = outputs.chunks_exact(stride).zip(symbols.chunks_exact_mut(self.channels));
        self.tallies.resize(per_variation.len(), Tally::default());
        for ((variation, tally), (outputs, symbols)) in (first..).zip(&mut self.tallies).zip(per_variation) {
            for (channel, (outputs, symbol)) in (0..).zip(outputs.chunks_exact(width).zip(symbols)) {
                let drawn = self.head.draw(outputs, Place { variation, frame, channel });
                *symbol = drawn.ok_or_else(|| self.source.not_finite(variation, frame))?;
                if frame.is_multiple_of(STEPS_PER_TALLY)
                    && let Some(nats) = self.head.surprise(outputs, *symbol)
                {
                    *tally = Tally { nats: tally.nats + nats, steps: tally.steps + 1 };
                }
            }
        }
        Ok(())
    }

    fn play(&self, symbols: &[H::Symbol], out: &mut [Vec<f32>]) {
        out.iter_mut().zip(symbols).for_each(|(out, &symbol)| out.push(self.head.decode(symbol)));
    }
}

impl<S: Stepper, H: Head<Symbol = S::Symbol>> Group<S, H> {
    /// Takes symbols through the network, of which the first leads to `step`; see [`Stepper::prime`].
    pub fn prime(&mut self, symbols: &[S::Symbol], step: u64, steps_after: usize) -> Result<(), String> {
        let told = self.condition.as_mut().map(|condition| condition.at(step, self.variations.len()));
        self.stepper.prime(symbols, told, steps_after)
    }

    /// Whether threads can share one step with a gain.
    pub fn can_share_a_step(&self) -> bool {
        self.condition.is_none() && self.stepper.can_share_a_step()
    }

    /// Generates steps and appends their amplitudes, one vector per channel of each variation.
    pub fn generate(
        &mut self,
        first: u64,
        steps: usize,
        cancel: &AtomicBool,
        out: &mut [Vec<f32>],
    ) -> Result<(), EngineError> {
        for step in (first..).take(steps) {
            if cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
            let told = self.condition.as_mut().map(|condition| condition.at(step, self.variations.len()));
            let stride = self.stepper.step(&self.newest, told).map_err(|reason| self.draws.source.failed(reason))?;
            self.draws.draw(self.stepper.outputs(), stride, self.variations.start, step, &mut self.newest)?;
            self.draws.play(&self.newest, out);
        }
        Ok(())
    }

    /// As [`Group::generate`], with this thread and all of `pool` on each step.
    pub fn generate_shared(
        &mut self,
        pool: &rayon::ThreadPool,
        first: u64,
        steps: usize,
        cancel: &AtomicBool,
        out: &mut [Vec<f32>],
    ) -> Result<(), EngineError> {
        if steps == 0 {
            return Ok(());
        }
        let last = first + steps as u64;
        let mut step = first;
        let mut result = Ok(());
        let Self { variations, stepper, newest, draws, .. } = self;
        let mut next = |outputs: &[f32], symbols: &mut [S::Symbol]| {
            result = if cancel.load(Ordering::Relaxed) {
                Err(EngineError::Cancelled)
            } else {
                draws.draw(outputs, outputs.len(), variations.start, step, symbols)
            };
            draws.play(symbols, out);
            step += 1;
            result.is_ok() && step < last
        };
        stepper.generate_shared(pool, newest, &mut next);
        result
    }
}
