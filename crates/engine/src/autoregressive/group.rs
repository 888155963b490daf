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
    /// Takes the same symbols through the network for each variation, of which the first leads to `step`; see [`Stepper::prime`].
    pub fn prime(&mut self, symbols: &[S::Symbol], step: u64, steps_after: usize) -> Result<(), EngineError> {
        let Self { variations, stepper, draws, condition, .. } = self;
        let (count, condition) = (variations.len(), condition.as_deref_mut());
        prime(stepper, condition, (symbols, draws.channels, count), step, steps_after, &draws.source)
    }

    /// Takes one step's symbols of each variation through the network, which lead to `step`.
    pub fn prime_newest(&mut self, newest: &[S::Symbol], step: u64, steps_after: usize) -> Result<(), EngineError> {
        let count = self.variations.len();
        let told = self.condition.as_mut().map(|condition| condition.at(step, count)).transpose()?;
        self.stepper.prime(newest, told, steps_after).map_err(|reason| self.draws.source.failed(reason))
    }

    /// Whether threads can share one step with a gain.
    pub fn can_share_a_step(&self) -> bool {
        self.stepper.can_share_a_step()
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
            let count = self.variations.len();
            let told = self.condition.as_mut().map(|condition| condition.at(step, count)).transpose()?;
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
        let last = first + steps as u64;
        let mut step = first;
        while step < last {
            let Self { variations, stepper, newest, draws, condition } = self;
            let told = condition.as_mut().map(|condition| condition.at(step, variations.len())).transpose()?;
            // The threads that help need not ask what is told while it stays the same.
            let until = told.map_or(last, |told| last.min(step + told.steps as u64));
            let mut result = Ok(());
            let mut next = |outputs: &[f32], symbols: &mut [S::Symbol]| {
                result = if cancel.load(Ordering::Relaxed) {
                    Err(EngineError::Cancelled)
                } else {
                    draws.draw(outputs, outputs.len(), variations.start, step, symbols)
                };
                draws.play(symbols, out);
                step += 1;
                result.is_ok() && step < until
            };
            let shared = stepper.generate_shared(pool, newest, told, &mut next);
            result?;
            shared.map_err(|reason| draws.source.failed(reason))?;
            if step < until {
                return Err(draws.source.failed("it stopped by itself".into()));
            }
        }
        Ok(())
    }
}

/// Takes the same symbols, step by step and channel by channel, through a network for each of `count` variations, of which the
/// first leads to `step`: as many at once as are told the same.
pub(super) fn prime<S: Stepper>(
    stepper: &mut S,
    mut condition: Option<&mut (dyn Condition + 'static)>,
    (symbols, channels, count): (&[S::Symbol], usize, usize),
    step: u64,
    steps_after: usize,
    source: &Source,
) -> Result<(), EngineError> {
    let steps = symbols.len() / channels;
    let mut heard = 0;
    while heard < steps {
        let told = condition.as_mut().map(|condition| condition.at(step + heard as u64, count)).transpose()?;
        let until = told.map_or(steps, |told| steps.min(heard + told.steps.max(1)));
        let piece = symbols[heard * channels..until * channels].repeat(count);
        heard = until;
        stepper.prime(&piece, told, steps - heard + steps_after).map_err(|reason| source.failed(reason))?;
    }
    Ok(())
}
